//! Subscriptions, balances and tokens.

use axum::http::{StatusCode, header};
use easel_subscriptions::{Authentication, Spec};
use serde_json::{Value, json};

use crate::fixture::{Fixture, full_name};

const GRADES: &str =
    r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost:9/"}}"#;

#[tokio::test]
async fn a_subscription_is_created_shown_changed_and_removed() {
    let fixture = Fixture::new().await;
    let (status, made) = fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(made["state"], "active");
    assert_eq!(made["origin"], "api");
    assert_eq!(made["format"], "canvas");
    assert_eq!(made["webhook"]["timeout"], "15s");
    let shown = fixture.get("/v1/subscriptions/grades").await;
    assert_eq!(shown["attempts"]["outcomes"], json!({}));
    assert_eq!(shown["parked"]["count"], 0);
    assert_eq!(spec_of(shown), spec_of(made.clone()));
    let mut listed = made;
    let members = listed.as_object_mut().unwrap();
    members.retain(|name, _| name != "attempts" && name != "parked");
    assert_eq!(
        fixture.get("/v1/subscriptions").await,
        json!({ "subscriptions": [listed] })
    );

    let changed = GRADES.replace("grade_*", "*_change");
    let (status, changed) = fixture
        .ask("PUT", "/v1/subscriptions/grades", &changed)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(changed["events"], json!(["*_change"]));

    let (status, _) = fixture.ask("DELETE", "/v1/subscriptions/grades", "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = fixture.ask("GET", "/v1/subscriptions/grades", "").await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::NOT_FOUND, &json!("no_such_subscription"))
    );
}

#[tokio::test]
async fn the_location_header_has_the_path_of_a_new_subscription() {
    let fixture = Fixture::new().await;
    let now = jiff::Timestamp::now();
    let manage = [easel_access::Scope::Manage].into_iter().collect();
    let (_, secret) = fixture.tokens.create("m", manage, now).unwrap();
    let made = fixture
        .raw("POST", "/v1/subscriptions", GRADES, Some(secret.expose()))
        .await;
    assert_eq!(made.headers()[header::LOCATION], "/v1/subscriptions/grades");
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_a_code_and_the_reason() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    let check = async |method, path, body: &str, wanted: (u16, &str), words: &str| {
        let (status, problem) = fixture.ask(method, path, body).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str().unwrap()),
            wanted,
            "{problem}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    };
    let (path, invalid) = ("/v1/subscriptions", (422, "invalid_subscription"));
    check("POST", path, GRADES, (409, "name_taken"), "grades").await;
    check("POST", path, "{", invalid, "ends too early").await;
    check("POST", path, "{\n7}", invalid, "see line 2, column 1").await;
    check(
        "POST",
        path,
        r#"{"name":"x"}"#,
        invalid,
        "exactly one of `webhook`, `sql` and `sqs` is required",
    )
    .await;
    check(
        "POST",
        path,
        &GRADES.replace("http:", "ftp:"),
        invalid,
        "no scheme",
    )
    .await;
    check(
        "POST",
        path,
        &GRADES.replace("events", "evnts"),
        invalid,
        "`/evnts` is unknown; expected one of `name`, `events`",
    )
    .await;
    let renamed = GRADES.replace("\"grades\"", "\"other\"");
    check(
        "PUT",
        "/v1/subscriptions/grades",
        &renamed,
        invalid,
        "The name of a subscription cannot change",
    )
    .await;
    check(
        "PUT",
        "/v1/subscriptions/other",
        &renamed,
        (404, "no_such_subscription"),
        "other",
    )
    .await;
    check(
        "POST",
        "/v1/subscriptions/x/pause",
        "",
        (404, "no_such_subscription"),
        "x",
    )
    .await;
    check(
        "DELETE",
        "/v1/tokens/nobody",
        "",
        (404, "no_such_token"),
        "nobody",
    )
    .await;
    check(
        "POST",
        "/v1/tokens",
        r#"{"name":"x","scopes":["all"]}"#,
        (422, "invalid_token"),
        "all",
    )
    .await;
}

