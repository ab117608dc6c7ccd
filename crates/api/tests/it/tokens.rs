//! Tokens: what they need, who sees them, and how they change.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use easel_access::{Scopes, TokenSettings};
use easel_catalog::Reach;
use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Sends a request with a token, and returns status and JSON.
async fn ask(
    fixture: &Fixture,
    token: &str,
    (method, path): (&str, &str),
    body: &Value,
) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let response = fixture.send(request.body(Body::from(body)).unwrap()).await;
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    let json = serde_json::from_slice(&bytes.unwrap()).unwrap_or(Value::Null);
    (status, json)
}

/// Creates a token with all scopes that is confined to a root account. Returns its secret.
fn confined(fixture: &Fixture, account: &str) -> String {
    let settings = TokenSettings {
        reach: Reach::RootAccount(account.parse().unwrap()),
        ..TokenSettings::new("confined", Scopes::ALL)
    };
    let now = jiff::Timestamp::now();
    let created = fixture.tokens.create_with(settings, now);
    created.unwrap().1.expose().clone()
}

#[tokio::test]
async fn a_token_is_created_listed_changed_and_removed() {
    let fixture = Fixture::new().await;
    let new = json!({
        "name": "vendor", "scopes": ["read"], "reach": "root_account:7",
        "expires_at": "2999-01-01T00:00:00Z",
        "max_requests_per_second": 5, "max_bytes_per_second": 1_000_000,
    });
    let (status, made) = fixture.ask("POST", "/v1/tokens", &new.to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    for (member, value) in new.as_object().unwrap() {
        assert_eq!(&made[member], value, "{member}");
    }
    assert_eq!(made["last_used_at"], Value::Null);
    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());

    let patch = json!({ "name": "renamed", "expires_at": null, "max_requests_per_second": 7 });
    let (status, changed) = fixture.ask("PATCH", &path, &patch.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(changed["name"], "renamed");
    assert_eq!(changed["expires_at"], Value::Null);
    assert_eq!(changed["max_requests_per_second"], 7);
    assert_eq!(changed["max_bytes_per_second"], 1_000_000);

    let token = made["token"].as_str().unwrap();
    let (status, _) = ask(&fixture, token, ("GET", "/v1/balance"), &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let listed = fixture.get("/v1/tokens").await;
    let listed = listed["tokens"].as_array().unwrap();
    let found = listed.iter().find(|token| token["id"] == made["id"]);
    assert!(found.unwrap()["last_used_at"].is_string(), "{found:?}");
    assert_eq!(found.unwrap()["token"], Value::Null);

    let (status, _) = fixture.ask("DELETE", &path, "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = ask(&fixture, token, ("GET", "/v1/balance"), &Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_rotated_token_has_two_secrets_until_the_overlap_ends() {
    let fixture = Fixture::new().await;
    let new = r#"{"name":"a","scopes":["read"]}"#;
    let (_, made) = fixture.ask("POST", "/v1/tokens", new).await;
    let old = made["token"].as_str().unwrap();
    let path = format!("/v1/tokens/{}/rotate", made["id"].as_str().unwrap());
    let code = async |secret: &str| {
        let (status, json) = ask(&fixture, secret, ("GET", "/v1/balance"), &Value::Null).await;
        if status.is_success() {
            "ok".to_owned()
        } else {
            json["code"].as_str().unwrap().to_owned()
        }
    };
    // Without a body, the old secret works for a day.
    let (status, rotated) = fixture.ask("POST", &path, "").await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let new = rotated["token"].as_str().unwrap();
    assert_eq!(rotated["id"], made["id"]);
    let ends_at: jiff::Timestamp = rotated["overlap_ends_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let hours = ends_at.duration_since(jiff::Timestamp::now()).as_hours();
    assert_eq!(hours, 23);
    assert_eq!(
        (code(old).await, code(new).await),
        ("ok".to_owned(), "ok".to_owned())
    );
    let (_, last) = fixture.ask("POST", &path, r#"{"overlap":"0s"}"#).await;
    assert_eq!(last["overlap_ends_at"], Value::Null);
    for secret in [old, new] {
        assert_eq!(code(secret).await, "token_expired");
    }
    assert_eq!(code(last["token"].as_str().unwrap()).await, "ok");
}

#[tokio::test]
async fn invalid_tokens_are_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    let check = async |member: &str, value: Value, wanted: &str| {
        let mut new = json!({ "name": "a", "scopes": ["read"] });
        new[member] = value;
        let (status, json) = fixture.ask("POST", "/v1/tokens", &new.to_string()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{new}: {json}");
        assert_eq!(json["code"], "invalid_token");
        let detail = json["detail"].as_str().unwrap();
        assert!(detail.contains(wanted), "{new}: {detail}");
    };
    check("name", json!(""), "`name` must have 1 to 200").await;
    check("name", json!("a\u{1b}[2J"), "no control characters").await;
    check("scopes", json!([]), "at least one scope").await;
    check("scopes", json!(["admin"]), "\"admin\"").await;
    check("reach", json!("7"), "`reach`: the reach must be `*`").await;
    check(
        "expires_at",
        json!("2020-01-01T00:00:00Z"),
        "must be in the future",
    )
    .await;
    check("expires_at", json!("soon"), "").await;
    check(
        "max_requests_per_second",
        json!(0),
        "must be 1 to 1000000, not 0",
    )
    .await;
    check("max_bytes_per_second", json!(0), "must be 1 to").await;
    check("max_bytes_per_second", json!(-1), "").await;
    check("limit", json!(1), "").await;
    let (status, json) = fixture
        .ask("POST", "/v1/tokens/x/rotate", r#"{"overlap":"91d"}"#)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{json}");
}

#[tokio::test]
async fn a_confined_caller_makes_and_sees_only_its_own() {
    let fixture = Fixture::new().await;
    let (seven, eight) = (confined(&fixture, "7"), confined(&fixture, "8"));
    let new = json!({ "name": "own", "scopes": ["read"] });
    let (status, made) = ask(&fixture, &seven, ("POST", "/v1/tokens"), &new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["reach"], "root_account:7");
    for reach in ["*", "root_account:8"] {
        let new = json!({ "name": "own", "scopes": ["read"], "reach": reach });
        let (status, refused) = ask(&fixture, &seven, ("POST", "/v1/tokens"), &new).await;
        assert_eq!(
            (status, &refused["code"]),
            (StatusCode::FORBIDDEN, &json!("reach_too_small"))
        );
    }
    let (_, listed) = ask(&fixture, &seven, ("GET", "/v1/tokens"), &Value::Null).await;
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2, "{listed}");

    // What is not one's own is answered exactly as what is not there.
    let id = made["id"].as_str().unwrap();
    let calls = [
        ("PATCH", "", json!({ "name": "mine" })),
        ("POST", "/rotate", json!({ "overlap": "0s" })),
        ("DELETE", "", Value::Null),
    ];
    for (method, rest, body) in &calls {
        let foreign = format!("/v1/tokens/{id}{rest}");
        let missing = format!("/v1/tokens/AAAAAAAAAAAA{rest}");
        let (status, foreign) = ask(&fixture, &eight, (method, &foreign), body).await;
        let (missing_status, missing) = ask(&fixture, &eight, (method, &missing), body).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {rest}");
        assert_eq!(status, missing_status);
        let foreign = foreign.to_string().replace(id, "AAAAAAAAAAAA");
        assert_eq!(foreign, missing.to_string());
    }
    for (method, rest, body) in &calls {
        let own = format!("/v1/tokens/{id}{rest}");
        let (status, answer) = ask(&fixture, &seven, (method, &own), body).await;
        assert!(status.is_success(), "{method} {rest}: {answer}");
    }
}
