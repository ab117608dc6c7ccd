//! The Kinesis door: calls in CBOR, as the AWS SDKs for Java send them.

use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use ciborium::{Value, cbor};
use easel_ingest::IntakeOptions;
use easel_log::Clock;
use easel_testkit::{event, with_attributes_key};
use serde_json::json;

use crate::doors::{Doors, STREAM, check_taken};

pub(crate) const CBOR: &str = "application/x-amz-cbor-1.1";
const SHARD: &str = "shardId-000000000000";

/// The answer to a call in CBOR.
#[derive(Debug)]
struct CborAnswer {
    status: StatusCode,
    error_type: Option<String>,
    members: Value,
}

impl CborAnswer {
    /// Returns a member of the answer. `path` has the names of members and the numbers of elements.
    #[track_caller]
    fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.members, |value, name| match value {
            Value::Array(elements) => &elements[name.parse::<usize>().unwrap()],
            Value::Map(members) => {
                let found = members.iter().find(|(key, _)| key.as_text() == Some(name));
                &found
                    .unwrap_or_else(|| panic!("{name} is not in {value:?}"))
                    .1
            }
            other => panic!("{name} is not in {other:?}"),
        })
    }

    #[track_caller]
    fn text(&self, path: &[&str]) -> &str {
        self.at(path).as_text().unwrap()
    }
}

/// Calls an operation with these bytes.
async fn call_bytes(doors: &Doors, operation: &str, body: Vec<u8>) -> CborAnswer {
    let request = Request::post("/")
        .header("content-type", CBOR)
        .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
        .body(body.into());
    let (head, body) = doors.send_raw(request.unwrap()).await;
    assert_eq!(head.headers["content-type"], CBOR);
    assert_eq!(head.headers["x-amzn-requestid"].len(), 36);
    let error_type = head.headers.get("x-amzn-errortype");
    CborAnswer {
        status: head.status,
        error_type: error_type.map(|name| name.to_str().unwrap().to_owned()),
        members: ciborium::from_reader(&body[..]).unwrap_or(Value::Null),
    }
}

async fn call(doors: &Doors, operation: &str, members: &Value) -> CborAnswer {
    call_bytes(doors, operation, written(members)).await
}

pub(crate) fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// Writes a string, an array or a map with an end mark, as Jackson does.
fn with_end_mark(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[first][..], &parts.concat(), b"\xff"].concat()
}

pub(crate) fn put_records(records: &[&[u8]]) -> Value {
    let records = records.iter().map(|record| {
        cbor!({ "Data" => Value::from(record.to_vec()), "PartitionKey" => "7" }).unwrap()
    });
    let records = Value::Array(records.collect());
    cbor!({ "StreamName" => "live-events", "Records" => records }).unwrap()
}

#[track_caller]
fn check_error(answer: &CborAnswer, status: u16, name: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(answer.error_type.as_deref(), Some(name), "{answer:?}");
    assert_eq!(answer.text(&["__type"]), name);
    assert!(!answer.text(&["message"]).is_empty(), "{answer:?}");
}

#[tokio::test]
async fn records_in_cbor_are_stored_and_quarantined_like_records_in_json() {
    let doors = Doors::open();
    let events = [event("course_created", 0), event("course_created", 1)];
    let first = with_attributes_key(&events[0]);
    let records = [&first[..], b"not JSON", &events[1], b"\xff\x00", b""];
    let answer = call(&doors, "PutRecords", &put_records(&records)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.at(&["FailedRecordCount"]), &Value::from(0));
    assert_eq!(answer.at(&["Records"]).as_array().unwrap().len(), 5);
    assert_eq!(answer.text(&["Records", "4", "ShardId"]), SHARD);
    assert_eq!(doors.stored().await, events);
    let quarantined = doors.quarantined().await;
    let bytes: Vec<&[u8]> = quarantined.iter().map(|record| &record.bytes[..]).collect();
    assert_eq!(bytes, [b"not JSON", &b"\xff\x00"[..], b""]);

    // The same events in JSON are duplicates, with the same sequence numbers.
    let again = doors.put_records(&events).await;
    check_taken(&again, 2);
    for (json, cbor) in ["0", "1"].iter().zip(["0", "2"]) {
        let number = &again.json["Records"][json.parse::<usize>().unwrap()]["SequenceNumber"];
        assert_eq!(number, answer.text(&["Records", cbor, "SequenceNumber"]));
    }
    assert_eq!(doors.stored().await.len(), 2);
}

