//! What `PutRecord` and `PutRecords` are called with.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::Intake;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecordJson<'a> {
    pub(super) stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    pub(super) stream_arn: Option<String>,
    #[serde(borrow, default)]
    pub(super) data: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecordsJson<'a> {
    pub(super) stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    pub(super) stream_arn: Option<String>,
    #[serde(borrow, default)]
    pub(super) records: RecordsJson<'a>,
}

/// Records, of which none is kept past the bound: a short one takes far more memory than bytes.
#[derive(Default)]
pub(super) struct RecordsJson<'a> {
    pub(super) data: Vec<Cow<'a, str>>,
    /// How many there are, kept or not.
    pub(super) count: usize,
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
            let Some(RecordJson { data }) = elements.next_element()? else {
                return Ok(records);
            };
            records.data.push(data);
            records.count += 1;
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {
            records.count += 1;
        }
        Ok(records)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordJson<'a> {
    #[serde(borrow, default)]
    data: Cow<'a, str>,
}
