//! `GetShardIterator`: returns a position to start reading.

use std::fmt;

use axum::response::Response;
use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::KinesisDoor;
use super::call::KinesisCall;
use super::error::KinesisError;
use super::sequence::Sequence;
use super::shards::SHARD_ID;
use super::stream::StreamName;
use super::time::SentTime;
use super::violations::{Violations, quoted};

const PREFIX: &str = "easel-next-";

/// The offset of the next record to read. Unlike in AWS, it does not expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShardIterator(pub(super) Offset);

impl ShardIterator {
    pub(super) fn parse(text: &str) -> Result<Self, KinesisError> {
        let offset = text
            .strip_prefix(PREFIX)
            .and_then(|number| number.parse().ok());
        offset
            .map(|number| Self(Offset::new(number)))
            .ok_or_else(|| KinesisError::invalid_argument("Invalid ShardIterator."))
    }
}

impl fmt::Display for ShardIterator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl Serialize for ShardIterator {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

pub(super) async fn get_shard_iterator(
    door: &KinesisDoor,
    call: &KinesisCall,
) -> Result<Response, KinesisError> {
    let request: GetShardIteratorJson = call.parse()?;
    let (name, shard_id, kind) = request.check()?;
    if shard_id != SHARD_ID {
        let message = format!("Shard {shard_id} in stream {name} does not exist");
        return Err(KinesisError::not_found(message));
    }
    let next = ShardIterator(door.start_offset(&request, kind).await?);
    call.answer(&json!({ "ShardIterator": next }))
}

impl KinesisDoor {
    async fn start_offset(
        &self,
        request: &GetShardIteratorJson,
        kind: IteratorType,
    ) -> Result<Offset, KinesisError> {
        let log = self.intake.log();
        match kind {
            IteratorType::TrimHorizon => Ok(log.bounds().borrow().tail),
            IteratorType::Latest => Ok(log.bounds().borrow().head),
            IteratorType::AtSequenceNumber => request.sequence(),
            IteratorType::AfterSequenceNumber => Ok(request.sequence()?.next()),
            IteratorType::AtTimestamp => {
                let time = request.time()?;
                log.find_time(time)
                    .await
                    .map_err(|_unreadable| KinesisError::internal())
            }
        }
    }
}

/// The position to start reading.
#[derive(Clone, Copy)]
enum IteratorType {
    TrimHorizon,
    Latest,
    AtSequenceNumber,
    AfterSequenceNumber,
    AtTimestamp,
}

impl IteratorType {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "TRIM_HORIZON" => Some(Self::TrimHorizon),
            "LATEST" => Some(Self::Latest),
            "AT_SEQUENCE_NUMBER" => Some(Self::AtSequenceNumber),
            "AFTER_SEQUENCE_NUMBER" => Some(Self::AfterSequenceNumber),
            "AT_TIMESTAMP" => Some(Self::AtTimestamp),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetShardIteratorJson {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    shard_id: Option<String>,
    shard_iterator_type: Option<String>,
    starting_sequence_number: Option<String>,
    timestamp: Option<SentTime>,
}

impl GetShardIteratorJson {
    fn check(&self) -> Result<(StreamName, &str, IteratorType), KinesisError> {
        let mut violations = Violations::default();
        let stream =
            violations.require_stream(self.stream_name.as_deref(), self.stream_arn.as_deref());
        let shard_id = violations.require("shardId", self.shard_id.as_deref());
        violations.check_name("shardId", shard_id);
        let kind = violations.require("shardIteratorType", self.shard_iterator_type.as_deref());
        let kind = kind.and_then(|text| {
            let kind = IteratorType::parse(text);
            if kind.is_none() {
                let constraint = "satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, \
                                  AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]";
                violations.add("shardIteratorType", &quoted(text), constraint);
            }
            kind
        });
        match (stream, shard_id, kind) {
            (Some(stream), Some(shard_id), Some(kind)) => {
                violations.check().map(|()| (stream, shard_id, kind))
            }
            _ => Err(violations.into()),
        }
    }

    fn sequence(&self) -> Result<Offset, KinesisError> {
        let number = self.starting_sequence_number.as_deref().unwrap_or_default();
        Sequence::parse_event(number).ok_or_else(|| {
            KinesisError::invalid_argument("StartingSequenceNumber is not the number of an event")
        })
    }

    fn time(&self) -> Result<Timestamp, KinesisError> {
        self.timestamp
            .and_then(|SentTime(time)| time)
            .ok_or_else(|| KinesisError::invalid_argument("Timestamp is missing or out of range"))
    }
}
