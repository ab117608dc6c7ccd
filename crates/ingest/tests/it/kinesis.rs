//! The Kinesis door: sending records.

use std::time::Duration;

use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use easel_ingest::IntakeOptions;
use easel_testkit::{event, with_attributes_key};
use serde_json::{Value, json};

use crate::doors::{Doors, STREAM, check_error, check_taken, put_records};

fn events(count: u64) -> Vec<Bytes> {
    (0..count).map(|n| event("course_created", n)).collect()
}

#[tokio::test]
async fn records_are_stored_in_order_with_metadata_instead_of_attributes() {
    let doors = Doors::open();
    let sent: Vec<_> = events(20)
        .iter()
        .map(|event| with_attributes_key(event))
        .collect();
    check_taken(&doors.put_records(&sent).await, 20);
    assert_eq!(doors.stored().await, events(20));
}

#[tokio::test]
async fn put_record_accepts_one_record() {
    let doors = Doors::open();
    let data = BASE64_STANDARD.encode(event("course_created", 0));
    let call = json!({ "StreamName": "live-events", "Data": data, "PartitionKey": "7" });
    let answer = doors.kinesis("PutRecord", &call).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json["ShardId"], "shardId-000000000000");
    assert!(answer.json["SequenceNumber"].is_string());
    assert_eq!(doors.stored().await, events(1));
}

#[tokio::test]
async fn one_call_accepts_5000_small_records() {
    let doors = Doors::open();
    check_taken(&doors.put_records(&events(5_000)).await, 5_000);
    assert_eq!(doors.stored().await.len(), 5_000);
}

#[tokio::test]
async fn a_record_of_7_mebibytes_is_accepted_into_quarantine() {
    let doors = Doors::open();
    let large = vec![b'x'; 7 * 1024 * 1024];
    check_taken(&doors.put_records(&[&large]).await, 1);
    let quarantined = doors.quarantined().await;
    assert_eq!(quarantined[0].code, "too_large");
    assert_eq!(quarantined[0].bytes, large);
    assert!(doors.stored().await.is_empty());
}

#[tokio::test]
async fn one_call_accepts_seven_mebibytes_of_events() {
    let doors = Doors::open();
    let padding = "x".repeat(1_000_000);
    let padded: Vec<String> = (0..7)
        .map(|n| {
            let event = String::from_utf8(event("course_created", n).to_vec()).unwrap();
            event.replace(
                "\"body\":{",
                &format!("\"body\":{{\"padding\":\"{padding}\","),
            )
        })
        .collect();
    check_taken(&doors.put_records(&padded).await, 7);
    assert_eq!(doors.stored().await, padded);
}

#[tokio::test]
async fn a_record_that_is_not_an_event_is_accepted_into_quarantine() {
    let doors = Doors::open();
    let records = [
        &b"not JSON"[..],
        &event("course_created", 0),
        b"\xff\x00",
        b"",
    ];
    let answer = doors.put_records(&records).await;
    check_taken(&answer, 4);
    assert_eq!(doors.stored().await, events(1));

    let quarantined = doors.quarantined().await;
    let bytes: Vec<&[u8]> = quarantined.iter().map(|record| &record.bytes[..]).collect();
    assert_eq!(bytes, [b"not JSON", &b"\xff\x00"[..], b""]);
    assert!(
        quarantined
            .iter()
            .all(|record| &*record.door == "kinesis" && !record.detail.is_empty())
    );
    assert_eq!(doors.quarantine.count(), 3);
}

#[tokio::test]
async fn the_number_of_a_quarantined_record_is_not_the_number_of_an_event() {
    let doors = Doors::open();
    let answer = doors
        .put_records(&[&b"7"[..], &event("course_created", 0)])
        .await;
    let number = |at: usize| {
        answer.json["Records"][at]["SequenceNumber"]
            .as_str()
            .unwrap()
    };
    assert_ne!(number(0), number(1));
    let call = json!({
        "StreamName": "live-events",
        "ShardId": "shardId-000000000000",
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": number(0),
    });
    let answer = doors.kinesis("GetShardIterator", &call).await;
    check_error(&answer, 400, "InvalidArgumentException");
}

#[tokio::test]
async fn a_record_in_invalid_base64_is_quarantined_unchanged() {
    let doors = Doors::open();
    let mut call = put_records(&events(1));
    call["Records"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "Data": "?!", "PartitionKey": "7" }));
    check_taken(&doors.kinesis("PutRecords", &call).await, 2);
    let quarantined = doors.quarantined().await;
    assert_eq!(
        (quarantined[0].code.as_str(), &quarantined[0].bytes[..]),
        ("bad_base64", &b"?!"[..])
    );
}

#[tokio::test]
async fn a_record_sent_twice_is_accepted_twice_and_stored_once() {
    let doors = Doors::open();
    let first = doors.put_records(&events(1)).await;
    let second = doors.put_records(&events(1)).await;
    check_taken(&second, 1);
    assert_eq!(first.json["Records"], second.json["Records"]);
    assert_eq!(doors.stored().await.len(), 1);
}