#[tokio::test]
async fn a_declared_subscription_can_only_be_changed_in_its_file() {
    let fixture = Fixture::new().await;
    fixture
        .subscriptions
        .declare(vec![serde_json::from_str::<Spec>(GRADES).unwrap().into()])
        .await
        .unwrap();
    for (method, body) in [("PUT", GRADES), ("DELETE", "")] {
        let (status, problem) = fixture.ask(method, "/v1/subscriptions/grades", body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::CONFLICT, &json!("declared_in_file"))
        );
    }
    // A pause does not change the declaration.
    let (_, paused) = fixture
        .ask("POST", "/v1/subscriptions/grades/pause", "")
        .await;
    assert_eq!(paused["state"], "paused");
    let (_, resumed) = fixture
        .ask("POST", "/v1/subscriptions/grades/resume", "")
        .await;
    assert_eq!(resumed["state"], "active");

    fixture.subscriptions.declare(Vec::new()).await.unwrap();
    let (status, problem) = fixture
        .ask("POST", "/v1/subscriptions/grades/resume", "")
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("deactivated"))
    );
}

#[tokio::test]
async fn the_balance_of_a_subscription_adds_up() {
    let fixture = Fixture::new().await;
    fixture.append("grade_change", 0..3).await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    fixture.append("grade_change", 3..8).await;
    let balance = fixture.get("/v1/subscriptions/grades/balance").await;
    assert_eq!(
        balance,
        json!({
            "subscription": "grades", "accepted": 5, "delivered": 0, "filtered": 0,
            "out_of_reach": 0, "other_format": 0, "pending": 5, "parked": 0, "dead": 0, "discarded": 0, "expired": 0,
            "damaged": 0, "skipped": 0, "cursor": 3,
        })
    );
    let all = fixture.get("/v1/balance").await;
    assert_eq!(
        all,
        json!({ "tail": 0, "head": 8, "quarantined": 0, "subscriptions": [balance] })
    );
}

