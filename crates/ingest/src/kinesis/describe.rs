//! Operations about streams, which tools call before they read records.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::response::Response;
use easel_catalog::Reach;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::KinesisDoor;
use super::call::KinesisCall;
use super::error::KinesisError;
use super::shards::shards_after;
use super::stream::{StreamName, is_name};
use super::time::ShownTime;
use super::violations::Violations;

/// The valid values of `Limit`.
const LIMITS: RangeInclusive<i64> = 1..=10_000;

/// The most streams in one answer of `ListStreams`, and the default limit.
const MAX_LISTED: usize = 100;

/// The prefix of a `NextToken` of `ListStreams`. The name of the last listed stream follows.
const TOKEN_PREFIX: &str = "easel-after-";

/// Accepts any valid name: every stream already exists.
pub(super) fn create_stream(
    door: &KinesisDoor,
    call: &KinesisCall,
    reach: &Reach,
) -> Result<Response, KinesisError> {
    let request: CreateStreamJson = call.parse()?;
    let mut violations = Violations::default();
    violations.check_range("shardCount", request.shard_count, &(1..=i64::MAX));
    let name = violations.require("streamName", request.stream_name.as_deref());
    violations.check_name("streamName", name);
    violations.check()?;
    if let Some(stream) = name.and_then(StreamName::parse) {
        door.streams.remember(reach, stream);
    }
    Ok(call.format.empty_answer())
}

pub(super) fn describe_stream(
    door: &KinesisDoor,
    call: &KinesisCall,
) -> Result<Response, KinesisError> {
    let request: StreamJson = call.parse()?;
    let description = door.describe(&request.stream()?, request.shards());
    call.answer(&BTreeMap::from([("StreamDescription", description)]))
}

pub(super) fn describe_stream_summary(
    door: &KinesisDoor,
    call: &KinesisCall,
) -> Result<Response, KinesisError> {
    let request: StreamJson = call.parse()?;
    let description = door.describe(&request.stream()?, request.shards());
    call.answer(&BTreeMap::from([("StreamDescriptionSummary", description)]))
}

pub(super) fn list_streams(
    door: &KinesisDoor,
    call: &KinesisCall,
    reach: &Reach,
) -> Result<Response, KinesisError> {
    let request: ListStreamsJson = call.parse()?;
    let (start, limit) = (request.start()?, request.limit());
    let (names, has_more) = door.streams.list_after(reach, start, limit);
    let token = names.last().filter(|_last| has_more);
    call.answer(&ListStreamsAnswerJson {
        stream_names: names.iter().map(ToString::to_string).collect(),
        stream_summaries: names
            .iter()
            .map(|name| door.describe(name, Vec::new()))
            .collect(),
        has_more_streams: has_more,
        next_token: token.map(|last| format!("{TOKEN_PREFIX}{last}")),
    })
}

impl KinesisDoor {
    /// Describes a stream. Clients ignore unknown members, so all operations return the same members.
    fn describe(&self, name: &StreamName, shards: Vec<Value>) -> StreamDescriptionJson {
        StreamDescriptionJson {
            stream_name: name.to_string(),
            stream_arn: name.arn(),
            stream_status: "ACTIVE",
            stream_mode_details: json!({ "StreamMode": "PROVISIONED" }),
            stream_creation_timestamp: ShownTime(self.opened_at),
            encryption_type: "NONE",
            enhanced_monitoring: json!([{ "ShardLevelMetrics": [] }]),
            retention_period_hours: 24,
            open_shard_count: 1,
            consumer_count: 0,
            shards,
            has_more_shards: false,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreamsAnswerJson {
    stream_names: Vec<String>,
    stream_summaries: Vec<StreamDescriptionJson>,
    has_more_streams: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StreamDescriptionJson {
    stream_name: String,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_status: &'static str,
    stream_mode_details: Value,
    stream_creation_timestamp: ShownTime,
    encryption_type: &'static str,
    enhanced_monitoring: Value,
    /// The minimum of the protocol. The retention of the log decides how long records stay.
    retention_period_hours: u32,
    open_shard_count: u32,
    consumer_count: u32,
    shards: Vec<Value>,
    has_more_shards: bool,
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
