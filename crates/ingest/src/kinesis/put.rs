//! `PutRecord` and `PutRecords`: the operations that send records.
//!
//! Each record of a call is validated on its own, and one append stores all events. A record that is
//! not a valid event goes to quarantine unchanged. A record with a sequence number in the answer is on
//! stable storage. A record without one has the error `InternalFailure`, and the producer retries it.

mod call;

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use axum::response::Response;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use easel_catalog::{Event, Limits, Reach, admit};
use easel_log::{Appended, NewRecord, Offset};
use easel_quarantine::NewQuarantined;
use serde::Serialize;

use super::blob::SentBlob;
use super::error::{INTERNAL_FAILURE, KinesisError};
use super::format::KinesisFormat;
use super::sequence::Sequence;
use super::shards::SHARD_ID;
use super::stream::{StreamName, Streams};
use crate::body::BufferedBody;
use crate::body_part::{BodyPart, range_of};
use crate::door::Door;
use crate::intake::{NotStored, PART_BYTES, ParseError, Parsed};
use crate::record::{quarantined_reach, to_record};

use call::{PutRecordJson, PutRecordsJson};

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A parsed call that sends records.
#[derive(Debug)]
pub(super) struct Put {
    stream: StreamName,
    operation: PutOperation,
    format: KinesisFormat,
    /// The kind of each record, in order.
    order: Vec<RecordKind>,
}

/// The operation of a call. It decides the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PutOperation {
    One,
    Many,
}

/// The result of validating a record.
#[derive(Clone, Copy, Debug)]
enum RecordKind {
    Event,
    Invalid,
}

impl Put {
    /// Parses a call. The events and the invalid records overwrite the sent bytes.
    pub(super) fn parse(
        (operation, format): (PutOperation, KinesisFormat),
        buffered: &mut BufferedBody,
        (limits, reach): (&Limits, &Reach),
    ) -> Result<Parsed<Self>, ParseError<KinesisError>> {
        let copied_bytes = format.copied_bytes(&buffered.bytes);
        let copied_bytes = copied_bytes.map_err(ParseError::Refused)?;
        buffered.make_room(copied_bytes)?;
        let call = match operation {
            PutOperation::One => PutCall::one(format, &buffered.bytes),
            PutOperation::Many => PutCall::many(format, &buffered.bytes),
        };
        let PutCall { stream, records } = call.map_err(ParseError::Refused)?;
        buffered.make_room(copied_bytes + records.len() * PART_BYTES)?;
        let validated = ValidatedRecords::new(
            std::mem::take(&mut buffered.bytes),
            records,
            (limits, reach),
        );
        Ok(Parsed {
            events: validated.events,
            invalid_records: validated.invalid_records,
            answer: Self {
                stream,
                operation,
                format,
                order: validated.order,
            },
        })
    }

    /// Returns the response with the sequence number of each stored record.
    pub(super) fn answer(
        self,
        (streams, reach): (&Streams, &Reach),
        appended: Result<Vec<Appended>, NotStored>,
        quarantined: Result<Vec<Offset>, NotStored>,
    ) -> Result<Response, KinesisError> {
        streams.remember(reach, self.stream);
        let mut appended = appended.unwrap_or_default().into_iter();
        let mut quarantined = quarantined.unwrap_or_default().into_iter();
        let sequence = |kind| match kind {
            RecordKind::Event => appended
                .next()
                .map(|result| Sequence::Event(result.offset())),
            RecordKind::Invalid => quarantined.next().map(Sequence::Quarantined),
        };
        let mut sequences = self.order.into_iter().map(sequence);
        match self.operation {
            PutOperation::Many => answer_each(self.format, sequences.collect()),
            PutOperation::One => {
                let sequence = sequences.next().flatten();
                self.format.answer(&PutResultJson {
                    shard_id: SHARD_ID,
                    sequence_number: sequence.ok_or_else(KinesisError::internal)?,
                    encryption_type: "NONE",
                })
            }
        }
    }
}

/// Returns the response to a call with `count` records, none of them stored.
pub(super) fn fail_records(format: KinesisFormat, count: usize) -> Result<Response, KinesisError> {
    answer_each(format, vec![None; count])
}

fn answer_each(
    format: KinesisFormat,
    stored: Vec<Option<Sequence>>,
) -> Result<Response, KinesisError> {
    format.answer(&PutRecordsAnswerJson {
        failed_record_count: stored.iter().filter(|sequence| sequence.is_none()).count(),
        records: stored.into_iter().map(RecordAnswerJson::from).collect(),
        encryption_type: "NONE",
    })
}

/// A call, with the data of its records as they were sent.
#[derive(Debug)]
struct PutCall {
    stream: StreamName,
    records: Vec<Data>,
}

/// The data of a record as it was sent.
#[derive(Debug)]
struct Data {
    encoding: DataEncoding,
    place: DataPlace,
}

#[derive(Clone, Copy, Debug)]
enum DataEncoding {
    Base64,
    Raw,
}

/// A range of the body, or the copy of a string with escapes or in parts.
#[derive(Debug)]
enum DataPlace {
    Within(Range<usize>),
    Copied(Vec<u8>),
}

