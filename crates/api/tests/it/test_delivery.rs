//! `/v1/test-deliveries`.

use axum::http::StatusCode;
use easel_subscriptions::SinkSpec;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const GRADES: &str = r#"{"name":"grades","events":["new_*","grade_*"],
    "webhook":{"url":"http://localhost:9/"}}"#;

async fn test(fixture: &Fixture, body: &str) -> (StatusCode, Value) {
    fixture.ask("POST", "/v1/test-deliveries", body).await
}

#[tokio::test]
async fn a_test_sends_an_example_that_is_labelled_and_answers_what_came_back() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    let (status, told) = test(&fixture, r#"{"subscription":"grades"}"#).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(
        told,
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
    assert_eq!(balance["accepted"], 0, "a test is no event");
}

#[tokio::test]
async fn a_test_goes_to_any_url_in_any_form_with_any_event() {
    let fixture = Fixture::new().await;
    let body = r#"{"url":"http://a/","format":"caliper","event":"submission_created"}"#;
    let (status, told) = test(&fixture, body).await;
    assert_eq!(
        (status, &told["event"]),
        (StatusCode::OK, &json!("submission_created"))
    );
    let (spec, _) = fixture.sent.lock().unwrap().remove(0);
    assert!(spec.format.is_caliper());
    let SinkSpec::Webhook(webhook) = &spec.sink;
    assert_eq!(webhook.url.expose(), "http://a/");
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
            "either a `subscription` or a `url`",
        ),
        (
            r#"{"subscription":"grades","url":"http://a/"}"#,
            422,
            "invalid_test",
            "either",
        ),
        (
            r#"{"subscription":"grades","format":"caliper"}"#,
            422,
            "invalid_test",
            "`/format` is for a URL",
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
