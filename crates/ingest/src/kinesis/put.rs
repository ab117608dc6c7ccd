//! `PutRecord` and `PutRecords`: the way in.
//!
//! Every record of a call is admitted on its own and one append stores them all. A record that
//! is no event goes to quarantine as it came. Whatever has a sequence number in the answer is on
//! stable storage; whatever has none is answered as an internal failure, to be sent again.

mod call;

use std::borrow::Cow;

use axum::response::Response;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use easel_catalog::{Event, Limits, admit};
use easel_log::NewQuarantined;
use serde::Serialize;

use super::describe::SHARD_ID;
use super::error::{INTERNAL_FAILURE, KinesisError};
use super::sequence::Sequence;
use super::stream::StreamName;
use super::{KinesisDoor, answer, parse};
use crate::Intake;
use crate::body::Held;
use crate::doors::Door;
use crate::work::on_cpu;

use call::{PutRecordJson, PutRecordsJson};

/// Base64 as anyone writes it, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) async fn put_record(door: &KinesisDoor, held: Held) -> Result<Response, KinesisError> {
    let stored = put(door, held, Put::one).await?;
    let sequence_number = stored
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(KinesisError::internal)?;
    answer(&StoredJson {
        shard_id: SHARD_ID,
        sequence_number,
        encryption_type: "NONE",
    })
}

pub(super) async fn put_records(door: &KinesisDoor, held: Held) -> Result<Response, KinesisError> {
    answer_each(put(door, held, Put::many).await?)
}

/// Answers a call of so many records of which none was stored.
pub(super) fn fail_records(count: usize) -> Result<Response, KinesisError> {
    answer_each(vec![None; count])
}

fn answer_each(stored: Vec<Option<Sequence>>) -> Result<Response, KinesisError> {
    answer(&PutRecordsAnswerJson {
        failed_record_count: stored.iter().filter(|sequence| sequence.is_none()).count(),
        records: stored.into_iter().map(RecordAnswerJson::from).collect(),
        encryption_type: "NONE",
    })
}

/// Stores what `read` finds in a call, and answers where each record is, if it is anywhere.
async fn put(
    door: &KinesisDoor,
    Held { bytes, room }: Held,
    read: fn(&[u8], &Limits) -> Result<Put, KinesisError>,
) -> Result<Vec<Option<Sequence>>, KinesisError> {
    let limits = *door.intake.limits();
    // The room goes along, so that it stays taken for as long as the bytes are in memory, even
    // when the client leaves meanwhile.
    let (put, _room) = on_cpu(bytes.len(), move || (read(&bytes, &limits), room)).await;
    let put = put?;
    door.streams.remember(put.stream.clone());
    Ok(put.store(&door.intake).await)
}

/// The records of a call, sorted into events and misfits.
struct Put {
    stream: StreamName,
    order: Vec<Kind>,
    events: Vec<Event>,
    misfits: Vec<NewQuarantined>,
}

/// What a record turned out to be.
enum Kind {
    Event,
    Misfit,
}

impl Put {
    fn one(body: &[u8], limits: &Limits) -> Result<Self, KinesisError> {
        let call: PutRecordJson<'_> = parse(body)?;
        let stream = StreamName::of(call.stream_name.as_deref(), call.stream_arn.as_deref())?;
        Ok(Self::sort(stream, &[call.data], limits))
    }

    fn many(body: &[u8], limits: &Limits) -> Result<Self, KinesisError> {
        let call: PutRecordsJson<'_> = parse(body)?;
        let stream = StreamName::of(call.stream_name.as_deref(), call.stream_arn.as_deref())?;
        let bound = match call.records.count {
            0 => "have length greater than or equal to 1".to_owned(),
            1..=Intake::MAX_EVENTS => return Ok(Self::sort(stream, &call.records.data, limits)),
            _ => format!("have length less than or equal to {}", Intake::MAX_EVENTS),
        };
        let value = format!("of length {}", call.records.count);
        Err(KinesisError::validation(&value, "records", &bound))
    }

    fn sort(stream: StreamName, records: &[Cow<'_, str>], limits: &Limits) -> Self {
        let order = Vec::with_capacity(records.len());
        let mut put = Self {
            stream,
            order,
            events: Vec::new(),
            misfits: Vec::new(),
        };
        for data in records {
            match read_record(data, limits) {
                Ok(event) => {
                    put.events.push(event);
                    put.order.push(Kind::Event);
                }
                Err(misfit) => {
                    put.misfits.push(misfit);
                    put.order.push(Kind::Misfit);
                }
            }
        }
        put
    }

    async fn store(self, intake: &Intake) -> Vec<Option<Sequence>> {
        let (stored, kept) = tokio::join!(
            intake.append(Door::Kinesis, self.events),
            intake.quarantine(Door::Kinesis, self.misfits),
        );
        let mut stored = stored.unwrap_or_default().into_iter();
        let mut kept = kept.unwrap_or_default().into_iter();
        let sequence = |kind| match kind {
            Kind::Event => stored
                .next()
                .map(|appended| Sequence::Event(appended.offset())),
            Kind::Misfit => kept.next().map(Sequence::Quarantined),
        };
        self.order.into_iter().map(sequence).collect()
    }
}

/// The event in a record's data, or what goes into quarantine.
pub(crate) fn read_record(data: &str, limits: &Limits) -> Result<Event, NewQuarantined> {
    let misfit = |code: &str, detail: String, bytes: Vec<u8>| NewQuarantined {
        door: Door::Kinesis.as_str(),
        code: code.to_owned(),
        detail,
        bytes: Bytes::from(bytes),
    };
    let bytes = BASE64
        .decode(data)
        .map_err(|error| misfit("bad_base64", format!("not base64: {error}"), data.into()))?;
    admit(&bytes, limits).map_err(|fault| misfit(fault.code.as_str(), fault.to_string(), bytes))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsAnswerJson {
    failed_record_count: usize,
    records: Vec<RecordAnswerJson>,
    encryption_type: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RecordAnswerJson {
    Stored(StoredRecordJson),
    Failed(FailedRecordJson),
}

impl From<Option<Sequence>> for RecordAnswerJson {
    fn from(stored: Option<Sequence>) -> Self {
        match stored {
            Some(sequence_number) => Self::Stored(StoredRecordJson {
                sequence_number,
                shard_id: SHARD_ID,
            }),
            None => Self::Failed(FailedRecordJson {
                error_code: INTERNAL_FAILURE,
                error_message: "not stored; try again",
            }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StoredJson {
    sequence_number: Sequence,
    shard_id: &'static str,
    encryption_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StoredRecordJson {
    sequence_number: Sequence,
    shard_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedRecordJson {
    error_code: &'static str,
    error_message: &'static str,
}

#[cfg(test)]
mod tests;