#[tokio::test]
async fn any_valid_stream_name_leads_to_the_one_log() {
    let doors = Doors::open();
    for (n, stream) in [(0, "live-events"), (1, "live_evnets.2"), (2, "x")] {
        let mut call = put_records(&[event("course_created", n)]);
        call["StreamName"] = json!(stream);
        check_taken(&doors.kinesis("PutRecords", &call).await, 1);
    }
    let mut call = put_records(&[event("course_created", 3)]);
    call["StreamName"] = Value::Null;
    call["StreamARN"] = json!("arn:aws:kinesis:eu-north-1:123456789012:stream/by-arn");
    check_taken(&doors.kinesis("PutRecords", &call).await, 1);
    assert_eq!(doors.stored().await, events(4));

    let names = doors.kinesis("ListStreams", &json!({})).await.json["StreamNames"].clone();
    assert_eq!(
        names,
        json!(["by-arn", "live-events", "live_evnets.2", STREAM, "x"])
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_the_log_did_not_store_has_its_own_error() {
    let doors = Doors::open();
    doors.log.fail_appends(true);
    let answer = doors
        .put_records(&[&event("course_created", 0)[..], b"7"])
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json["FailedRecordCount"], 1);
    assert_eq!(answer.json["Records"][0]["ErrorCode"], "InternalFailure");
    assert!(answer.json["Records"][0]["ErrorMessage"].is_string());
    // A record without an error is stored, here in quarantine.
    assert!(answer.json["Records"][1]["SequenceNumber"].is_string());
    assert_eq!(doors.quarantine.count(), 1);

    doors.log.fail_appends(false);
    assert!(doors.stored().await.is_empty());
    check_taken(&doors.put_records(&events(1)).await, 1);
    assert_eq!(doors.stored().await, events(1));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_quarantine_did_not_store_has_its_own_error() {
    let doors = Doors::open();
    doors.quarantine_log.fail_appends(true);
    let answer = doors
        .put_records(&[b"7", &event("course_created", 0)[..]])
        .await;
    assert_eq!(answer.json["FailedRecordCount"], 1);
    assert_eq!(answer.json["Records"][0]["ErrorCode"], "InternalFailure");
    assert!(answer.json["Records"][1]["SequenceNumber"].is_string());
    assert_eq!(doors.stored().await, events(1));
}

#[tokio::test(start_paused = true)]
async fn put_record_fails_with_internal_failure_if_the_log_fails() {
    let doors = Doors::open();
    doors.log.fail_appends(true);
    let data = BASE64_STANDARD.encode(event("course_created", 0));
    let call = json!({ "StreamName": "live-events", "Data": data, "PartitionKey": "7" });
    check_error(
        &doors.kinesis("PutRecord", &call).await,
        500,
        "InternalFailure",
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_while_the_log_is_busy() {
    let doors = Doors::open();
    doors.log.hold_appends(true);
    let batch = events(10);
    let (answer, ()) = tokio::join!(doors.put_records(&batch), async {
        doors.log.wait_for_held(1).await;
        tokio::time::sleep(Duration::from_secs(19)).await;
        doors.log.hold_appends(false);
    });
    check_taken(&answer, 10);
    assert_eq!(doors.stored().await, events(10));
}

#[tokio::test(start_paused = true)]
async fn a_log_busy_for_too_long_is_an_internal_failure_of_every_record() {
    let doors = Doors::open();
    doors.log.hold_appends(true);
    let answer = doors.put_records(&events(10)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json["FailedRecordCount"], 10);
}

#[tokio::test]
async fn invalid_calls_are_rejected_with_the_error_names_of_aws() {
    let doors = Doors::open();
    let check = async |operation: &str, call: Value, name: &str| {
        check_error(&doors.kinesis(operation, &call).await, 400, name);
    };
    check(
        "PutRecords",
        json!({ "StreamName": "s", "Records": [] }),
        "ValidationException",
    )
    .await;
    check(
        "PutRecords",
        json!({ "StreamName": "s" }),
        "ValidationException",
    )
    .await;
    check(
        "PutRecords",
        json!({ "StreamName": "s t" }),
        "ValidationException",
    )
    .await;
    check(
        "PutRecords",
        json!({ "StreamName": 7 }),
        "SerializationException",
    )
    .await;
    check(
        "PutRecords",
        json!({ "Records": [] }),
        "ValidationException",
    )
    .await;
    check(
        "DescribeStream",
        json!({ "StreamARN": "arn:nothing" }),
        "ValidationException",
    )
    .await;
    check("PutRecords", json!("text"), "SerializationException").await;
    check(
        "DeleteStream",
        json!({ "StreamName": "s" }),
        "UnknownOperationException",
    )
    .await;
    assert!(doors.stored().await.is_empty());
}

#[tokio::test]
async fn a_request_without_a_target_is_rejected() {
    let answer = Doors::open()
        .send(Request::post("/").body("{}".into()).unwrap())
        .await;
    check_error(&answer, 400, "UnknownOperationException");
}

#[tokio::test]
async fn a_body_above_the_limit_is_rejected() {
    let options = IntakeOptions {
        max_request_bytes: 1_000,
        ..IntakeOptions::default()
    };
    let answer = Doors::with_options(options)
        .put_records(&[[b'x'; 1_000]])
        .await;
    check_error(&answer, 413, "RequestEntityTooLargeException");
}
