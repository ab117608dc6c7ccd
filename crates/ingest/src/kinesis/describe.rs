//! What tools ask about streams and shards before they get to records.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use easel_log::Offset;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::KinesisError;
use super::sequence::Sequence;
use super::stream::StreamName;
use super::{CONTENT, KinesisDoor, answer, parse};

/// The one shard.
pub(super) const SHARD_ID: &str = "shardId-000000000000";

/// Any stream there can be is there already.
pub(super) fn create_stream(door: &KinesisDoor, body: &[u8]) -> Result<Response, KinesisError> {
    let request: StreamJson = parse(body)?;
    door.streams.remember(request.name()?);
    Ok([(CONTENT_TYPE, CONTENT)].into_response())
}

pub(super) fn describe_stream(door: &KinesisDoor, body: &[u8]) -> Result<Response, KinesisError> {
    let request: StreamJson = parse(body)?;
    let description = door.describe(&request.name()?, &request.shards());
    answer(&json!({ "StreamDescription": description }))
}

pub(super) fn describe_stream_summary(
    door: &KinesisDoor,
    body: &[u8],
) -> Result<Response, KinesisError> {
    let request: StreamJson = parse(body)?;
    let description = door.describe(&request.name()?, &request.shards());
    answer(&json!({ "StreamDescriptionSummary": description }))
}

pub(super) fn list_streams(door: &KinesisDoor, body: &[u8]) -> Result<Response, KinesisError> {
    let request: ListStreamsJson = parse(body)?;
    let limit = request.limit.unwrap_or(usize::MAX);
    let mut names = door
        .streams
        .list_after(&request.exclusive_start_stream_name);
    let has_more = names.len() > limit;
    names.truncate(limit);
    let summaries: Vec<Value> = names.iter().map(|name| door.describe(name, &[])).collect();
    answer(&json!({
        "StreamNames": names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "StreamSummaries": summaries,
        "HasMoreStreams": has_more,
    }))
}

pub(super) fn list_shards(body: &[u8]) -> Result<Response, KinesisError> {
    let request: StreamJson = parse(body)?;
    request.name()?;
    answer(&json!({ "Shards": request.shards() }))
}

impl KinesisDoor {
    /// Describes a stream. Clients pass over members that they do not expect, so all operations
    /// have the same ones.
    fn describe(&self, name: &StreamName, shards: &[Value]) -> Value {
        json!({
            "StreamName": name.to_string(),
            "StreamARN": name.arn(),
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": { "StreamMode": "PROVISIONED" },
            "StreamCreationTimestamp": self.opened_at.as_duration().as_secs_f64(),
            "EncryptionType": "NONE",
            "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
            // The least the protocol can say; how long records are kept is the log's affair.
            "RetentionPeriodHours": 24,
            "OpenShardCount": 1,
            "ConsumerCount": 0,
            "Shards": shards,
            "HasMoreShards": false,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamJson {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    #[serde(default)]
    exclusive_start_shard_id: String,
}

impl StreamJson {
    fn name(&self) -> Result<StreamName, KinesisError> {
        StreamName::of(self.stream_name.as_deref(), self.stream_arn.as_deref())
    }

    /// The shards after the one asked for: the one there is, or none.
    fn shards(&self) -> Vec<Value> {
        if *self.exclusive_start_shard_id >= *SHARD_ID {
            return Vec::new();
        }
        vec![json!({
            "ShardId": SHARD_ID,
            "HashKeyRange": {
                "StartingHashKey": "0",
                "EndingHashKey": u128::MAX.to_string(),
            },
            "SequenceNumberRange": {
                "StartingSequenceNumber": Sequence::Event(Offset::ZERO),
            },
        })]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreamsJson {
    limit: Option<usize>,
    #[serde(default)]
    exclusive_start_stream_name: String,
}