#[tokio::test]
async fn end_marks_strings_in_parts_and_base64_are_read() {
    let doors = Doors::open();
    let events: Vec<Bytes> = (0..3).map(|n| event("course_created", n)).collect();
    let key = b"\x6cPartitionKey\x617";
    let bytes = |bytes: &[u8]| written(&Value::from(bytes.to_vec()));
    let (start, end) = events[1].split_at(10);
    let base64 = written(&Value::from(BASE64_STANDARD.encode(&events[2])));
    let data = [
        bytes(&events[0]),
        with_end_mark(0x5f, &[&bytes(start), &bytes(end)]),
        base64,
    ];
    let records = data.map(|data| with_end_mark(0xbf, &[b"\x64Data", &data, key]));
    let records = with_end_mark(0x9f, &records.each_ref().map(|record| &record[..]));
    let body = with_end_mark(0xbf, &[b"\x6aStreamName\x61s\x67Records", &records]);
    let answer = call_bytes(&doors, "PutRecords", body).await;
    assert_eq!(answer.at(&["FailedRecordCount"]), &Value::from(0));
    assert_eq!(doors.stored().await, events);
}

#[tokio::test]
async fn put_record_accepts_one_record_in_cbor() {
    let doors = Doors::open();
    let data = Value::from(event("course_created", 0).to_vec());
    let members = cbor!({ "StreamName" => "s", "Data" => data, "PartitionKey" => "7" }).unwrap();
    let answer = call(&doors, "PutRecord", &members).await;
    assert_eq!(answer.text(&["ShardId"]), SHARD, "{answer:?}");
    assert_eq!(answer.text(&["SequenceNumber"]).len(), 21);
    assert_eq!(answer.text(&["EncryptionType"]), "NONE");
    assert_eq!(doors.stored().await, [event("course_created", 0)]);
}

#[tokio::test]
async fn records_are_read_as_byte_strings_with_times_in_milliseconds() {
    let doors = Doors::open();
    doors.put_records(&[event("course_created", 0)]).await;
    let millis = doors.clock.now().as_millisecond();
    let time = Value::Tag(1, Box::new(Value::from(millis)));
    let members = cbor!({
        "StreamName" => "s",
        "ShardId" => SHARD,
        "ShardIteratorType" => "AT_TIMESTAMP",
        "Timestamp" => time.clone(),
    });
    let answer = call(&doors, "GetShardIterator", &members.unwrap()).await;
    let iterator = answer.text(&["ShardIterator"]);
    let members = cbor!({ "ShardIterator" => iterator, "Limit" => 5 }).unwrap();
    let page = call(&doors, "GetRecords", &members).await;
    let data = page.at(&["Records", "0", "Data"]).as_bytes().unwrap();
    assert_eq!(data, &event("course_created", 0));
    assert_eq!(
        page.at(&["Records", "0", "ApproximateArrivalTimestamp"]),
        &time
    );
    assert_eq!(page.text(&["Records", "0", "PartitionKey"]).len(), 36);
    assert_eq!(page.at(&["MillisBehindLatest"]), &Value::from(0));

    // JSON has the same record at the same iterator, and the next iterator works in both formats.
    let json = json!({ "ShardIterator": iterator });
    let json = doors.kinesis("GetRecords", &json).await.json;
    let number = page.text(&["Records", "0", "SequenceNumber"]);
    assert_eq!(json["Records"][0]["SequenceNumber"], number);
    assert_eq!(json["NextShardIterator"], page.text(&["NextShardIterator"]));
    let json = json!({
        "StreamName": "s",
        "ShardId": SHARD,
        "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
        "StartingSequenceNumber": number,
    });
    let after = doors.kinesis("GetShardIterator", &json).await.json;
    assert_eq!(after["ShardIterator"], page.text(&["NextShardIterator"]));
}

