//! The native door.

use std::sync::Arc;

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use easel_access::{Authorizer, Scope, Tokens};
use easel_ingest::{IntakeOptions, KinesisAuth};
use easel_log::Log;
use easel_testkit::{event, with_attributes_key};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::doors::{Answer, CRAMPED_BYTES, Doors, cramped, slow_body, unsized_body};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

fn lines(events: &[Bytes]) -> String {
    let lines: Vec<_> = events
        .iter()
        .map(|event| std::str::from_utf8(event).unwrap())
        .collect();
    lines.join("\n")
}

fn events(count: u64) -> Vec<Bytes> {
    (0..count).map(|n| event("course_created", n)).collect()
}

#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (status, &json!(code)),
        "{answer:?}"
    );
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn the_answer_has_the_id_and_the_offset_of_an_accepted_event() {
    let doors = Doors::open();
    let event = event("course_created", 1);
    let answer = doors.native(JSON, event.clone()).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let id = easel_catalog::event_id(&event).to_string();
    let results = json!([{ "status": "accepted", "id": id, "offset": 0 }]);
    let wanted = json!({ "accepted": 1, "duplicates": 0, "rejected": 0, "results": results });
    assert_eq!(answer.json, wanted);
    assert_eq!(doors.stored().await, [event]);
}

#[tokio::test]
async fn attributes_are_stored_as_metadata() {
    let doors = Doors::open();
    let event = event("course_created", 1);
    doors.native(JSON, with_attributes_key(&event)).await;
    assert_eq!(doors.stored().await, [event]);
}

#[tokio::test]
async fn the_events_of_an_array_and_of_lines_are_stored_in_order() {
    for (content_type, body) in [
        (
            JSON,
            format!("[{}]", lines(&events(10)).replace('\n', ", \n")),
        ),
        (NDJSON, lines(&events(10))),
        (NDJSON, lines(&events(10)).replace('\n', "\r\n\r\n") + "\n"),
    ] {
        let doors = Doors::open();
        let answer = doors.native(content_type, body).await;
        assert_eq!(answer.json["accepted"], 10, "{content_type}");
        assert_eq!(doors.stored().await, events(10), "{content_type}");
    }
}

#[tokio::test]
async fn an_event_sent_again_is_a_duplicate_at_the_same_offset() {
    let doors = Doors::open();
    doors.native(NDJSON, lines(&events(3))).await;
    let answer = doors.native(JSON, event("course_created", 1)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json["duplicates"], 1);
    assert_eq!(answer.json["results"][0]["status"], "duplicate");
    assert_eq!(answer.json["results"][0]["offset"], 1);
    assert_eq!(doors.stored().await.len(), 3);
}

#[tokio::test]
async fn a_rejected_event_has_its_place_in_the_answer_and_does_not_affect_others() {
    let doors = Doors::open();
    let body = format!(
        "{}\n{{\"metadata\": 7}}\n{}",
        lines(&events(1)),
        lines(&events(2)[1..])
    );
    let answer = doors.native(NDJSON, body).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json["accepted"], 2);
    assert_eq!(answer.json["rejected"], 1);
    let rejected = &answer.json["results"][1];
    assert_eq!(rejected["status"], "rejected");
    assert_eq!(rejected["code"], "metadata_not_object");
    assert_eq!(rejected["at"]["line"], 2);
    assert_eq!(rejected["at"]["column"], 14);
    assert_eq!(rejected["at"]["path"], "/metadata");
    assert!(
        rejected["detail"]
            .as_str()
            .unwrap()
            .contains("line 2, column 14"),
        "{rejected}"
    );
    assert_eq!(doors.stored().await, events(2));
    assert_eq!(doors.quarantine.count(), 0);
}

#[tokio::test]
async fn a_request_with_only_invalid_events_is_rejected_with_the_results() {
    for (content_type, body, count) in [
        (JSON, "{\"metadata\": 7}", 1),
        (JSON, "[1, {\"metadata\": 7}]", 2),
        (NDJSON, "\n1\n2\n3", 3),
    ] {
        let doors = Doors::open();
        let answer = doors.native(content_type, body).await;
        check_problem(&answer, 422, "nothing_stored");
        assert_eq!(answer.json["type"], "urn:easel:problem:nothing_stored");
        assert_eq!(answer.json["status"], 422);
        assert_eq!(answer.json["accepted"], 0);
        assert_eq!(answer.json["rejected"], count);
        let results = answer.json["results"].as_array().unwrap();
        assert_eq!(results.len(), count);
        assert_eq!(results[0]["status"], "rejected");
        assert!(results[0]["at"]["line"].is_u64(), "{answer:?}");
        assert!(doors.stored().await.is_empty());
    }
}

