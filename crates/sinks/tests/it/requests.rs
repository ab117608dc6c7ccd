//! Tests of the request that a receiver gets, and of the effect of its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use easel_sinks::{Batch, Blame, Item, Sink};
use easel_testkit::{Receiver, event};
use http::{Method, StatusCode};

use crate::fixtures::{Post, batch, refused, webhook};

#[tokio::test]
async fn the_request_has_exactly_the_documented_headers() {
    let receiver = Receiver::start().await;
    webhook(&format!("{}?k=v%20w", receiver.url()))
        .post(batch())
        .await
        .unwrap();

    let request = receiver.received().remove(0);
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.uri, "/hook?k=v%20w");
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    headers.sort_unstable();
    let length = request.body.len().to_string();
    let host = receiver.address().to_string();
    assert_eq!(
        headers,
        [
            ("content-length", length.as_str()),
            ("content-type", "application/json"),
            ("easel-attempt", "3"),
            ("easel-event-name", "course_created"),
            ("easel-event-time", "2025-03-03T08:00:00.001Z"),
            ("easel-subscription", "data-team"),
            ("host", host.as_str()),
            ("user-agent", concat!("easel/", env!("CARGO_PKG_VERSION"))),
            ("webhook-id", "0f0f1e1e-2d2d-4c4c-8b8b-5a5a69697878"),
            ("webhook-timestamp", "1740988800"),
        ]
    );
}

#[tokio::test]
async fn the_body_arrives_byte_for_byte() {
    let receiver = Receiver::start().await;
    let webhook = webhook(&receiver.url());
    let megabyte: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let bodies = [
        event("quiz_submitted", 7),
        Bytes::new(),
        Bytes::from(megabyte),
    ];
    for body in &bodies {
        webhook
            .post(easel_testkit::batch(body.clone()))
            .await
            .unwrap();
    }
    let received: Vec<_> = receiver
        .received()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert!(received == bodies, "a body changed on the way");
}

#[tokio::test]
async fn characters_that_a_header_does_not_allow_arrive_percent_encoded() {
    let receiver = Receiver::start().await;
    let item = Item {
        event_type: "søknad\r\nhost: evil".into(),
        ..(*batch().items[0]).clone()
    };
    let batch = Batch {
        subscription: "100 % lærere".into(),
        items: vec![Arc::new(item)],
        ..batch()
    };
    webhook(&receiver.url()).post(batch).await.unwrap();

    let request = receiver.received().remove(0);
    assert_eq!(
        request.header("easel-event-name"),
        "s%C3%B8knad%0D%0Ahost: evil"
    );
    assert_eq!(request.header("easel-subscription"), "100 %25 l%C3%A6rere");
    assert_eq!(request.header("host"), receiver.address().to_string());
}

#[tokio::test]
async fn a_redirect_fails_and_is_not_followed() {
    let elsewhere = Receiver::start().await;
    let receiver = Receiver::start().await;
    receiver.set_header("location", &elsewhere.url());
    let webhook = webhook(&receiver.url());
    for status in [301, 302, 303, 307, 308] {
        receiver.set_status(StatusCode::from_u16(status).unwrap());
        let error = webhook.post(batch()).await.unwrap_err();
        assert_eq!(error, refused(status));
        assert_eq!(error.blame(), Blame::Endpoint { retry_after: None });
    }
    assert_eq!((receiver.count(), elsewhere.count()), (5, 0));
}

#[tokio::test]
async fn status_410_means_that_the_endpoint_is_gone() {
    let receiver = Receiver::start().await;
    receiver.set_status(StatusCode::GONE);
    let error = webhook(&receiver.url()).post(batch()).await.unwrap_err();
    assert_eq!((error.name(), error.blame()), ("gone", Blame::Gone));
}

#[tokio::test]
async fn a_busy_endpoint_can_say_when_to_retry_in_seconds_or_as_a_date() {
    let receiver = Receiver::start().await;
    let webhook = webhook(&receiver.url());
    receiver.set_status(StatusCode::SERVICE_UNAVAILABLE);
    for (value, wanted) in [("90", 90), ("Mon, 03 Mar 2025 08:00:30 GMT", 30)] {
        receiver.set_header("retry-after", value);
        let error = webhook.post(batch()).await.unwrap_err();
        assert_eq!(
            error.blame(),
            Blame::Endpoint {
                retry_after: Some(Duration::from_secs(wanted))
            },
            "{value}"
        );
    }
}

#[tokio::test]
async fn the_attempt_after_a_refusal_can_succeed() {
    let receiver = Receiver::start().await;
    let webhook = webhook(&receiver.url());
    receiver.answer_with(|request| match request.header("easel-attempt") {
        "3" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::ACCEPTED,
    });
    assert_eq!(webhook.post(batch()).await, Err(refused(500)));
    let next = Batch {
        attempt: batch().attempt.saturating_add(1),
        ..batch()
    };
    assert_eq!(webhook.post(next).await, Ok(()));
}

#[tokio::test]
async fn the_body_of_an_answer_is_kept_only_after_a_failure_and_up_to_4_kib() {
    let receiver = Receiver::start().await;
    let webhook = webhook(&receiver.url());
    receiver.set_body("n".repeat(10_000));
    let answer = webhook.send(&batch()).await.answer.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    receiver.set_status(StatusCode::UNPROCESSABLE_ENTITY);
    let outcome = webhook.send(&batch()).await;
    let answer = outcome.answer.unwrap();
    assert_eq!((answer.status, answer.body.len()), (422, 4_096));
    assert_eq!(outcome.pause_reason, None);
    // The connection is reused despite the long body.
    assert_eq!(receiver.connection_count(), 1);
}

#[tokio::test]
async fn a_receiver_can_ask_to_be_disabled() {
    let receiver = Receiver::start().await;
    receiver.set_header("webhook-delivery", "disable");
    let outcome = webhook(&receiver.url()).send(&batch()).await;
    assert_eq!(outcome.result(0), Ok(()));
    let reason = "the endpoint asked to be disabled (200)".to_owned();
    assert_eq!(outcome.pause_reason, Some(reason));
}
