//! The one shard, and `ListShards`.
//!
//! The shard has always been open and is never closed. So every filter of `ListShards` matches it,
//! except a filter for the shards after it. One answer has all shards, so there is never a `NextToken`.

use axum::response::Response;
use easel_log::Offset;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::KinesisCall;
use super::error::KinesisError;
use super::sequence::Sequence;
use super::time::SentTime;
use super::violations::{Violations, quoted};

/// The id of the one shard.
pub(super) const SHARD_ID: &str = "shardId-000000000000";

/// Returns the shards with an id after `start`: the one shard, or an empty list.
pub(super) fn shards_after(start: Option<&str>) -> Vec<Value> {
    if start.is_some_and(|start| *start >= *SHARD_ID) {
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

pub(super) fn list_shards(call: &KinesisCall) -> Result<Response, KinesisError> {
    let request: ListShardsJson = call.parse()?;
    request.check_members()?;
    request.check_combinations()?;
    let filter = request.shard_filter.as_ref();
    let after_shard_id = filter.and_then(|filter| filter.shard_id.as_deref());
    // The later of the two starts. `None` sorts before any start.
    let start = std::cmp::max(request.exclusive_start_shard_id.as_deref(), after_shard_id);
    call.answer(&json!({ "Shards": shards_after(start) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListShardsJson {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    next_token: Option<String>,
    exclusive_start_shard_id: Option<String>,
    max_results: Option<i64>,
    stream_creation_timestamp: Option<SentTime>,
    shard_filter: Option<ShardFilterJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShardFilterJson {
    r#type: Option<String>,
    shard_id: Option<String>,
    timestamp: Option<SentTime>,
}

impl ListShardsJson {
    fn check_members(&self) -> Result<(), KinesisError> {
        let mut violations = Violations::default();
        if self.next_token.is_none() {
            violations.require_stream(self.stream_name.as_deref(), self.stream_arn.as_deref());
        }
        let start = self.exclusive_start_shard_id.as_deref();
        violations.check_name("exclusiveStartShardId", start);
        violations.check_range("maxResults", self.max_results, &(1..=10_000));
        if let Some(filter) = &self.shard_filter {
            filter.check_members(&mut violations);
        }
        violations.check()
    }

    /// Rejects every `NextToken`, because none is ever given out, and a shard filter whose members do not
    /// fit its type.
    fn check_combinations(&self) -> Result<(), KinesisError> {
        if self.next_token.is_some() {
            let others = [
                ("StreamName", self.stream_name.is_some()),
                (
                    "ExclusiveStartShardId",
                    self.exclusive_start_shard_id.is_some(),
                ),
                (
                    "StreamCreationTimestamp",
                    self.stream_creation_timestamp.is_some(),
                ),
            ];
            return Err(KinesisError::invalid_argument(
                match others.iter().find(|(_, is_present)| *is_present) {
                    Some((name, _)) => {
                        format!("NextToken and {name} cannot be provided together.")
                    }
                    None => "NextToken is invalid: one answer has all shards".to_owned(),
                },
            ));
        }
        self.shard_filter
            .as_ref()
            .map_or(Ok(()), ShardFilterJson::check_combinations)
    }
}

impl ShardFilterJson {
    const TYPES: [&str; 6] = [
        "AFTER_SHARD_ID",
        "AT_TRIM_HORIZON",
        "FROM_TRIM_HORIZON",
        "AT_LATEST",
        "AT_TIMESTAMP",
        "FROM_TIMESTAMP",
    ];

    fn check_members(&self, violations: &mut Violations) {
        let kind = violations.require("shardFilter.type", self.r#type.as_deref());
        if let Some(kind) = kind.filter(|kind| !Self::TYPES.contains(kind)) {
            let types = Self::TYPES.join(", ");
            let constraint = format!("satisfy enum value set: [{types}]");
            violations.add("shardFilter.type", &quoted(kind), &constraint);
        }
        violations.check_name("shardFilter.shardId", self.shard_id.as_deref());
    }

    fn check_combinations(&self) -> Result<(), KinesisError> {
        let kind = self.r#type.as_deref().unwrap_or_default();
        for (member, is_present, is_required) in [
            ("ShardId", self.shard_id.is_some(), kind == "AFTER_SHARD_ID"),
            (
                "Timestamp",
                self.timestamp.is_some(),
                kind.ends_with("_TIMESTAMP"),
            ),
        ] {
            if is_present != is_required {
                let verb = if is_required { "needs" } else { "takes no" };
                let message = format!("A ShardFilter of type {kind} {verb} {member}.");
                return Err(KinesisError::invalid_argument(message));
            }
        }
        Ok(())
    }
}
