//! Operations about streams, which tools call before they read records.

use std::ops::RangeInclusive;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::KinesisError;
use super::shards::shards_after;
use super::stream::{StreamName, is_name};
use super::violations::Violations;
use super::{CONTENT, KinesisDoor, answer, parse};

/// The valid values of `Limit`.
const LIMITS: RangeInclusive<i64> = 1..=10_000;

/// The most streams in one answer of `ListStreams`, and the default limit.
const MAX_LISTED: usize = 100;

/// The prefix of a `NextToken` of `ListStreams`. The name of the last listed stream follows.
const TOKEN_PREFIX: &str = "easel-after-";

/// Accepts any valid name: every stream already exists.
pub(super) fn create_stream(door: &KinesisDoor, body: &[u8]) -> Result<Response, KinesisError> {
    let request: CreateStreamJson = parse(body)?;
    let mut violations = Violations::default();
    violations.check_range("shardCount", request.shard_count, &(1..=i64::MAX));
    let name = violations.require("streamName", request.stream_name.as_deref());
    violations.check_name("streamName", name);
    violations.check()?;
    if let Some(stream) = name.and_then(StreamName::parse) {
        door.streams.remember(stream);
    }
    Ok([(CONTENT_TYPE, CONTENT)].into_response())
}

pub(super) fn describe_stream(door: &KinesisDoor, body: &[u8]) -> Result<Response, KinesisError> {
    let request: StreamJson = parse(body)?;
    let description = door.describe(&request.stream()?, &request.shards());
    answer(&json!({ "StreamDescription": description }))
}

pub(super) fn describe_stream_summary(
    door: &KinesisDoor,
    body: &[u8],
) -> Result<Response, KinesisError> {
    let request: StreamJson = parse(body)?;
    let description = door.describe(&request.stream()?, &request.shards());
    answer(&json!({ "StreamDescriptionSummary": description }))
}

pub(super) fn list_streams(door: &KinesisDoor, body: &[u8]) -> Result<Response, KinesisError> {
    let request: ListStreamsJson = parse(body)?;
    let (start, limit) = (request.start()?, request.limit());
    let (names, has_more) = door.streams.list_after(start, limit);
    let summaries: Vec<Value> = names.iter().map(|name| door.describe(name, &[])).collect();
    let mut listed = json!({
        "StreamNames": names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "StreamSummaries": summaries,
        "HasMoreStreams": has_more,
    });
    if let (true, Some(last), Some(members)) = (has_more, names.last(), listed.as_object_mut()) {
        members.insert(
            "NextToken".to_owned(),
            format!("{TOKEN_PREFIX}{last}").into(),
        );
    }
    answer(&listed)
}

impl KinesisDoor {
    /// Describes a stream. Clients ignore unknown members, so all operations return the same members.
    fn describe(&self, name: &StreamName, shards: &[Value]) -> Value {
        json!({
            "StreamName": name.to_string(),
            "StreamARN": name.arn(),
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": { "StreamMode": "PROVISIONED" },
            "StreamCreationTimestamp": self.opened_at.as_duration().as_secs_f64(),
            "EncryptionType": "NONE",
            "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
            // The minimum of the protocol. The retention of the log decides how long records stay.
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
struct CreateStreamJson {
    stream_name: Option<String>,
    shard_count: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamJson {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    limit: Option<i64>,
    exclusive_start_shard_id: Option<String>,
}

impl StreamJson {
    /// Returns the requested stream. Rejects the call if a member is invalid.
    fn stream(&self) -> Result<StreamName, KinesisError> {
        let mut violations = Violations::default();
        violations.check_range("limit", self.limit, &LIMITS);
        let start = self.exclusive_start_shard_id.as_deref();
        violations.check_name("exclusiveStartShardId", start);
        let stream =
            violations.require_stream(self.stream_name.as_deref(), self.stream_arn.as_deref());
        match stream {
            Some(stream) => violations.check().map(|()| stream),
            None => Err(violations.into()),
        }
    }

    fn shards(&self) -> Vec<Value> {
        shards_after(self.exclusive_start_shard_id.as_deref())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreamsJson {
    limit: Option<i64>,
    exclusive_start_stream_name: Option<String>,
    next_token: Option<String>,
}

impl ListStreamsJson {
    /// Returns the name after which to list. A token wins over a name, because clients that follow
    /// tokens repeat their first name.
    fn start(&self) -> Result<&str, KinesisError> {
        let start = self.exclusive_start_stream_name.as_deref();
        let mut violations = Violations::default();
        violations.check_range("limit", self.limit, &LIMITS);
        violations.check_name("exclusiveStartStreamName", start);
        violations.check()?;
        match &self.next_token {
            Some(token) => token
                .strip_prefix(TOKEN_PREFIX)
                .filter(|name| is_name(name))
                .ok_or_else(|| KinesisError::invalid_argument("NextToken is invalid")),
            None => Ok(start.unwrap_or_default()),
        }
    }

    fn limit(&self) -> usize {
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok());
        limit.map_or(MAX_LISTED, |limit| std::cmp::min(limit, MAX_LISTED))
    }
}
