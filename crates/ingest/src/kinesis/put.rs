//! `PutRecord` and `PutRecords`: the way in.
//!
//! Every record of a call is admitted on its own and one append stores them all. A record that
//! is no event goes to quarantine as it came. Whatever has a sequence number in the answer is on
//! stable storage; whatever has none is answered as an internal failure, to be sent again.

mod call;

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use axum::response::Response;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use easel_catalog::{Event, Limits, admit};
use easel_log::{Appended, NewRecord, Offset};
use easel_quarantine::NewQuarantined;
use serde::Serialize;

use super::error::{INTERNAL_FAILURE, KinesisError};
use super::sequence::Sequence;
use super::shards::SHARD_ID;
use super::stream::{StreamName, Streams};
use super::{answer, parse};
use crate::body::Held;
use crate::body_part::{BodyPart, range_of};
use crate::doors::Door;
use crate::intake::{NotStored, PART_BYTES, Parsed, Unparsed};
use crate::record::record as record_of;

use call::{PutRecordJson, PutRecordsJson};

/// Base64 as anyone writes it, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A call that brings records, read.
#[derive(Debug)]
pub(super) struct Put {
    stream: StreamName,
    operation: PutOperation,
    /// What each record is.
    order: Vec<RecordKind>,
}

/// What a call is, and with it the form of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PutOperation {
    One,
    Many,
}

/// What a record turned out to be.
#[derive(Clone, Copy, Debug)]
enum RecordKind {
    Event,
    Misfit,
}

impl Put {
    /// Reads a call. Its events and misfits are written over what was sent.
    pub(super) fn parse(
        operation: PutOperation,
        held: &mut Held,
        limits: &Limits,
    ) -> Result<Parsed<Self>, Unparsed<KinesisError>> {
        // A string with an escape is read into memory of its own.
        let unescaped_bytes = if held.bytes.contains(&b'\\') {
            held.bytes.len()
        } else {
            0
        };
        held.make_room(unescaped_bytes)?;
        let call = match operation {
            PutOperation::One => PutCall::one(&held.bytes),
            PutOperation::Many => PutCall::many(&held.bytes),
        };
        let PutCall { stream, records } = call.map_err(Unparsed::Refused)?;
        held.make_room(unescaped_bytes + records.len() * PART_BYTES)?;
        let sorted = Sorted::new(std::mem::take(&mut held.bytes), records, limits);
        Ok(Parsed {
            events: sorted.events,
            misfits: sorted.misfits,
            answer: Self {
                stream,
                operation,
                order: sorted.order,
            },
        })
    }

    /// Answers where each record is, if it is anywhere.
    pub(super) fn answer(
        self,
        streams: &Streams,
        appended: Result<Vec<Appended>, NotStored>,
        quarantined: Result<Vec<Offset>, NotStored>,
    ) -> Result<Response, KinesisError> {
        streams.remember(self.stream);
        let mut appended = appended.unwrap_or_default().into_iter();
        let mut quarantined = quarantined.unwrap_or_default().into_iter();
        let sequence = |kind| match kind {
            RecordKind::Event => appended.next().map(|it| Sequence::Event(it.offset())),
            RecordKind::Misfit => quarantined.next().map(Sequence::Quarantined),
        };
        let mut sequences = self.order.into_iter().map(sequence);
        match self.operation {
            PutOperation::Many => answer_each(sequences.collect()),
            PutOperation::One => {
                let sequence = sequences.next().flatten();
                answer(&PutResultJson {
                    shard_id: SHARD_ID,
                    sequence_number: sequence.ok_or_else(KinesisError::internal)?,
                    encryption_type: "NONE",
                })
            }
        }
    }
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

/// What a call says, with the data of its records as they were sent.
#[derive(Debug)]
struct PutCall {
    stream: StreamName,
    records: Vec<Data>,
}

/// Base64: a part of the body, or what a string with an escape says.
#[derive(Debug)]
enum Data {
    Within(Range<usize>),
    Unescaped(String),
}

impl Data {
    fn new(body: &[u8], data: Cow<'_, str>) -> Self {
        match data {
            // An empty one need not lie in the body.
            Cow::Borrowed("") => Self::Within(0..0),
            Cow::Borrowed(text) => Self::Within(range_of(body, text.as_bytes())),
            Cow::Owned(text) => Self::Unescaped(text),
        }
    }
}

impl PutCall {
    fn one(body: &[u8]) -> Result<Self, KinesisError> {
        let call: PutRecordJson<'_> = parse(body)?;
        let (stream, data) = call.check()?;
        Ok(Self {
            stream,
            records: vec![Data::new(body, data)],
        })
    }

