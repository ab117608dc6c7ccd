//! `POST /v1/quarantine/retry`.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use easel_log::{Log, Offset, Read, Shape};
use easel_quarantine::NewQuarantined;
use easel_testkit::{event, with_attributes_key};
use serde_json::json;

use crate::doors::{Answer, Doors};

/// Returns a record that an older version rejected.
fn record(bytes: Bytes) -> NewQuarantined {
    NewQuarantined {
        door: "kinesis",
        code: "syntax".to_owned(),
        detail: "an older version did not know this".to_owned(),
        source: None,
        reach: None,
        event_name: None,
        message_id: None,
        bytes,
    }
}

async fn retry(doors: &Doors, query: &str) -> Answer {
    let request = Request::post(format!("/v1/quarantine/retry{query}"));
    doors.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_record_that_is_valid_now_is_appended_once_and_leaves_quarantine() {
    let doors = Doors::open();
    let (first, second) = (event("course_created", 1), event("course_created", 2));
    let items = [
        first.clone(),
        "no event".into(),
        second.clone(),
        with_attributes_key(&first),
    ];
    let items = items.map(record).to_vec();
    doors.quarantine.put(items).await.unwrap();

    let answer = retry(&doors, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let wanted = json!({ "admitted": 2, "duplicates": 1, "kept": 1, "next": 4 });
    assert_eq!(answer.json, wanted);
    assert_eq!(doors.stored().await, [first, second]);
    let remaining = doors.quarantined().await;
    assert_eq!(remaining.len(), 1);
    assert_eq!(
        (remaining[0].offset, &remaining[0].bytes[..]),
        (Offset::new(1), &b"no event"[..])
    );
    assert_eq!(doors.quarantine.count(), 1);

    let again = retry(&doors, "").await.json;
    assert_eq!(
        again,
        json!({ "admitted": 0, "duplicates": 0, "kept": 1, "next": 2 })
    );
    assert_eq!(doors.stored().await.len(), 2);
}

#[tokio::test]
async fn an_event_that_an_unfinished_retry_appended_is_not_appended_again() {
    // Without a window, the log detects no duplicates.
    let doors = Doors::without_duplicate_window();
    let event = event("course_created", 1);
    let offsets = doors
        .quarantine
        .put(vec![record(event.clone())])
        .await
        .unwrap();
    // The state after a retry that did not finish.
    doors.quarantine.mark_trying(&offsets).await.unwrap();
    doors.native("application/json", event.clone()).await;

    let answer = retry(&doors, "").await.json;
    assert_eq!(
        (&answer["admitted"], &answer["duplicates"]),
        (&json!(0), &json!(1))
    );
    let stored = doors.stored().await.into_iter();
    let copies = stored.filter(|bytes| *bytes == event);
    assert_eq!(copies.count(), 1);
    assert_eq!(doors.quarantine.count(), 0);
}

#[tokio::test]
async fn a_retry_that_cannot_store_leaves_everything_in_quarantine() {
    let doors = Doors::open();
    let record = record(event("course_created", 1));
    doors.quarantine.put(vec![record]).await.unwrap();
    doors.log.fail_appends(true);
    let answer = retry(&doors, "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["code"], "log_unavailable");
    assert_eq!(doors.quarantine.count(), 1);
}

#[tokio::test]
async fn a_partial_retry_returns_the_next_offset_and_invalid_queries_are_rejected() {
    let doors = Doors::open();
    let items = (0..3).map(|n| record(event("course_created", n))).collect();
    doors.quarantine.put(items).await.unwrap();
    let answer = retry(&doors, "?from=1&limit=1").await.json;
    assert_eq!(
        answer,
        json!({ "admitted": 1, "duplicates": 0, "kept": 0, "next": 2 })
    );
    for (query, status, words) in [
        ("?limit=0", 422, "`limit` must be 1 to 1000"),
        ("?limit=all", 400, "`limit` must be a non-negative integer"),
        ("?form=1", 400, "`form` is unknown"),
    ] {
        let answer = retry(&doors, query).await;
        assert_eq!(answer.status, status, "{query}");
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
}

#[tokio::test]
async fn an_envelope_of_a_source_is_retried_with_its_event_name_and_its_source() {
    const ENVELOPE: &str =
        r#"{"data":[{"type":"Event","action":"Created","eventTime":"2026-09-03T06:48:17Z"}]}"#;
    let doors = Doors::open();
    let from_source = NewQuarantined {
        door: "hook",
        source: Some("hosted".into()),
        reach: None,
        event_name: Some("course_created".into()),
        ..record(ENVELOPE.into())
    };
    // Only a source may send Caliper.
    let from_other_door = record(ENVELOPE.replace("Created", "Modified").into());
    let items = vec![from_source, from_other_door];
    doors.quarantine.put(items).await.unwrap();
    let answer = retry(&doors, "").await.json;
    assert_eq!(
        answer,
        json!({ "admitted": 1, "duplicates": 0, "kept": 1, "next": 2 })
    );
    let Read::Block(block) = doors.log.read(Offset::ZERO).await.unwrap() else {
        panic!("the log has no block")
    };
    let stored = block.record(Offset::ZERO).unwrap();
    assert_eq!(stored.bytes, ENVELOPE);
    assert_eq!(&*stored.event_type, "course_created");
    assert_eq!(stored.provenance.source.as_deref(), Some("hosted"));
    assert_eq!(stored.provenance.shape, Shape::Caliper);
}