#[tokio::test]
async fn a_token_is_shown_once_and_works_until_it_is_removed() {
    let fixture = Fixture::new().await;
    let (status, made) = fixture
        .ask(
            "POST",
            "/v1/tokens",
            r#"{"name":"reader","scopes":["read"]}"#,
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let token = made["token"].as_str().unwrap();
    let balance_status = async || {
        fixture
            .raw("GET", "/v1/balance", "", Some(token))
            .await
            .status()
    };
    assert_eq!(balance_status().await, StatusCode::OK);

    let listed = fixture.get("/v1/tokens").await.to_string();
    assert!(listed.contains("reader") && !listed.contains(token));

    let id = made["id"].as_str().unwrap();
    let (status, _) = fixture.ask("DELETE", &format!("/v1/tokens/{id}"), "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(balance_status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn secrets_are_shown_to_nobody_and_stay_when_a_shown_spec_comes_back() {
    let fixture = Fixture::new().await;
    let spec = r#"{"name":"a","webhook":{"url":"http://localhost:9/hook?key=s3cret",
        "headers":{"x-key":"s3cret"},"authentication":{"bearer":"s3cret"},
        "signing":{"standard":{"secrets":["s3cret"]}}}}"#;
    let path = "/v1/subscriptions/a";
    let (status, made) = fixture.ask("POST", "/v1/subscriptions", spec).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    for shown in [
        made,
        fixture.get(path).await,
        fixture.get("/v1/subscriptions").await,
    ] {
        let shown = shown.to_string();
        assert!(
            shown.contains(r#""url":"http://localhost:9/hook?…""#),
            "{shown}"
        );
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let before = fixture
        .subscriptions
        .get(&full_name("a"))
        .unwrap()
        .spec
        .clone();
    let shown = fixture.get(path).await;
    let mut back = serde_json::Map::new();
    for name in ["name", "webhook"] {
        back.insert(name.to_owned(), shown[name].clone());
    }
    let back = serde_json::to_string(&back).unwrap();
    for (method, body) in [("PUT", back.as_str()), ("PATCH", r#"{"in_flight":4}"#)] {
        let (status, answer) = fixture.ask(method, path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let after = fixture
            .subscriptions
            .get(&full_name("a"))
            .unwrap()
            .spec
            .clone();
        assert_eq!(after.sink, before.sink, "{method}");
    }
    let other = r#"{"name":"b","webhook":{"url":"http://localhost:9/","headers":{"x":"…"}}}"#;
    let (status, problem) = fixture.ask("POST", "/v1/subscriptions", other).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("webhook.headers.x must be a secret"),
        "{detail}"
    );
}

#[tokio::test]
async fn keys_are_listed_rotated_and_published() {
    let fixture = Fixture::new().await;
    // Two keys of each algorithm are published, whether a subscription uses them or not.
    let published = async || {
        let answer = fixture.raw("GET", "/.well-known/jwks.json", "", None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        let set: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        let keys = set["keys"].as_array().unwrap().iter();
        let others = keys.clone().filter(|key| key["alg"] != "RS256");
        assert_eq!(others.count(), 4);
        let keys = keys.filter(|key| key["alg"] == "RS256");
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = published().await;
    assert_eq!(first.len(), 2);
    let (status, rotated) = fixture
        .ask("POST", "/v1/keys/signing/RS256/rotate", "")
        .await;
    assert_eq!(status, StatusCode::OK, "{rotated}");
    let set = &rotated["signing"][0];
    assert_eq!(set["previous"], *first[0]);
    assert_eq!(set["current"], *first[1]);
    assert_eq!(
        published().await,
        [&first[0], &first[1], set["next"].as_str().unwrap()]
    );
    assert_eq!(fixture.get("/v1/keys").await, rotated);
    let (status, problem) = fixture
        .ask("POST", "/v1/keys/signing/HS256/rotate", "")
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::NOT_FOUND, &"no_such_algorithm".into())
    );
    let (status, master) = fixture.ask("POST", "/v1/keys/master/rotate", "").await;
    assert_eq!(status, StatusCode::OK, "{master}");
    assert_ne!(master["master_key"], rotated["master_key"]);
    assert_eq!(
        fixture.get("/v1/keys").await["master_key"],
        master["master_key"]
    );
}

#[tokio::test]
async fn a_refusal_of_a_body_has_the_json_pointer_to_the_invalid_place() {
    let fixture = Fixture::new().await;
    let body = GRADES.replace("\"http://localhost:9/\"", "9");
    let (status, problem) = fixture.ask("POST", "/v1/subscriptions", &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["pointer"], "/webhook/url");
    assert_eq!(problem["detail"], "`/webhook/url` must be a string.");
}

/// Removes the members that change with time from a subscription.
fn spec_of(mut subscription: serde_json::Value) -> serde_json::Value {
    subscription["attempts"].take();
    subscription
}

#[tokio::test]
async fn a_patch_changes_some_fields_of_a_subscription_and_keeps_the_others() {
    let fixture = Fixture::new().await;
    let (_, made) = fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    let path = "/v1/subscriptions/grades";
    let patch = r#"{"in_flight":4,"webhook":{"timeout":"5s"},"events":null}"#;
    let (status, changed) = fixture.ask("PATCH", path, patch).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    assert_eq!(changed["in_flight"], 4);
    assert_eq!(changed["events"], json!(["*"]));
    assert_eq!(changed["webhook"]["timeout"], "5s");
    assert_eq!(changed["webhook"]["url"], made["webhook"]["url"]);
    assert_eq!(spec_of(fixture.get(path).await), spec_of(changed.clone()));

    for (patch, pointer) in [
        (r#"{"name":"other"}"#, "/name"),
        (r#"{"in_flight":"many"}"#, "/in_flight"),
        (r#"{"webhook":{"url":null}}"#, "/webhook/url"),
        (r#"{"webhook":7}"#, "/webhook"),
    ] {
        let (status, problem) = fixture.ask("PATCH", path, patch).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{patch}");
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    let (status, _) = fixture.ask("PATCH", path, "[]").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = fixture.ask("PATCH", "/v1/subscriptions/x", "{}").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        spec_of(fixture.get(path).await),
        spec_of(changed),
        "a refused change changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_do_not_undo_each_other() {
    let fixture = Fixture::new().await;
    let spec =
        r#"{"name":"a","webhook":{"url":"http://localhost:9/","authentication":{"bearer":"old"}}}"#;
    fixture.ask("POST", "/v1/subscriptions", spec).await;
    let path = "/v1/subscriptions/a";
    for round in 0..40 {
        let bearer = format!("token-{round}");
        let secret = format!(r#"{{"webhook":{{"authentication":{{"bearer":"{bearer}"}}}}}}"#);
        let timeout = format!(r#"{{"webhook":{{"timeout":"{}s"}}}}"#, 1 + round);
        let (one, two) = tokio::join!(
            fixture.ask("PATCH", path, &secret),
            fixture.ask("PATCH", path, &timeout),
        );
        assert_eq!((one.0, two.0), (StatusCode::OK, StatusCode::OK));
        let stored = fixture.subscriptions.get(&full_name("a")).unwrap();
        let webhook = stored.spec.sink.webhook().unwrap().clone();
        assert_eq!(webhook.timeout.as_secs(), 1 + round);
        let Some(Authentication::Bearer(stored)) = webhook.authentication else {
            panic!("the authentication is gone");
        };
        assert_eq!(*stored.expose(), bearer);
    }
}