impl Data {
    fn new(body: &[u8], data: SentBlob<'_>) -> Self {
        let (encoding, bytes) = match data {
            SentBlob::Base64(Cow::Borrowed(text)) => {
                (DataEncoding::Base64, Cow::Borrowed(text.as_bytes()))
            }
            SentBlob::Base64(Cow::Owned(text)) => {
                (DataEncoding::Base64, Cow::Owned(text.into_bytes()))
            }
            SentBlob::Raw(bytes) => (DataEncoding::Raw, bytes),
        };
        let place = match bytes {
            // An empty slice can be outside the body.
            Cow::Borrowed(b"") => DataPlace::Within(0..0),
            Cow::Borrowed(part) => DataPlace::Within(range_of(body, part)),
            Cow::Owned(copy) => DataPlace::Copied(copy),
        };
        Self { encoding, place }
    }
}

impl PutCall {
    fn one(format: KinesisFormat, body: &[u8]) -> Result<Self, KinesisError> {
        let call: PutRecordJson<'_> = format.parse(body)?;
        let (stream, data) = call.check()?;
        Ok(Self {
            stream,
            records: vec![Data::new(body, data)],
        })
    }

    fn many(format: KinesisFormat, body: &[u8]) -> Result<Self, KinesisError> {
        let call: PutRecordsJson<'_> = format.parse(body)?;
        let (stream, data) = call.check()?;
        let data = data.into_iter();
        let records = data.map(|data| Data::new(body, data)).collect();
        Ok(Self { stream, records })
    }
}

/// The records of a call, divided into events and invalid records.
#[derive(Debug)]
struct ValidatedRecords {
    order: Vec<RecordKind>,
    events: Vec<NewRecord>,
    invalid_records: Vec<NewQuarantined>,
}

impl ValidatedRecords {
    fn new(mut body: Vec<u8>, records: Vec<Data>, (limits, reach): (&Limits, &Reach)) -> Self {
        let mut order = Vec::with_capacity(records.len());
        let mut events: Vec<(NewRecord, BodyPart)> = Vec::new();
        let mut invalid_records = Vec::new();
        let mut decoded = Vec::new();
        for Data { encoding, place } in records {
            let sent = match &place {
                DataPlace::Within(range) => body.get(range.clone()).unwrap_or_default(),
                DataPlace::Copied(copy) => copy,
            };
            let record = match encoding {
                DataEncoding::Base64 => validate_record(sent, &mut decoded, (limits, reach)),
                DataEncoding::Raw => validate_event(sent, (limits, reach)),
            };
            let write = |bytes: Bytes| match place {
                DataPlace::Within(range) => BodyPart::write(&mut body, range, bytes),
                DataPlace::Copied(_) => BodyPart::Own(bytes),
            };
            order.push(match record {
                Ok(mut event) => {
                    let written = write(mem::take(&mut event.bytes));
                    let previous = events.last().map(|(record, _written)| record);
                    events.push((to_record(event, previous), written));
                    RecordKind::Event
                }
                Err(InvalidRecord {
                    code,
                    detail,
                    bytes,
                }) => {
                    invalid_records.push((code, detail, write(bytes)));
                    RecordKind::Invalid
                }
            });
        }
        let body = Bytes::from(body);
        let shared_reach = quarantined_reach(reach);
        let event = |(record, written): (NewRecord, BodyPart)| NewRecord {
            bytes: written.bytes(&body),
            ..record
        };
        let invalid_record = |(code, detail, written): (&str, _, BodyPart)| NewQuarantined {
            door: Door::Kinesis.as_str(),
            code: code.to_owned(),
            detail,
            source: None,
            reach: shared_reach.clone(),
            event_name: None,
            message_id: None,
            bytes: written.bytes(&body),
        };
        Self {
            order,
            events: events.into_iter().map(event).collect(),
            invalid_records: invalid_records.into_iter().map(invalid_record).collect(),
        }
    }
}

/// A record that is not a valid event.
pub(crate) struct InvalidRecord {
    code: &'static str,
    detail: String,
    bytes: Bytes,
}

/// Validates a record in base64. Uses `decoded` as the buffer for its decoded base64.
pub(crate) fn validate_record(
    data: &[u8],
    decoded: &mut Vec<u8>,
    (limits, reach): (&Limits, &Reach),
) -> Result<Event, InvalidRecord> {
    decoded.clear();
    BASE64
        .decode_vec(data, decoded)
        .map_err(|error| InvalidRecord {
            code: "bad_base64",
            detail: format!("not base64: {error}"),
            bytes: Bytes::copy_from_slice(data),
        })?;
    validate_event(decoded, (limits, reach))
}

fn validate_event(
    bytes: &[u8],
    (limits, reach): (&Limits, &Reach),
) -> Result<Event, InvalidRecord> {
    let admitted = admit(bytes, limits).and_then(|event| event.confine(reach, bytes));
    admitted.map_err(|fault| InvalidRecord {
        code: fault.code.as_str(),
        detail: fault.to_string(),
        bytes: Bytes::copy_from_slice(bytes),
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
    Stored(PutRecordsResultJson),
    Failed(FailedRecordJson),
}

impl From<Option<Sequence>> for RecordAnswerJson {
    fn from(stored: Option<Sequence>) -> Self {
        match stored {
            Some(sequence_number) => Self::Stored(PutRecordsResultJson {
                sequence_number,
                shard_id: SHARD_ID,
            }),
            None => Self::Failed(FailedRecordJson {
                error_code: INTERNAL_FAILURE,
                error_message: "not stored; retry",
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
struct PutRecordsResultJson {
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
