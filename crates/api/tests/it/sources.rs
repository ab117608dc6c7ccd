//! `/v1/sources`.

use axum::http::StatusCode;
use easel_sources::SourceOutcome;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/1/canvas-live-events";

fn queue(more: &Value) -> Value {
    let mut json = json!({"name": "queue", "kind": "sqs", "queue_url": QUEUE});
    let members = more.as_object().unwrap().clone();
    json.as_object_mut().unwrap().extend(members);
    json
}

async fn send(fixture: &Fixture, method: &str, path: &str, json: &Value) -> (StatusCode, Value) {
    fixture.ask(method, path, &json.to_string()).await
}

#[tokio::test]
async fn a_secret_is_kept_but_never_shown_and_never_sent_to_another_queue() {
    let fixture = Fixture::new().await;
    let pair = json!({"access_key_id": "AKIA", "secret_access_key": "s3cret"});
    let (status, created) = send(&fixture, "POST", "/v1/sources", &queue(&pair)).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    assert_eq!(created["secret_access_key"], "…");
    let shown = json!({"access_key_id": "AKIA", "secret_access_key": "…", "pollers": 4});
    let (status, changed) = send(&fixture, "PUT", "/v1/sources/queue", &queue(&shown)).await;
    assert_eq!((status, &changed["pollers"]), (StatusCode::OK, &json!(4)));
    let mut elsewhere = queue(&shown);
    elsewhere["endpoint_url"] = "https://attacker.example".into();
    let (status, refused) = send(&fixture, "PUT", "/v1/sources/queue", &elsewhere).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused["pointer"], "/secret_access_key");
    let source = fixture.sources.get("queue").unwrap();
    assert!(format!("{:?}", source.spec).contains("AKIA"));
    assert!(!format!("{:?}", source.spec).contains("s3cret"));
}

#[tokio::test]
async fn an_invalid_source_is_refused_with_the_place() {
    let fixture = Fixture::new().await;
    for (json, pointer) in [
        (json!({"name": "A", "kind": "https"}), "/name"),
        (json!({"name": "a"}), "/kind"),
        (
            json!({"name": "a", "kind": "https", "queue_url": QUEUE}),
            "/queue_url",
        ),
        (
            json!({"name": "a", "kind": "https", "secret": "env:HOME"}),
            "/secret",
        ),
        (
            json!({"name": "a", "kind": "https", "secret": "…"}),
            "/secret",
        ),
        (
            json!({"name": "a", "kind": "https", "colour": 1}),
            "/colour",
        ),
    ] {
        let (status, problem) = send(&fixture, "POST", "/v1/sources", &json).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{json}");
        assert_eq!(problem["code"], "invalid_source", "{problem}");
        assert_eq!(problem["pointer"], pointer, "{problem}");
    }
    let rename = json!({"name": "b", "kind": "https"});
    send(
        &fixture,
        "POST",
        "/v1/sources",
        &json!({"name": "a", "kind": "https"}),
    )
    .await;
    let (status, problem) = send(&fixture, "PUT", "/v1/sources/a", &rename).await;
    assert_eq!(
        (status, &problem["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/name"))
    );
}

#[tokio::test]
async fn a_source_that_fails_too_often_or_cannot_be_reached_needs_attention() {
    let fixture = Fixture::new().await;
    send(
        &fixture,
        "POST",
        "/v1/sources",
        &json!({"name": "a", "kind": "https"}),
    )
    .await;
    send(&fixture, "POST", "/v1/sources", &queue(&json!({}))).await;
    let now = Timestamp::now();
    let hosted = fixture.sources.get("a").unwrap();
    hosted.count(SourceOutcome::Failed, 14_000, now);
    let source = fixture.sources.get("queue").unwrap();
    source
        .health
        .set_unreachable("the queue does not exist", now);
    let status = fixture.get("/v1/status").await;
    let attention = status["attention"].as_array().unwrap().iter();
    let codes: Vec<_> = attention.map(|found| found["code"].clone()).collect();
    assert_eq!(codes, ["source_failing", "source_unreachable"]);
    // A paused queue is not read, so nobody needs to reach it.
    fixture.ask("POST", "/v1/sources/queue/pause", "").await;
    let status = fixture.get("/v1/status").await;
    assert_eq!(status["attention"].as_array().unwrap().len(), 1, "{status}");
    let shown = fixture.get("/v1/sources/queue").await;
    assert_eq!(shown["state"], "paused");
    assert_eq!(shown["unreachable"]["reason"], "the queue does not exist");
}
