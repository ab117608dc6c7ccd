//! Calls of the Kinesis protocol with missing or invalid members.
//!
//! The rules are those of the API reference of Amazon Kinesis Data Streams.

use serde_json::{Value, json};

use crate::doors::{Doors, check_error};

const SHARD: &str = "shardId-000000000000";

/// Returns a call of each operation with all required members.
fn complete_calls() -> Vec<(&'static str, Value)> {
    vec![
        (
            "PutRecord",
            json!({ "StreamName": "s", "Data": "", "PartitionKey": "k" }),
        ),
        (
            "PutRecords",
            json!({ "StreamName": "s", "Records": [{ "Data": "Nw==", "PartitionKey": "k" }] }),
        ),
        ("GetRecords", json!({ "ShardIterator": "easel-next-0" })),
        (
            "GetShardIterator",
            json!({ "StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "LATEST" }),
        ),
        ("CreateStream", json!({ "StreamName": "s" })),
        ("DescribeStream", json!({ "StreamName": "s" })),
        ("DescribeStreamSummary", json!({ "StreamName": "s" })),
        ("ListShards", json!({ "StreamName": "s" })),
    ]
}

async fn refused(doors: &Doors, operation: &str, call: &Value, name: &str) -> String {
    let answer = doors.kinesis(operation, call).await;
    check_error(&answer, 400, name);
    answer.json["message"].as_str().unwrap().to_owned()
}

/// Returns the name of a member in messages.
fn shown(member: &str) -> String {
    let (first, rest) = member.split_at(1);
    first.to_lowercase() + rest
}

#[tokio::test]
async fn every_required_member_is_required_and_named() {
    let doors = Doors::open();
    for (operation, whole) in complete_calls() {
        let answer = doors.kinesis(operation, &whole).await;
        assert_eq!(answer.status.as_u16(), 200, "{operation}: {answer:?}");
        for member in whole.as_object().unwrap().keys() {
            for is_null in [false, true] {
                let mut call = whole.clone();
                if is_null {
                    call[member] = Value::Null;
                } else {
                    call.as_object_mut().unwrap().remove(member);
                }
                let message = refused(&doors, operation, &call, "ValidationException").await;
                let wanted = format!("Value null at '{}' failed", shown(member));
                assert!(message.contains(&wanted), "{operation}: {message}");
                assert!(
                    message.starts_with("1 validation error detected: "),
                    "{message}"
                );
            }
        }
        // The message names all missing members.
        let count = whole.as_object().unwrap().len();
        let message = refused(&doors, operation, &json!({}), "ValidationException").await;
        let errors = if count == 1 { "error" } else { "errors" };
        let wanted = format!("{count} validation {errors} detected: ");
        assert!(message.starts_with(&wanted), "{operation}: {message}");
    }
    assert_eq!(doors.quarantine.count(), 2, "only those of complete calls");
}

#[tokio::test]
async fn a_record_without_a_required_member_is_named_by_its_number() {
    let doors = Doors::open();
    let whole = json!({ "Data": "", "PartitionKey": "k" });
    for (lacking, member) in [
        (json!({ "PartitionKey": "k" }), "records.2.member.data"),
        (json!({ "Data": "" }), "records.2.member.partitionKey"),
    ] {
        let call = json!({ "StreamName": "s", "Records": [whole, lacking, whole, {}] });
        let message = refused(&doors, "PutRecords", &call, "ValidationException").await;
        assert!(
            message.contains(&format!("Value null at '{member}'")),
            "{message}"
        );
    }
    assert_eq!(doors.quarantine.count(), 0);
}

#[tokio::test]
async fn members_out_of_range_are_rejected() {
    let doors = Doors::open();
    let long = "s".repeat(129);
    for (operation, extra) in [
        ("GetRecords", json!({ "Limit": 0 })),
        ("GetRecords", json!({ "Limit": -1 })),
        ("GetRecords", json!({ "Limit": 10_001 })),
        ("DescribeStream", json!({ "Limit": 0 })),
        ("DescribeStream", json!({ "Limit": 10_001 })),
        ("DescribeStream", json!({ "ExclusiveStartShardId": "" })),
        ("DescribeStream", json!({ "StreamName": long })),
        ("DescribeStream", json!({ "StreamName": "" })),
        (
            "DescribeStream",
            json!({ "StreamName": null, "StreamARN": "arn:aws:x" }),
        ),
        ("CreateStream", json!({ "ShardCount": 0 })),
        ("ListShards", json!({ "MaxResults": 0 })),
        ("ListShards", json!({ "MaxResults": 10_001 })),
        ("ListShards", json!({ "ExclusiveStartShardId": "a shard" })),
        ("ListShards", json!({ "ShardFilter": {} })),
        ("ListShards", json!({ "ShardFilter": { "Type": "AFTER" } })),
        (
            "ListShards",
            json!({ "ShardFilter": { "Type": "AFTER_SHARD_ID", "ShardId": "" } }),
        ),
        ("GetShardIterator", json!({ "ShardId": "" })),
        ("GetShardIterator", json!({ "ShardIteratorType": "" })),
    ] {
        let calls = complete_calls();
        let (_, whole) = calls.iter().find(|(name, _)| *name == operation).unwrap();
        let mut call = whole.clone();
        let members = call.as_object_mut().unwrap();
        members.extend(extra.as_object().unwrap().clone());
        refused(&doors, operation, &call, "ValidationException").await;
    }
    for call in [
        json!({ "Limit": 0 }),
        json!({ "Limit": 10_001 }),
        json!({ "ExclusiveStartStreamName": "a b" }),
    ] {
        refused(&doors, "ListStreams", &call, "ValidationException").await;
    }
}

#[tokio::test]
async fn members_that_exclude_each_other_are_rejected() {
    let doors = Doors::open();
    for call in [
        json!({ "NextToken": "t", "StreamName": "s" }),
        json!({ "NextToken": "t", "ExclusiveStartShardId": SHARD }),
        json!({ "NextToken": "t", "StreamCreationTimestamp": 1.5 }),
        json!({ "NextToken": "t" }),
        json!({ "StreamName": "s", "ShardFilter": { "Type": "AFTER_SHARD_ID" } }),
        json!({ "StreamName": "s", "ShardFilter": { "Type": "AT_TIMESTAMP" } }),
        json!({ "StreamName": "s", "ShardFilter": { "Type": "FROM_TIMESTAMP", "ShardId": SHARD } }),
        json!({ "StreamName": "s", "ShardFilter": { "Type": "AT_LATEST", "ShardId": SHARD } }),
        json!({ "StreamName": "s", "ShardFilter": { "Type": "AT_LATEST", "Timestamp": 1 } }),
    ] {
        refused(&doors, "ListShards", &call, "InvalidArgumentException").await;
    }
    for token in ["", "made up", "easel-after-", "easel-after-a b"] {
        let call = json!({ "NextToken": token });
        refused(&doors, "ListStreams", &call, "InvalidArgumentException").await;
    }
}
