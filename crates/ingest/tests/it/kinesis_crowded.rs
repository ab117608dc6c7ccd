//! The Kinesis door: calls without room in the memory budget.

use std::io;
use std::time::Duration;

use async_compression::tokio::bufread::ZstdEncoder;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, StatusCode};
use bytes::Bytes;
use easel_access::Authorizer;
use easel_ingest::{IntakeOptions, KinesisAuth};
use easel_testkit::event;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::doors::{Answer, Doors, check_error, check_taken, cramped, put_records, slow_body};
use crate::kinesis_cbor;
use crate::kinesis_signing::{GOLDEN, SECRET, captured, golden_time, keys};

/// Creates doors with room for one zstd decoder and its output, and for nothing else.
fn narrow(auth: KinesisAuth) -> Doors {
    let options = IntakeOptions {
        max_request_bytes: 10_000,
        max_in_flight_bytes: 0,
        ..IntakeOptions::default()
    };
    Doors::with(options, Authorizer::without_tokens(), auth)
}

/// Fills the room of `narrow` doors for a multiple of ten seconds. Notifies `crowded` when it is full.
async fn crowd(doors: &Doors, tens_of_seconds: u64, crowded: oneshot::Sender<()>) {
    let mut blank = Vec::new();
    ZstdEncoder::new(&b" "[..])
        .read_to_end(&mut blank)
        .await
        .unwrap();
    // The door reads the body only after it has reserved the room.
    let notify = stream::once(async { crowded.send(()).map(|()| Bytes::new()).unwrap() });
    let slowly = stream::iter(0..tens_of_seconds).then(move |_| {
        let blank = blank.clone();
        async {
            sleep(Duration::from_secs(10)).await;
            Bytes::from(blank)
        }
    });
    let request = Request::post("/v1/events")
        .header("content-encoding", "zstd")
        .body(Body::from_stream(
            notify.chain(slowly).map(Ok::<_, io::Error>),
        ));
    let answer = doors.send(request.unwrap()).await;
    assert_eq!(answer.json["code"], "body_empty");
}

/// Sends a request while there is no room. Returns the answer and its delay in seconds.
async fn send_late(doors: &Doors, tens_of_seconds: u64, request: Request<Body>) -> (Answer, u64) {
    let (sender, crowded) = oneshot::channel();
    let late = async {
        crowded.await.unwrap();
        let start = Instant::now();
        let answer = doors.send(request).await;
        (answer, start.elapsed().as_secs())
    };
    tokio::join!(crowd(doors, tens_of_seconds, sender), late).1
}

fn call(operation: &str, body: impl Into<Body>) -> Request<Body> {
    let request =
        Request::post("/").header("x-amz-target", format!("Kinesis_20131202.{operation}"));
    request.body(body.into()).unwrap()
}

fn put_two() -> Value {
    put_records(&[&event("course_created", 0)[..], b"7"])
}

/// Checks that all records have an error and that no record is stored.
async fn check_failed(doors: &Doors, answer: &Answer, count: usize) {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json["FailedRecordCount"], count);
    let records = answer.json["Records"].as_array().unwrap();
    assert_eq!(records.len(), count);
    for record in records {
        assert_eq!(record["ErrorCode"], "InternalFailure");
        assert!(record["ErrorMessage"].is_string(), "{record}");
    }
    check_nothing_stored(doors).await;
}

