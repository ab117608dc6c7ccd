//! The Caliper check answers as the standard requires.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::fixture::Fixture;

const ENVELOPE: &str = r#"{"sensor":"http://a/","sendTime":"2026-02-11T08:15:43.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p1","data":[{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p1","id":"http://a/1","type":"Person"}]}"#;

#[tokio::test]
async fn an_envelope_is_accepted_and_its_findings_are_listed() {
    let fixture = Fixture::new().await;
    let (status, answer) = fixture.ask("POST", "/v1/caliper/check", ENVELOPE).await;
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({ "conforms": true, "findings": [] }))
    );
    let faulty = ENVELOPE.replace("\"Person\"", "\"Robot\"");
    let (status, answer) = fixture.ask("POST", "/v1/caliper/check", &faulty).await;
    assert_eq!(
        (status, &answer["conforms"]),
        (StatusCode::OK, &json!(false))
    );
    assert_eq!(answer["findings"][0]["rule"], "N3");
    assert_eq!(answer["findings"][0]["path"], "/data/0/type");
}

#[tokio::test]
async fn an_unpaired_surrogate_and_a_huge_number_are_accepted_but_not_deep_nesting() {
    let fixture = Fixture::new().await;
    let strange = ENVELOPE.replace(
        "\"Person\"",
        r#""Person","name":"\ud800","extensions":{"\ud801":1e400}"#,
    );
    let (status, answer) = fixture.ask("POST", "/v1/caliper/check", &strange).await;
    assert_eq!(
        (status, answer),
        (StatusCode::OK, json!({ "conforms": true, "findings": [] }))
    );
    let deep = ENVELOPE.replace(
        "\"Person\"",
        &format!("\"Person\",\"extensions\":{}", "[".repeat(500)),
    );
    let (status, problem) = fixture.ask("POST", "/v1/caliper/check", &deep).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (400, &json!("no_envelope"))
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("the nesting must not be deeper than 128 levels, at line 1, column "),
        "{detail}"
    );
}

#[tokio::test]
async fn a_body_that_is_not_an_envelope_is_refused_as_the_standard_requires() {
    let fixture = Fixture::new().await;
    let refused = async |body: &str| {
        let (status, problem) = fixture.ask("POST", "/v1/caliper/check", body).await;
        (
            status.as_u16(),
            problem["code"].as_str().unwrap().to_owned(),
            problem["findings"][0]["rule"].clone(),
        )
    };
    assert_eq!(
        refused("{").await,
        (400, "no_envelope".to_owned(), Value::Null)
    );
    assert_eq!(
        refused("[]").await,
        (400, "no_envelope".to_owned(), json!("E1"))
    );
    let other = ENVELOPE.replace("v1p1\",\"data\"", "v1p2\",\"data\"");
    assert_eq!(
        refused(&other).await,
        (422, "unknown_data_version".to_owned(), json!("E6"))
    );

    // The version decides first.
    for (old, new) in [
        ("\"sensor\":\"http://a/\"", "\"sensor\":7"),
        ("\"sensor\":\"http://a/\",", ""),
        ("\"sendTime\":", "\"more\":1,\"sendTime\":"),
        ("[{", "7,\"x\":[{"),
        ("[{", "[7,{"),
        ("[{", "[],\"x\":[{"),
        ("\"Person\"", "\"Robot\""),
    ] {
        assert_ne!(other.replace(old, new), other, "{old}");
        let (status, code, _) = refused(&other.replace(old, new)).await;
        assert_eq!(
            (status, code.as_str()),
            (422, "unknown_data_version"),
            "{new}"
        );
    }
    // A body without a version is not an envelope.
    let without = ENVELOPE.replace(
        "\"dataVersion\":\"http://purl.imsglobal.org/ctx/caliper/v1p1\",",
        "",
    );
    assert_eq!(
        refused(&without).await,
        (400, "no_envelope".to_owned(), json!("E2"))
    );

    let request = Request::post("/v1/caliper/check")
        .header(header::CONTENT_TYPE, "text/plain")
        .header(header::AUTHORIZATION, format!("Bearer {}", fixture.token));
    let answer = fixture
        .send(request.body(Body::from(ENVELOPE)).unwrap())
        .await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