#[tokio::test]
async fn the_operations_about_streams_answer_in_cbor() {
    let doors = Doors::open();
    let stream = cbor!({ "StreamName" => STREAM }).unwrap();
    let answer = call(&doors, "CreateStream", &stream).await;
    assert_eq!(answer.status, StatusCode::OK);
    let millis = doors.clock.now().as_millisecond();
    let time = Value::Tag(1, Box::new(Value::from(millis)));
    for (operation, member) in [
        ("DescribeStream", "StreamDescription"),
        ("DescribeStreamSummary", "StreamDescriptionSummary"),
    ] {
        let answer = call(&doors, operation, &stream).await;
        assert_eq!(answer.text(&[member, "StreamStatus"]), "ACTIVE");
        assert_eq!(answer.at(&[member, "StreamCreationTimestamp"]), &time);
        assert_eq!(answer.at(&[member, "HasMoreShards"]), &Value::from(false));
    }
    let answer = call(&doors, "ListShards", &stream).await;
    assert_eq!(answer.text(&["Shards", "0", "ShardId"]), SHARD);
    for body in [&b"\xa0"[..], b"\xbf\xff"] {
        let answer = call_bytes(&doors, "ListStreams", body.to_vec()).await;
        assert_eq!(answer.text(&["StreamNames", "0"]), STREAM);
        let path = ["StreamSummaries", "0", "StreamCreationTimestamp"];
        assert_eq!(answer.at(&path), &time);
        assert_eq!(answer.at(&["HasMoreStreams"]), &Value::from(false));
    }
}

#[tokio::test]
async fn errors_are_in_cbor_and_named_in_a_header() {
    let doors = Doors::open();
    let none = cbor!({}).unwrap();
    let answer = call(&doors, "PutRecords", &none).await;
    check_error(&answer, 400, "ValidationException");
    assert!(
        answer
            .text(&["message"])
            .starts_with("2 validation errors detected: ")
    );
    let answer = call(&doors, "DeleteStream", &none).await;
    check_error(&answer, 400, "UnknownOperationException");
    let members = cbor!({ "ShardIterator" => "x" }).unwrap();
    let answer = call(&doors, "GetRecords", &members).await;
    check_error(&answer, 400, "InvalidArgumentException");
    let members = cbor!({ "StreamName" => "s", "ShardId" => "t", "ShardIteratorType" => "LATEST" });
    let answer = call(&doors, "GetShardIterator", &members.unwrap()).await;
    check_error(&answer, 400, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_cbor() {
    let options = IntakeOptions {
        max_request_bytes: 1_000,
        ..IntakeOptions::default()
    };
    let doors = Doors::with_options(options);
    let answer = call(&doors, "PutRecords", &put_records(&[&[b'x'; 1_000]])).await;
    check_error(&answer, 413, "RequestEntityTooLargeException");
}

#[tokio::test]
async fn invalid_cbor_is_refused_with_its_place_and_stores_nothing() {
    let doors = Doors::open();
    let whole = written(&put_records(&[&event("course_created", 0)]));
    let cut = whole[..whole.len() - 1].to_vec();
    let deep = [&b"\xbf\x61x"[..], &vec![0x9f; 100_000]].concat();
    let twice = b"\xa2\x6aStreamName\x61s\x6aStreamName\x61s".to_vec();
    for (body, place) in [
        (Vec::new(), "at byte 0"),
        (cut, "at byte"),
        (
            [&whole[..], b"\x00"].concat(),
            &*format!("at byte {}", whole.len()),
        ),
        (deep, "nested too deeply at byte 130"),
        (twice, "duplicate field `StreamName` at byte 14"),
        (
            b"\xa1\x67Records\x9b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            "at byte 18",
        ),
        (
            b"\xa1\x67Records\x5b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            "at byte 9",
        ),
        (
            b"\xa1\x6aStreamName\x62\xff\xfe".to_vec(),
            "not UTF-8 at byte 12",
        ),
        (b"{\"StreamName\":\"s\"}".to_vec(), "at byte 0"),
    ] {
        let answer = call_bytes(&doors, "PutRecords", body).await;
        check_error(&answer, 400, "SerializationException");
        let message = answer.text(&["message"]);
        assert!(message.contains(place), "{place} is not in {message}");
    }
    assert!(doors.stored().await.is_empty());
    assert_eq!(doors.quarantine.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_in_cbor_that_the_log_did_not_store_has_its_own_error() {
    let doors = Doors::open();
    doors.log.fail_appends(true);
    let records = [&event("course_created", 0)[..], b"7"];
    let answer = call(&doors, "PutRecords", &put_records(&records)).await;
    assert_eq!(answer.at(&["FailedRecordCount"]), &Value::from(1));
    assert_eq!(
        answer.text(&["Records", "0", "ErrorCode"]),
        "InternalFailure"
    );
    assert_eq!(answer.text(&["Records", "1", "ShardId"]), SHARD);
}
