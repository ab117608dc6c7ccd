//! The Kinesis door: reading records and listing streams.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_catalog::OperatorEvent;
use easel_log::{Clock, Log, NewRecord};
use easel_testkit::event;
use serde_json::{Value, json};

use crate::doors::{Doors, STREAM};

const SHARD: &str = "shardId-000000000000";

async fn iterator(doors: &Doors, kind: &str, extra: Value) -> Value {
    let mut call = json!({ "StreamName": "s", "ShardId": SHARD, "ShardIteratorType": kind });
    call.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    let answer = doors.kinesis("GetShardIterator", &call).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.json["ShardIterator"].clone()
}

async fn page(doors: &Doors, iterator: Value, limit: u64) -> Value {
    let call = json!({ "ShardIterator": iterator, "Limit": limit });
    let answer = doors.kinesis("GetRecords", &call).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.json
}

/// Returns the numbers of the events of `with_ten` that are on the page.
fn numbers(page: &Value) -> Vec<u64> {
    let all: Vec<_> = (0..10)
        .map(|n| BASE64_STANDARD.encode(event("course_created", n)))
        .collect();
    let number = |record: &Value| {
        all.iter()
            .position(|data| record["Data"] == **data)
            .unwrap()
    };
    let records = page["Records"].as_array().unwrap().iter();
    records
        .map(|record| u64::try_from(number(record)).unwrap())
        .collect()
}

/// Sends ten events in two calls, a minute apart. Returns the answers.
async fn with_ten() -> (Doors, Vec<Value>) {
    let doors = Doors::open();
    let mut taken = Vec::new();
    for part in [0..5, 5..10] {
        let events: Vec<_> = part.map(|n| event("course_created", n)).collect();
        let answer = doors.put_records(&events).await;
        taken.extend(answer.json["Records"].as_array().unwrap().clone());
        doors.clock.advance(Duration::from_mins(1));
    }
    (doors, taken)
}

