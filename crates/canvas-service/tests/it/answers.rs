//! Every answer is JSON, and its status is one that Canvas understands.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::fixture::{Fixture, path, plagiarism};
use crate::token::{bearer, page, tool};

#[tokio::test]
async fn a_request_without_a_valid_token_is_refused_with_json() {
    let fixture = Fixture::new().await;
    let good = tool("a", 1);
    let cases: Vec<Vec<(&str, String)>> = vec![
        vec![],
        vec![("authorization", good.clone())],
        vec![("authorization", format!("Basic {good}"))],
        vec![("authorization", "Bearer ".to_owned())],
        vec![("authorization", "Bearer x".to_owned())],
        vec![(
            "authorization",
            format!("Bearer {}", bearer(json!({"sub": "a"}))),
        )],
        vec![
            ("authorization", format!("Bearer {good}")),
            ("authorization", format!("Bearer {good}")),
        ],
    ];
    for headers in cases {
        for (method, path) in [
            ("POST", "/api/subscriptions"),
            ("DELETE", "/api/subscriptions"),
            ("GET", "/api/subscriptions/1"),
            ("PUT", "/api/subscriptions/1"),
            ("PUT", "/api/subscriptions/"),
            ("DELETE", "/api/subscriptions/1"),
            ("GET", "/api/root_account_subscriptions"),
            ("GET", "/api/event_types"),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in &headers {
                request = request.header(*name, value);
            }
            let answer = fixture.send(request.body(Body::from("{")).unwrap()).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            assert!(answer.json["error"].is_string());
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    let request =
        Request::get("/api/event_types").header("authorization", format!("bearer {good}"));
    assert_eq!(
        fixture
            .send(request.body(Body::empty()).unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_json() {
    let fixture = Fixture::new().await;
    let tool = tool("a", 1);
    let id = fixture.create(&tool, plagiarism(1, "a")).await;
    let create = ("POST", "/api/subscriptions");
    let own = path(&id);
    let change = ("PUT", own.as_str());
    let with = |name: &str, value: Value| {
        let mut object = plagiarism(1, "a");
        object[name] = value;
        object
    };
    for (call, body, status) in [
        (create, json!([]), 400),
        (create, json!("x"), 400),
        (create, json!({}), 400),
        (create, with("ContextType", json!("course")), 400),
        (create, with("Format", json!("xml")), 400),
        (create, with("State", json!("Deleted")), 400),
        (create, with("State", json!("Paused")), 400),
        (create, with("Name", json!("x".repeat(70_000))), 413),
        (change, json!({"State": 7}), 400),
        (change, json!({"TransportType": "sqs"}), 400),
        (change, json!({"TransportMetadata": {"Url": null}}), 400),
        (("PATCH", "/api/subscriptions"), Value::Null, 405),
        (("GET", "/api/subscriptions"), Value::Null, 405),
        (("POST", own.as_str()), Value::Null, 405),
        (("POST", "/api/event_types"), Value::Null, 405),
        (("GET", "/api/other"), Value::Null, 404),
        (("GET", "/api/subscriptions/a/b"), Value::Null, 404),
        (("GET", "/api/subscriptions/%ff"), Value::Null, 404),
        (
            ("GET", "/api/event_types?message_type=xml"),
            Value::Null,
            400,
        ),
        (
            ("GET", "/api/root_account_subscriptions?limit_deleted=x"),
            Value::Null,
            400,
        ),
    ] {
        let answer = fixture.call(&tool, call, body.clone()).await;
        assert_eq!(answer.status, status, "{call:?} {body} {answer:?}");
        assert!(answer.json["error"].is_string());
    }
    let key = Request::get("/api/root_account_subscriptions")
        .header("authorization", format!("Bearer {tool}"))
        .header("StartKey", "x");
    assert_eq!(
        fixture.send(key.body(Body::empty()).unwrap()).await.status,
        400
    );
    let broken =
        Request::post("/api/subscriptions").header("authorization", format!("Bearer {tool}"));
    let answer = fixture.send(broken.body(Body::from("{")).unwrap()).await;
    assert_eq!(answer.status, 400);
    // Nothing of this changed the subscription.
    assert_eq!(fixture.ids(&page(1), "?limit_deleted=90").await, [id]);
}

#[tokio::test]
async fn event_types_are_listed_by_category() {
    let fixture = Fixture::new().await;
    for (query, has_account) in [
        ("?message_type=live-event", true),
        ("", true),
        ("?message_type=caliper", false),
    ] {
        let path = format!("/api/event_types{query}");
        let answer = fixture.call(&page(1), ("GET", &path), Value::Null).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json["account"].is_array(), has_account, "{query}");
        let grades = answer.json["grade"].as_array().unwrap();
        assert!(grades.contains(&json!("grade_change")));
    }
}