#[tokio::test]
async fn a_request_with_duplicates_and_rejected_events_is_accepted() {
    let doors = Doors::open();
    doors.native(NDJSON, lines(&events(1))).await;
    let answer = doors.native(NDJSON, lines(&events(1)) + "\n7").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json["duplicates"], 1);
    assert_eq!(answer.json["rejected"], 1);
}

#[tokio::test]
async fn an_array_without_events_is_empty() {
    check_problem(&Doors::open().native(JSON, "[]").await, 400, "body_empty");
}

#[tokio::test]
async fn a_jwt_is_rejected_with_its_own_code_at_both_doors() {
    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJib2R5Ijp7fX0.c2lnbmF0dXJl-_";
    for path in ["/v1/events", "/v1/changes"] {
        for body in [JWT.to_owned(), format!("\"{JWT}\"")] {
            let request = Request::post(path).header("content-type", JSON);
            let answer = Doors::open().send(request.body(body.into()).unwrap()).await;
            check_problem(&answer, 415, "body_is_jwt");
            let detail = answer.json["detail"].as_str().unwrap();
            assert!(detail.contains("`/v1/hooks/{source}`"), "{detail}");
        }
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_the_error_for_utf16_names_it() {
    for (content_type, count) in [(JSON, 1), (NDJSON, 3)] {
        let doors = Doors::open();
        let answer = doors
            .native(content_type, format!("\u{feff}{}", lines(&events(count))))
            .await;
        assert_eq!(answer.json["accepted"], count, "{answer:?}");
        assert_eq!(doors.stored().await, events(count));
    }
    let utf16 = lines(&events(1))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect::<Vec<_>>();
    let answer = Doors::open().native(NDJSON, utf16).await;
    check_problem(&answer, 400, "body_not_utf8");
    assert!(
        answer.json["detail"].as_str().unwrap().contains("UTF-16"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn pretty_printed_and_minified_events_are_stored_minified() {
    let doors = Doors::open();
    let all: Vec<_> = (0..30)
        .map(|n| {
            let metadata =
                json!({ "event_name": "logged_in", "event_time": "2025-03-03T08:00:00Z" });
            json!({ "metadata": metadata, "body": { "n": n, "text": "a b: c" } })
        })
        .collect();
    let parts: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(n, event)| match n % 3 {
            0 => format!("{event:#}"),
            1 => event.to_string().replace("metadata", "attributes"),
            _ => event.to_string(),
        })
        .collect();
    let answer = doors.native(JSON, format!("[{}]", parts.join(" , "))).await;
    assert_eq!(answer.json["accepted"], 30, "{answer:?}");
    let all: Vec<_> = all.iter().map(Value::to_string).collect();
    assert_eq!(doors.stored().await, all);
}

#[tokio::test]
async fn nothing_of_a_broken_array_is_stored() {
    let doors = Doors::open();
    let answer = doors
        .native(JSON, format!("[{}, {{\"a\": ]", lines(&events(1))))
        .await;
    check_problem(&answer, 400, "bad_array");
    assert_eq!(answer.json["fault"], "syntax");
    assert_eq!(answer.json["at"]["line"], 1);
    assert!(doors.stored().await.is_empty());
}

#[tokio::test]
async fn an_empty_body_is_refused() {
    check_problem(&Doors::open().native(JSON, "").await, 400, "body_empty");
    check_problem(&Doors::open().native(NDJSON, "\n").await, 400, "body_empty");
}

#[tokio::test]
async fn an_unknown_type_or_coding_is_refused() {
    let doors = Doors::open();
    check_problem(
        &doors.native("text/csv", "a,b").await,
        415,
        "unsupported_type",
    );
    let request = Request::post("/v1/events").header("content-encoding", "br");
    let answer = doors.send(request.body("{}".into()).unwrap()).await;
    check_problem(&answer, 415, "unsupported_encoding");
}

async fn send_compressed(doors: &Doors, coding: &str, body: Vec<u8>) -> Answer {
    let request = Request::post("/v1/events")
        .header("content-type", NDJSON)
        .header("content-encoding", coding)
        .body(body.into());
    doors.send(request.unwrap()).await
}

#[tokio::test]
async fn a_compressed_body_has_the_same_events() {
    let text = lines(&events(500));
    let (mut gzip, mut zstd) = (Vec::new(), Vec::new());
    GzipEncoder::new(text.as_bytes())
        .read_to_end(&mut gzip)
        .await
        .unwrap();
    ZstdEncoder::new(text.as_bytes())
        .read_to_end(&mut zstd)
        .await
        .unwrap();
    for (coding, body) in [("gzip", gzip), ("zstd", zstd)] {
        let doors = Doors::open();
        let answer = send_compressed(&doors, coding, body).await;
        assert_eq!(answer.json["accepted"], 500, "{coding}");
        assert_eq!(doors.stored().await, events(500), "{coding}");
    }
}

#[tokio::test]
async fn a_broken_compressed_body_is_refused() {
    let answer = send_compressed(&Doors::open(), "gzip", b"not gzip".to_vec()).await;
    check_problem(&answer, 400, "body_broken");
}

#[tokio::test]
async fn a_body_above_the_limit_is_rejected_uncompressed_or_compressed() {
    let small = IntakeOptions {
        max_request_bytes: 100_000,
        ..IntakeOptions::default()
    };
    let doors = Doors::with_options(small);
    let body = vec![b' '; 100_001];
    let mut gzip = Vec::new();
    GzipEncoder::new(&body[..])
        .read_to_end(&mut gzip)
        .await
        .unwrap();

    check_problem(
        &send_compressed(&doors, "gzip", gzip).await,
        413,
        "body_too_large",
    );
    let answer = doors.native(JSON, unsized_body(body.clone().into())).await;
    check_problem(&answer, 413, "body_too_large");
    let answer = doors.native(JSON, body).await;
    check_problem(&answer, 413, "body_too_large");
    assert_eq!(answer.json["max_bytes"], 100_000);
}

#[tokio::test(start_paused = true)]
async fn the_answer_has_retry_after_if_the_log_fails() {
    let doors = Doors::open();
    doors.log.fail_appends(true);
    let answer = doors.native(JSON, event("course_created", 1)).await;
    check_problem(&answer, 503, "log_unavailable");
    assert!(answer.headers.contains_key("retry-after"));

    doors.log.fail_appends(false);
    assert!(doors.stored().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_busy_log_and_then_fails() {
    let doors = Doors::open();
    doors.log.hold_appends(true);
    let start = tokio::time::Instant::now();
    let answer = doors.native(JSON, event("course_created", 1)).await;
    check_problem(&answer, 503, "overloaded");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(start.elapsed(), IntakeOptions::default().max_wait);
}

/// Returns the answer to a request while another one takes all room for a multiple of ten seconds.
async fn with_no_room(tens_of_seconds: u64) -> Answer {
    let doors = Doors::with_options(cramped());
    let body = lines(&events(1)) + "\n" + &" ".repeat(CRAMPED_BYTES - 10_000);
    let (slow, read) = slow_body(tens_of_seconds);
    let late = async {
        read.await.unwrap();
        doors.native(NDJSON, body).await
    };
    tokio::join!(doors.native(NDJSON, slow), late).1
}

#[tokio::test(start_paused = true)]
async fn a_request_without_room_waits_until_there_is_room() {
    assert_eq!(with_no_room(1).await.json["accepted"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_finds_no_room_in_time_is_rejected() {
    let answer = with_no_room(3).await;
    check_problem(&answer, 503, "overloaded");
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn a_sender_who_pauses_gets_a_timeout() {
    let body = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let answer = Doors::open().native(JSON, Body::from_stream(body)).await;
    check_problem(&answer, 408, "body_stalled");
}

#[tokio::test]
async fn a_token_needs_the_scope_ingest() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Arc::new(Tokens::open(&folder.path().join("access.db")).unwrap());
    let authorizer = Authorizer::new(Arc::clone(&tokens));
    let doors = Doors::with(IntakeOptions::default(), authorizer, KinesisAuth::Open);
    let request = |authorization: String| {
        let request = Request::post("/v1/events").header("authorization", authorization);
        request.body(event("course_created", 1).into()).unwrap()
    };

    check_problem(&doors.native(JSON, "{}").await, 401, "token_missing");
    for (scope, status) in [(Scope::Read, 403), (Scope::Ingest, 202)] {
        let scopes = [scope].into_iter().collect();
        let (_token, secret) = tokens
            .create("test", scopes, Timestamp::UNIX_EPOCH)
            .unwrap();
        let answer = doors
            .send(request(format!("Bearer {}", secret.expose())))
            .await;
        assert_eq!(answer.status.as_u16(), status, "{scope}");
    }
}

#[tokio::test]
async fn an_accepted_event_is_at_the_offset_in_the_answer() {
    let doors = Doors::open();
    let body = format!("{}\n7\n{}", lines(&events(5)), lines(&events(8)));
    let answer = doors.native(NDJSON, body).await;
    let results = answer.json["results"].as_array().unwrap();
    assert_eq!(results.len(), 14);
    let stored = doors.stored().await;
    for result in results
        .iter()
        .filter(|result| result["status"] != "rejected")
    {
        let offset = usize::try_from(result["offset"].as_u64().unwrap()).unwrap();
        let id: Value = easel_catalog::event_id(&stored[offset]).to_string().into();
        assert_eq!(result["id"], id);
    }
    assert_eq!(doors.log.bounds().borrow().head.get(), 8);
}
