//! Tests of `/v1/test-deliveries`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const GRADES: &str = r#"{"name":"grades","events":["new_*","grade_*"],
    "webhook":{"url":"http://localhost:9/"}}"#;

async fn test(fixture: &Fixture, body: &str) -> (StatusCode, Value) {
    fixture.ask("POST", "/v1/test-deliveries", body).await
}

#[tokio::test]
async fn a_test_sends_a_marked_example_and_returns_the_answer_of_the_endpoint() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    let (status, answer) = test(&fixture, r#"{"subscription":"grades"}"#).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        answer,
        json!({
            "event": "grade_change", "url": "http://localhost:9/", "delivered": false,
            "status": 418, "error": "send: the endpoint answered 418", "duration_ms": 7,
            "body": "short and stout",
        })
    );
    let (spec, event) = fixture.sent.lock().unwrap().remove(0);
    assert_eq!(spec.name.as_str(), "grades");
    assert_eq!(event["metadata"]["event_name"], "grade_change");
    assert_eq!(event["metadata"]["producer"], "easel-test");
    let balance = fixture.get("/v1/subscriptions/grades/balance").await;
    assert_eq!(balance["accepted"], 0, "a test is not on the log");
}

#[tokio::test]
async fn a_test_can_use_any_url_format_and_event_type() {
    let fixture = Fixture::new().await;
    let body = r#"{"url":"http://a/","format":"caliper","event":"submission_created"}"#;
    let (status, answer) = test(&fixture, body).await;
    assert_eq!(
        (status, &answer["event"]),
        (StatusCode::OK, &json!("submission_created"))
    );
    let (spec, _) = fixture.sent.lock().unwrap().remove(0);
    assert!(spec.format.is_caliper());
    assert_eq!(spec.sink.url().expose(), "http://a/");
}

#[tokio::test]
async fn a_test_that_cannot_be_sent_is_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    for (body, status, code, words) in [
        (
            "{}",
            422,
            "invalid_test",
            "Either a `subscription` or a `url`",
        ),
        (
            r#"{"subscription":"grades","url":"http://a/"}"#,
            422,
            "invalid_test",
            "not both",
        ),
        (
            r#"{"subscription":"grades","format":"caliper"}"#,
            422,
            "invalid_test",
            "`/format` is only allowed for a URL",
        ),
        (r#"{"subscription":"x"}"#, 404, "no_such_subscription", "x"),
        (r#"{"url":"ftp://a/"}"#, 422, "invalid_test", "no scheme"),
        (
            r#"{"url":"http://a/","event":"grade_chnage"}"#,
            422,
            "invalid_test",
            "no event type",
        ),
    ] {
        let (found, problem) = test(&fixture, body).await;
        assert_eq!(found.as_u16(), status, "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
    assert!(fixture.sent.lock().unwrap().is_empty());
}