    fn many(body: &[u8]) -> Result<Self, KinesisError> {
        let call: PutRecordsJson<'_> = parse(body)?;
        let (stream, data) = call.check()?;
        let data = data.into_iter();
        let records = data.map(|data| Data::new(body, data)).collect();
        Ok(Self { stream, records })
    }
}

/// The records of a call, sorted into events and misfits.
#[derive(Debug)]
struct Sorted {
    order: Vec<RecordKind>,
    events: Vec<NewRecord>,
    misfits: Vec<NewQuarantined>,
}

impl Sorted {
    fn new(mut body: Vec<u8>, records: Vec<Data>, limits: &Limits) -> Self {
        let mut order = Vec::with_capacity(records.len());
        let mut events: Vec<(NewRecord, BodyPart)> = Vec::new();
        let mut misfits = Vec::new();
        let mut decoded = Vec::new();
        for data in records {
            let sent = match &data {
                Data::Within(range) => body.get(range.clone()).unwrap_or_default(),
                Data::Unescaped(text) => text.as_bytes(),
            };
            let record = read_record(sent, &mut decoded, limits);
            let write = |bytes: Bytes| match data {
                Data::Within(range) => BodyPart::write(&mut body, range, bytes),
                Data::Unescaped(_) => BodyPart::Own(bytes),
            };
            order.push(match record {
                Ok(mut event) => {
                    let piece = write(mem::take(&mut event.bytes));
                    let before = events.last().map(|(record, _piece)| record);
                    events.push((record_of(event, before), piece));
                    RecordKind::Event
                }
                Err(InvalidRecord {
                    code,
                    detail,
                    bytes,
                }) => {
                    misfits.push((code, detail, write(bytes)));
                    RecordKind::Misfit
                }
            });
        }
        let body = Bytes::from(body);
        let event = |(record, piece): (NewRecord, BodyPart)| NewRecord {
            bytes: piece.bytes(&body),
            ..record
        };
        let misfit = |(code, detail, piece): (&str, _, BodyPart)| NewQuarantined {
            door: Door::Kinesis.as_str(),
            code: code.to_owned(),
            detail,
            bytes: piece.bytes(&body),
        };
        Self {
            order,
            events: events.into_iter().map(event).collect(),
            misfits: misfits.into_iter().map(misfit).collect(),
        }
    }
}

/// A record that is no event.
pub(crate) struct InvalidRecord {
    code: &'static str,
    detail: String,
    bytes: Bytes,
}

/// Reads a record, using `decoded` for what its base64 says.
pub(crate) fn read_record(
    data: &[u8],
    decoded: &mut Vec<u8>,
    limits: &Limits,
) -> Result<Event, InvalidRecord> {
    decoded.clear();
    BASE64
        .decode_vec(data, decoded)
        .map_err(|error| InvalidRecord {
            code: "bad_base64",
            detail: format!("not base64: {error}"),
            bytes: Bytes::copy_from_slice(data),
        })?;
    admit(decoded, limits).map_err(|fault| InvalidRecord {
        code: fault.code.as_str(),
        detail: fault.to_string(),
        bytes: Bytes::copy_from_slice(decoded),
    })
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
struct PutResultJson {
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
