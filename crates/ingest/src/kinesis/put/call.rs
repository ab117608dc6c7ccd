//! The members of calls of `PutRecord` and `PutRecords`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::Intake;
use crate::kinesis::blob::SentBlob;
use crate::kinesis::error::KinesisError;
use crate::kinesis::stream::StreamName;
use crate::kinesis::violations::Violations;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecordJson<'a> {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    #[serde(borrow)]
    data: Option<SentBlob<'a>>,
    #[serde(borrow)]
    partition_key: Option<TextJson<'a>>,
}

impl<'a> PutRecordJson<'a> {
    /// Returns the stream and the data. Rejects a call if a required member is missing.
    pub(super) fn check(self) -> Result<(StreamName, SentBlob<'a>), KinesisError> {
        let mut violations = Violations::default();
        let stream =
            violations.require_stream(self.stream_name.as_deref(), self.stream_arn.as_deref());
        let data = violations.require("data", self.data);
        violations.require("partitionKey", self.partition_key);
        match (stream, data) {
            (Some(stream), Some(data)) => violations.check().map(|()| (stream, data)),
            _ => Err(violations.into()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecordsJson<'a> {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    #[serde(borrow)]
    pub(super) records: Option<RecordsJson<'a>>,
}

impl<'a> PutRecordsJson<'a> {
    /// Returns the stream and the records. Rejects a call if a required member is missing, or if there
    /// are too many records.
    pub(super) fn check(self) -> Result<(StreamName, Vec<SentBlob<'a>>), KinesisError> {
        let mut violations = Violations::default();
        let stream =
            violations.require_stream(self.stream_name.as_deref(), self.stream_arn.as_deref());
        let records = violations.require("records", self.records);
        if let Some(records) = &records {
            records.check(&mut violations);
        }
        match (stream, records) {
            (Some(stream), Some(records)) => violations.check().map(|()| (stream, records.data)),
            _ => Err(violations.into()),
        }
    }
}

/// A string that borrows from the body, unless it has escapes.
#[derive(Deserialize)]
struct TextJson<'a>(
    #[serde(borrow)]
    #[expect(
        dead_code,
        reason = "a partition key must be a string, but there is one shard"
    )]
    Cow<'a, str>,
);

/// The records of a call. Records past the limit are counted but not stored, because a short record
/// takes far more memory than its bytes.
#[derive(Default)]
pub(super) struct RecordsJson<'a> {
    pub(super) data: Vec<SentBlob<'a>>,
    /// The number of all records, stored or not.
    pub(super) count: usize,
    /// The number of the first record without a required member, from 1, and the member.
    first_incomplete: Option<(usize, &'static str)>,
}

impl<'a> RecordsJson<'a> {
    fn check(&self, violations: &mut Violations) {
        if let Some((number, member)) = self.first_incomplete {
            let member = format!("records.{number}.member.{member}");
            violations.add(&member, "null", "not be null");
        }
        let constraint = match self.count {
            0 => "have length greater than or equal to 1".to_owned(),
            1..=Intake::MAX_EVENTS => return,
            _ => format!("have length less than or equal to {}", Intake::MAX_EVENTS),
        };
        violations.add("records", &format!("of length {}", self.count), &constraint);
    }

    fn push(&mut self, record: PutRecordsEntryJson<'a>) {
        self.count += 1;
        let missing_member = match (&record.data, &record.partition_key) {
            (None, _) => Some("data"),
            (_, None) => Some("partitionKey"),
            (Some(_), Some(_)) => None,
        };
        if let Some(member) = missing_member {
            self.first_incomplete.get_or_insert((self.count, member));
        }
        self.data.extend(record.data);
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RecordsJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RecordsVisitor)
    }
}

struct RecordsVisitor;

impl<'de> Visitor<'de> for RecordsVisitor {
    type Value = RecordsJson<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut records = RecordsJson::default();
        while records.count < Intake::MAX_EVENTS {
            let Some(record) = elements.next_element()? else {
                return Ok(records);
            };
            records.push(record);
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {
            records.count += 1;
        }
        Ok(records)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsEntryJson<'a> {
    #[serde(borrow)]
    data: Option<SentBlob<'a>>,
    #[serde(borrow)]
    partition_key: Option<TextJson<'a>>,
}
