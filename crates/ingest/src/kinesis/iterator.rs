//! `GetShardIterator`: where to begin reading.

use std::fmt;

use axum::response::Response;
use easel_log::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::describe::SHARD_ID;
use super::error::KinesisError;
use super::sequence::Sequence;
use super::stream::StreamName;
use super::{KinesisDoor, answer, parse};

const PREFIX: &str = "easel-next-";

/// Names the next record to read. It does not go stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShardIterator(pub(super) Offset);

impl ShardIterator {
    pub(super) fn read(text: &str) -> Result<Self, KinesisError> {
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
    body: &[u8],
) -> Result<Response, KinesisError> {
    let request: GetShardIteratorJson = parse(body)?;
    let name = StreamName::of(
        request.stream_name.as_deref(),
        request.stream_arn.as_deref(),
    )?;
    if request.shard_id != SHARD_ID {
        let message = format!("Shard {} in stream {name} does not exist", request.shard_id);
        return Err(KinesisError::not_found(message));
    }
    let next = ShardIterator(door.start(&request).await?);
    answer(&json!({ "ShardIterator": next }))
}

impl KinesisDoor {
    async fn start(&self, request: &GetShardIteratorJson) -> Result<Offset, KinesisError> {
        let log = self.intake.log();
        match request.shard_iterator_type.as_str() {
            "TRIM_HORIZON" => Ok(log.bounds().borrow().tail),
            "LATEST" => Ok(log.bounds().borrow().head),
            "AT_SEQUENCE_NUMBER" => request.sequence(),
            "AFTER_SEQUENCE_NUMBER" => Ok(request.sequence()?.next()),
            "AT_TIMESTAMP" => {
                let time = request.time()?;
                log.find_time(time)
                    .await
                    .map_err(|_unreadable| KinesisError::internal())
            }
            other => Err(KinesisError::validation(
                &format!("'{other}'"),
                "shardIteratorType",
                "satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, \
                 AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetShardIteratorJson {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    #[serde(default)]
    shard_id: String,
    #[serde(default)]
    shard_iterator_type: String,
    starting_sequence_number: Option<String>,
    /// Seconds since 1970.
    timestamp: Option<f64>,
}

impl GetShardIteratorJson {
    fn sequence(&self) -> Result<Offset, KinesisError> {
        let number = self.starting_sequence_number.as_deref().unwrap_or_default();
        Sequence::read_event(number).ok_or_else(|| {
            KinesisError::invalid_argument("StartingSequenceNumber is not that of an event here")
        })
    }

    fn time(&self) -> Result<Timestamp, KinesisError> {
        self.timestamp
            .and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
            .and_then(|since| Timestamp::from_duration(since).ok())
            .ok_or_else(|| KinesisError::invalid_argument("Timestamp is missing or out of range"))
    }
}