#[tokio::test]
async fn a_reader_gets_all_records_page_by_page() {
    let (doors, taken) = with_ten().await;
    let mut next = iterator(&doors, "TRIM_HORIZON", json!({})).await;
    let mut seen = Vec::new();
    for (count, behind) in [(4, 120_000), (4, 60_000), (2, 0), (0, 0)] {
        let page = page(&doors, next, 4).await;
        assert_eq!(page["Records"].as_array().unwrap().len(), count);
        assert_eq!(page["MillisBehindLatest"], behind);
        for record in page["Records"].as_array().unwrap() {
            assert_eq!(
                record["SequenceNumber"],
                taken[seen.len()]["SequenceNumber"]
            );
            seen.push(record["Data"].clone());
        }
        next = page["NextShardIterator"].clone();
    }
    let sent = (0..10).map(|n| Value::from(BASE64_STANDARD.encode(event("course_created", n))));
    assert_eq!(seen, sent.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_read_record_has_its_id_as_partition_key_and_its_time() {
    let (doors, _taken) = with_ten().await;
    let page = page(&doors, iterator(&doors, "TRIM_HORIZON", json!({})).await, 1).await;
    let record = &page["Records"][0];
    let id = easel_catalog::event_id(&event("course_created", 0)).to_string();
    assert_eq!(record["PartitionKey"], id);
    assert_eq!(record["ApproximateArrivalTimestamp"], 1_740_988_800.0);
}

#[tokio::test]
async fn a_reader_starts_at_the_requested_position() {
    let (doors, taken) = with_ten().await;
    let third = json!({ "StartingSequenceNumber": taken[2]["SequenceNumber"] });
    let minute = doors.clock.now().as_second() - 60;
    for (kind, extra, wanted) in [
        ("LATEST", json!({}), vec![]),
        ("AT_SEQUENCE_NUMBER", third.clone(), vec![2, 3]),
        ("AFTER_SEQUENCE_NUMBER", third, vec![3, 4]),
        ("AT_TIMESTAMP", json!({ "Timestamp": minute }), vec![5, 6]),
        ("AT_TIMESTAMP", json!({ "Timestamp": 0.5 }), vec![0, 1]),
    ] {
        let page = page(&doors, iterator(&doors, kind, extra).await, 2).await;
        assert_eq!(numbers(&page), wanted, "{kind}");
    }
}

#[tokio::test]
async fn a_reader_at_the_head_gets_the_next_record() {
    let (doors, _taken) = with_ten().await;
    let latest = iterator(&doors, "LATEST", json!({})).await;
    doors.put_records(&[event("course_updated", 1)]).await;
    let page = page(&doors, latest, 10).await;
    assert_eq!(page["Records"].as_array().unwrap().len(), 1);
    assert_eq!(page["MillisBehindLatest"], 0);
}

#[tokio::test]
async fn invalid_reads_are_rejected() {
    let (doors, _taken) = with_ten().await;
    let shard =
        |kind: &str| json!({ "StreamName": "s", "ShardId": SHARD, "ShardIteratorType": kind });
    for (operation, call, name) in [
        (
            "GetRecords",
            json!({ "ShardIterator": "AAAA" }),
            "InvalidArgumentException",
        ),
        (
            "GetRecords",
            json!({ "ShardIterator": "easel-next-0", "Limit": 0 }),
            "ValidationException",
        ),
        (
            "GetRecords",
            json!({ "ShardIterator": "easel-next-0", "Limit": 10_001 }),
            "ValidationException",
        ),
        (
            "GetShardIterator",
            shard("SOMEWHERE"),
            "ValidationException",
        ),
        (
            "GetShardIterator",
            shard("AT_TIMESTAMP"),
            "InvalidArgumentException",
        ),
        (
            "GetShardIterator",
            shard("AT_SEQUENCE_NUMBER"),
            "InvalidArgumentException",
        ),
        (
            "GetShardIterator",
            json!({ "StreamName": "s", "ShardId": "x", "ShardIteratorType": "LATEST" }),
            "ResourceNotFoundException",
        ),
    ] {
        let answer = doors.kinesis(operation, &call).await;
        assert_eq!(answer.status.as_u16(), 400, "{call}");
        assert_eq!(answer.json["__type"], name, "{call}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_an_internal_failure() {
    let (doors, _taken) = with_ten().await;
    doors.log.fail_reads(true);
    let answer = doors
        .kinesis("GetRecords", &json!({ "ShardIterator": "easel-next-0" }))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["__type"]),
        (500, &json!("InternalFailure"))
    );
}

#[tokio::test]
async fn a_page_is_at_most_10_mebibytes() {
    let doors = Doors::open();
    let padding = "x".repeat(900_000);
    for part in [0..6, 6..12] {
        let padded: Vec<String> = part
            .map(|n| {
                let event = String::from_utf8(event("course_created", n).to_vec()).unwrap();
                event.replace(
                    "\"body\":{",
                    &format!("\"body\":{{\"padding\":\"{padding}\","),
                )
            })
            .collect();
        doors.put_records(&padded).await;
    }
    let first = page(
        &doors,
        iterator(&doors, "TRIM_HORIZON", json!({})).await,
        10_000,
    )
    .await;
    assert_eq!(first["Records"].as_array().unwrap().len(), 11);
    let second = page(&doors, first["NextShardIterator"].clone(), 10_000).await;
    assert_eq!(second["Records"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_has_one_open_shard() {
    let doors = Doors::open();
    let stream = json!({ "StreamName": "any" });
    let described = doors.kinesis("DescribeStream", &stream).await.json;
    let description = &described["StreamDescription"];
    assert_eq!(description["StreamStatus"], "ACTIVE");
    assert_eq!(description["StreamName"], "any");
    assert_eq!(
        description["StreamARN"],
        "arn:aws:kinesis:us-east-1:000000000000:stream/any"
    );
    assert_eq!(description["HasMoreShards"], false);
    assert_eq!(description["Shards"][0]["ShardId"], SHARD);

    let summary = doors.kinesis("DescribeStreamSummary", &stream).await.json;
    assert_eq!(summary["StreamDescriptionSummary"]["OpenShardCount"], 1);
    assert_eq!(
        summary["StreamDescriptionSummary"]["StreamStatus"],
        "ACTIVE"
    );

    let shards = doors.kinesis("ListShards", &stream).await.json;
    assert_eq!(shards["Shards"], description["Shards"]);
    let after = json!({ "StreamName": "any", "ExclusiveStartShardId": SHARD });
    assert_eq!(
        doors.kinesis("ListShards", &after).await.json,
        json!({ "Shards": [] })
    );
}

#[tokio::test]
async fn every_shard_filter_except_after_shard_id_matches_the_shard() {
    let doors = Doors::open();
    let count = async |call: Value| {
        let answer = doors.kinesis("ListShards", &call).await;
        assert_eq!(answer.status.as_u16(), 200, "{call}: {answer:?}");
        assert_eq!(answer.json.get("NextToken"), None);
        answer.json["Shards"].as_array().unwrap().len()
    };
    let filtered = async |filter: Value| {
        count(json!({ "StreamName": "s", "MaxResults": 1, "ShardFilter": filter })).await
    };
    for kind in ["AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST"] {
        assert_eq!(filtered(json!({ "Type": kind })).await, 1, "{kind}");
    }
    for kind in ["AT_TIMESTAMP", "FROM_TIMESTAMP"] {
        let filter = json!({ "Type": kind, "Timestamp": 1_459_799_926.48 });
        assert_eq!(filtered(filter).await, 1, "{kind}");
    }
    for (after, wanted) in [
        (SHARD, 0),
        ("shardId-00000000000", 1),
        ("shardId-000000000001", 0),
    ] {
        let filter = json!({ "Type": "AFTER_SHARD_ID", "ShardId": after });
        assert_eq!(filtered(filter).await, wanted, "{after}");
        let start = json!({ "StreamName": "s", "ExclusiveStartShardId": after });
        assert_eq!(count(start).await, wanted, "{after}");
    }
}

#[tokio::test]
async fn streams_are_listed_page_by_page_with_a_token() {
    let doors = Doors::open();
    let names: Vec<String> = (0..250).map(|n| format!("stream-{n:03}")).collect();
    for name in &names {
        let call = json!({ "StreamName": name });
        assert_eq!(
            doors.kinesis("CreateStream", &call).await.status.as_u16(),
            200
        );
    }
    // The token wins over the first name, which clients repeat.
    let first = json!({ "ExclusiveStartStreamName": "stream" });
    for (limit, sizes) in [
        (None, vec![100, 100, 50]),
        (Some(10_000), vec![100, 100, 50]),
        (Some(99), vec![99, 99, 52]),
        (Some(125), vec![100, 100, 50]),
        (Some(50), vec![50; 5]),
    ] {
        let mut call = first.clone();
        call["Limit"] = json!(limit);
        let (mut listed, mut pages) = (Vec::new(), Vec::new());
        loop {
            let page = doors.kinesis("ListStreams", &call).await.json;
            let page_names = page["StreamNames"].as_array().unwrap().clone();
            assert_eq!(
                page["StreamSummaries"].as_array().unwrap().len(),
                page_names.len()
            );
            pages.push(page_names.len());
            listed.extend(page_names);
            assert_eq!(page["HasMoreStreams"], page.get("NextToken").is_some());
            let Some(token) = page.get("NextToken") else {
                break;
            };
            call["NextToken"] = token.clone();
        }
        assert_eq!(pages, sizes, "{limit:?}");
        assert_eq!(json!(listed), json!(names));
    }
}

#[tokio::test]
async fn created_streams_are_listed_in_pages() {
    let doors = Doors::open();
    for name in ["b", "a", "b"] {
        let answer = doors
            .kinesis("CreateStream", &json!({ "StreamName": name }))
            .await;
        assert_eq!(answer.status.as_u16(), 200);
    }
    let first = doors
        .kinesis("ListStreams", &json!({ "Limit": 2 }))
        .await
        .json;
    assert_eq!(first["StreamNames"], json!(["a", "b"]));
    assert_eq!(first["HasMoreStreams"], true);
    let call = json!({ "Limit": 2, "ExclusiveStartStreamName": "b" });
    let rest = doors.kinesis("ListStreams", &call).await.json;
    assert_eq!(rest["StreamNames"], json!([STREAM]));
    assert_eq!(rest["HasMoreStreams"], false);
}

#[tokio::test]
async fn a_reader_gets_no_operator_events() {
    let (doors, _taken) = with_ten().await;
    let own = OperatorEvent::DiskLow {
        free_bytes: 1,
        total_bytes: 2,
        low_below_bytes: 2,
    };
    let own = own.event(doors.clock.now());
    let record = NewRecord::new(own.id, own.event_type, own.bytes);
    doors.log.append(vec![record]).await.unwrap();
    let start = iterator(&doors, "TRIM_HORIZON", json!({})).await;
    let all = page(&doors, start, 100).await;
    assert_eq!(numbers(&all), (0..10).collect::<Vec<_>>());
    let after = page(&doors, all["NextShardIterator"].clone(), 100).await;
    assert_eq!(after["Records"], json!([]));
    doors.put_records(&[event("course_created", 10)]).await;
    let after = page(&doors, after["NextShardIterator"].clone(), 100).await;
    assert_eq!(after["Records"].as_array().unwrap().len(), 1);
}
