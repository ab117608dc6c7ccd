//! Reads events by offset, time and id, follows new events, and lists the quarantine.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use easel_access::Scope;
use easel_catalog::Reach;
use easel_quarantine::NewQuarantined;
use easel_testkit::event;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::fixture::Fixture;

fn offsets(page: &Value) -> Vec<u64> {
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["offset"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn events_are_read_in_pages_from_any_offset() {
    let fixture = Fixture::new().await;
    fixture.append("grade_change", 0..5).await;
    fixture.append("course_created", 5..10).await;
    let page = fixture.get("/v1/events?limit=3").await;
    assert_eq!((offsets(&page), &page["next"]), (vec![0, 1, 2], &json!(3)));
    let page = fixture.get("/v1/events?from=3&limit=1000").await;
    assert_eq!(
        (offsets(&page), &page["next"]),
        (vec![3, 4, 5, 6, 7, 8, 9], &json!(10))
    );
    let page = fixture.get("/v1/events?event=course_*&limit=2").await;
    assert_eq!((offsets(&page), &page["next"]), (vec![5, 6], &json!(7)));
    let page = fixture
        .get("/v1/events?time=2020-01-01T00:00:00Z&limit=1")
        .await;
    assert_eq!(offsets(&page), [0]);
    let page = fixture.get("/v1/events?from=latest").await;
    assert_eq!((offsets(&page), &page["next"]), (vec![], &json!(10)));
}

#[tokio::test]
async fn a_page_is_limited_in_bytes_but_has_at_least_one_event() {
    let fixture = Fixture::new().await;
    for (n, mebibytes) in [1, 1, 1, 1, 1, 9, 1].into_iter().enumerate() {
        let bytes = format!("\"{}\"", "x".repeat(mebibytes << 20));
        fixture
            .append_bytes("grade_change", n as u64, bytes.into())
            .await;
    }
    let mut pages = Vec::new();
    let mut next = 0;
    while next < 7 {
        let page = fixture
            .get(&format!("/v1/events?limit=1000&from={next}"))
            .await;
        pages.push(offsets(&page));
        next = page["next"].as_u64().unwrap();
    }
    assert_eq!(pages, [vec![0, 1, 2, 3], vec![4, 5], vec![6]]);
}

#[tokio::test]
async fn an_event_is_returned_with_its_stored_bytes() {
    let fixture = Fixture::new().await;
    fixture.append("grade_change", 7..8).await;
    let response = fixture.stream("/v1/events").await;
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    let stored = event("grade_change", 7);
    let found = body.windows(stored.len()).any(|part| part == stored);
    assert!(found, "the stored bytes are not in the answer");
}

#[tokio::test]
async fn an_event_is_found_by_its_id() {
    let fixture = Fixture::new().await;
    fixture.append("grade_change", 0..5).await;
    let found = fixture
        .get("/v1/events/00000000-0000-0000-0000-000000000003")
        .await;
    assert_eq!(found["offset"], 3);
    for id in ["00000000-0000-0000-0000-000000000009", "no-id"] {
        let (status, problem) = fixture.ask("GET", &format!("/v1/events/{id}"), "").await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::NOT_FOUND, &json!("no_such_event"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_a_new_event_or_after_the_wait() {
    let fixture = Fixture::new().await;
    let (page, ()) = tokio::join!(fixture.get("/v1/events?from=latest&wait=30s"), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        fixture.append("grade_change", 0..1).await;
    });
    assert_eq!(offsets(&page), [0]);
    let began = tokio::time::Instant::now();
    let page = fixture.get("/v1/events?from=1&wait=30").await;
    assert_eq!((offsets(&page), &page["next"]), (vec![], &json!(1)));
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_stream_sends_new_events_and_ends_when_the_server_stops() {
    let fixture = Fixture::new().await;
    fixture.append("grade_change", 0..2).await;
    let mut body = fixture
        .stream("/v1/events/stream?event=grade_*")
        .await
        .into_body()
        .into_data_stream();
    fixture.append("course_created", 2..3).await;
    fixture.append("grade_change", 3..4).await;
    let first = text(body.next().await.unwrap().unwrap());
    assert!(
        first.starts_with("event: event\nid: 3\ndata: {\"offset\":3,"),
        "{first}"
    );
    fixture.append("grade_change", 4..5).await;
    let second = text(body.next().await.unwrap().unwrap());
    assert!(second.contains("id: 4\n"), "{second}");

    fixture.stop.cancel();
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_removed_and_other_streams_continue() {
    let fixture = Fixture::new().await;
    let read = [Scope::Read].into_iter().collect();
    let now = jiff::Timestamp::now();
    let (token, secret) = fixture.tokens.create("reader", read, now).unwrap();
    let path = "/v1/events/stream?from=0";
    let removed = fixture.raw("GET", path, "", Some(secret.expose())).await;
    let mut removed = removed.into_body().into_data_stream();
    let mut other = fixture.stream(path).await.into_body().into_data_stream();
    fixture.append("grade_change", 0..3).await;
    assert!(text(removed.next().await.unwrap().unwrap()).contains("id: 0\n"));

    let path = format!("/v1/tokens/{}", token.id);
    let (status, _) = fixture.ask("DELETE", &path, "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(
        removed.next().await.is_none(),
        "the stream also drops the events that it had read before"
    );
    for n in 0..3 {
        let event = text(other.next().await.unwrap().unwrap());
        assert!(event.contains(&format!("id: {n}\n")), "{event}");
    }
}

#[tokio::test]
async fn a_waiting_stream_ends_when_its_token_is_removed() {
    let fixture = Fixture::new().await;
    let read = [Scope::Read].into_iter().collect();
    let now = jiff::Timestamp::now();
    let (token, secret) = fixture.tokens.create("reader", read, now).unwrap();
    let stream = fixture
        .raw("GET", "/v1/events/stream", "", Some(secret.expose()))
        .await;
    let mut stream = stream.into_body().into_data_stream();
    let (end, removed) = tokio::join!(stream.next(), async {
        fixture.tokens.remove(&token.id, &Reach::Everything)
    });
    assert!(removed.unwrap() && end.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_returns_no_events_after_its_token_was_removed() {
    let fixture = Fixture::new().await;
    let read = [Scope::Read].into_iter().collect();
    let now = jiff::Timestamp::now();
    let (token, secret) = fixture.tokens.create("reader", read, now).unwrap();
    let began = tokio::time::Instant::now();
    let (answer, ()) = tokio::join!(
        fixture.raw("GET", "/v1/events?wait=30s", "", Some(secret.expose())),
        async {
            fixture
                .tokens
                .remove(&token.id, &Reach::Everything)
                .unwrap();
            fixture.append("grade_change", 0..1).await;
        }
    );
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    let page: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    assert_eq!((offsets(&page), &page["next"]), (vec![], &json!(0)));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.into()).unwrap()
}

#[tokio::test]
async fn an_invalid_range_is_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    for (query, words) in [
        ("limit=0", "`limit` must be 1 to 1000"),
        ("from=first", "`from` must be an offset or `latest`"),
        ("time=noon", "`time` must be a time such as"),
        ("from=1&time=2020-01-01T00:00:00Z", "must not be combined"),
        ("wait=1h", "`wait` must be a number of seconds up to 60"),
        ("event=", "an event glob must be"),
    ] {
        let (status, problem) = fixture.ask("GET", &format!("/v1/events?{query}"), "").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("invalid_range")),
            "{query}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn quarantine_is_listed_and_emptied() {
    let fixture = Fixture::new().await;
    let record = |bytes: &'static [u8]| NewQuarantined {
        door: "kinesis",
        code: "syntax".to_owned(),
        detail: "it is not JSON".to_owned(),
        source: None,
        reach: None,
        event_name: None,
        message_id: None,
        bytes: Bytes::from_static(bytes),
    };
    fixture
        .quarantine
        .put(vec![record(b"{oops"), record(b"\xff\xfe")])
        .await
        .unwrap();
    let listed = fixture.get("/v1/quarantine").await;
    assert_eq!(listed["count"], 2);
    assert_eq!(listed["records"][0]["data"], "{oops");
    assert_eq!(listed["records"][0]["code"], "syntax");
    assert_eq!(listed["records"][1]["data_base64"], "//4=");
    assert_eq!(fixture.get("/v1/balance").await["quarantined"], 2);
    let page = fixture.get("/v1/quarantine?from=1&limit=1").await;
    assert_eq!(
        (&page["records"][0]["offset"], &page["next"]),
        (&json!(1), &json!(2))
    );

    let (_, removed) = fixture.ask("DELETE", "/v1/quarantine", "").await;
    assert_eq!(removed, json!({ "removed": 2 }));
    let left = fixture.get("/v1/quarantine").await;
    assert_eq!((&left["count"], &left["gone"]), (&json!(0), &json!(2)));
}