async fn check_nothing_stored(doors: &Doors) {
    assert!(doors.stored().await.is_empty());
    assert_eq!(doors.quarantine.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_room_waits_until_there_is_room() {
    let doors = narrow(KinesisAuth::Open);
    let request = call("PutRecords", put_two().to_string());
    let (answer, seconds) = send_late(&doors, 1, request).await;
    check_taken(&answer, 2);
    assert_eq!(seconds, 10);
}

#[tokio::test(start_paused = true)]
async fn every_record_of_a_call_that_finds_no_room_in_time_is_an_internal_failure() {
    let doors = narrow(KinesisAuth::Open);
    let request = call("PutRecords", put_two().to_string());
    let (answer, seconds) = send_late(&doors, 3, request).await;
    check_failed(&doors, &answer, 2).await;
    assert_eq!(seconds, 20);
}

#[tokio::test(start_paused = true)]
async fn every_record_of_a_call_without_room_to_parse_it_is_an_internal_failure() {
    const COUNT: usize = 500;
    let doors = Doors::with_options(cramped());
    let body = format!(
        r#"{{"StreamName":"s","Records":[{}]}}"#,
        vec![r#"{"Data":"","PartitionKey":""}"#; COUNT].join(",")
    );
    // The first body takes shared room. The second takes the rest except 16 KiB, and the reserve.
    let (first, first_read) = slow_body(4);
    let (second, second_read) = slow_body(4);
    let lines = "application/x-ndjson";
    let late = async {
        second_read.await.unwrap();
        let start = Instant::now();
        let answer = doors.send(call("PutRecords", body)).await;
        (answer, start.elapsed().as_secs())
    };
    let second = async {
        first_read.await.unwrap();
        doors.native(lines, second).await
    };
    let (_, _, (answer, seconds)) = tokio::join!(doors.native(lines, first), second, late);
    check_failed(&doors, &answer, COUNT).await;
    assert_eq!(seconds, 20);
}

#[tokio::test(start_paused = true)]
async fn a_single_record_that_finds_no_room_is_an_internal_failure() {
    let doors = narrow(KinesisAuth::Open);
    let request = call(
        "PutRecord",
        json!({ "StreamName": "s", "Data": "" }).to_string(),
    );
    let (answer, _seconds) = send_late(&doors, 3, request).await;
    check_error(&answer, 500, "InternalFailure");
    check_nothing_stored(&doors).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_without_records_and_without_room_is_service_unavailable() {
    for (operation, body) in [
        ("PutRecords", json!({ "StreamName": "s", "Records": [] })),
        ("PutRecords", json!([{ "Records": [7] }])),
        ("ListStreams", json!({})),
    ] {
        let doors = narrow(KinesisAuth::Open);
        let (answer, _seconds) = send_late(&doors, 3, call(operation, body.to_string())).await;
        check_error(&answer, 503, "ServiceUnavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_who_finds_no_room_and_pauses_gets_a_timeout() {
    let doors = narrow(KinesisAuth::Open);
    let silent = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
    let (answer, seconds) = send_late(&doors, 5, call("PutRecords", silent)).await;
    check_error(&answer, 408, "RequestTimeoutException");
    assert_eq!(seconds, 40);
}

#[tokio::test(start_paused = true)]
async fn every_record_of_a_signed_call_without_room_is_an_internal_failure() {
    let doors = narrow(keys(SECRET));
    doors.clock.set(golden_time());
    let (answer, _seconds) = send_late(&doors, 3, captured(GOLDEN)).await;
    check_failed(&doors, &answer, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_signature_is_rejected_even_without_room() {
    let single = GOLDEN.replace("Kinesis_20131202.PutRecords", "Kinesis_20131202.PutRecord");
    for request in [GOLDEN, &single] {
        let doors = narrow(keys("another"));
        doors.clock.set(golden_time());
        let (answer, _seconds) = send_late(&doors, 3, captured(request)).await;
        check_error(&answer, 400, "InvalidSignatureException");
        check_nothing_stored(&doors).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_record_of_a_call_in_cbor_without_room_is_an_internal_failure() {
    let doors = narrow(KinesisAuth::Open);
    let put = kinesis_cbor::put_records(&[&event("course_created", 0), b"7"]);
    let mut request = call("PutRecords", kinesis_cbor::written(&put));
    let content_type = HeaderValue::from_static(kinesis_cbor::CBOR);
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    let (sender, crowded) = oneshot::channel();
    let late = async {
        crowded.await.unwrap();
        doors.send_raw(request).await
    };
    let ((), (head, body)) = tokio::join!(crowd(&doors, 3, sender), late);
    assert_eq!(head.headers[CONTENT_TYPE], kinesis_cbor::CBOR);
    let answer = Answer {
        status: head.status,
        headers: head.headers,
        json: ciborium::from_reader(&body[..]).unwrap(),
    };
    check_failed(&doors, &answer, 2).await;
}
