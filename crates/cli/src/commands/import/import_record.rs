//! A record of an imported file, and how the records are found in a value.
//!
//! A value can be one event, an array of events, a message of SQS, or the output of a command that received
//! messages. Several events can stand on one line without a separator, as Amazon Firehose writes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use easel_catalog::{Limits, split_array};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::input::{Framing, Splitter, ValueRange};

/// The largest record that is sent whole. The server accepts no larger event.
const MAX_RECORD_BYTES: usize = 8 << 20;
/// The bytes of a larger record that are sent.
const SHORTENED_BYTES: usize = 64 << 10;
/// The limits of an array.
const LIMITS: Limits = Limits {
    max_event_bytes: 64 << 20,
    max_depth: 128,
};

/// A record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImportRecord {
    /// Its first byte in the uncompressed text.
    pub(super) at: u64,
    /// The record, or the beginning of a record that is too large.
    pub(super) bytes: Vec<u8>,
    /// The size of a record that is too large.
    pub(super) total_length: Option<usize>,
    /// The event name that a message of SQS has as an attribute.
    pub(super) event_name: Option<String>,
    /// When SQS accepted the message, in milliseconds since 1970.
    pub(super) sent_at: Option<i64>,
}

/// A message of SQS, as the API of AWS, its SDKs and AWS Lambda write it.
#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow, rename = "Body", alias = "body")]
    body: Option<&'a RawValue>,
    #[serde(
        borrow,
        default,
        rename = "MessageAttributes",
        alias = "messageAttributes"
    )]
    message_attributes: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow, default, rename = "Attributes", alias = "attributes")]
    attributes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AttributeJson {
    #[serde(rename = "StringValue", alias = "stringValue")]
    string_value: Option<String>,
}

#[derive(Default, Deserialize)]
struct SystemAttributesJson {
    #[serde(rename = "SentTimestamp")]
    sent_timestamp: Option<serde_json::Value>,
}

/// The output of a command that received messages, or the input of a Lambda function.
#[derive(Deserialize)]
struct MessageListJson<'a> {
    #[serde(borrow, rename = "Messages", alias = "Records")]
    messages: Vec<&'a RawValue>,
}

/// Returns the records of the value that begins at byte `at` of the text, in order.
pub(super) fn records_of(value: &[u8], at: u64, framing: Framing) -> Vec<ImportRecord> {
    let value = Piece { bytes: value, at }.trimmed();
    let mut records = Vec::new();
    for piece in value.pieces(framing) {
        match piece.elements() {
            Some(elements) => elements
                .into_iter()
                .for_each(|element| element.add_to(&mut records)),
            None => piece.add_to(&mut records),
        }
    }
    records
}

/// A part of a text.
#[derive(Clone, Copy)]
struct Piece<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Piece<'a> {
    fn trimmed(self) -> Self {
        self.within(self.bytes.trim_ascii())
    }

    /// Returns the piece with these bytes, which are a slice of this one.
    fn within(self, bytes: &'a [u8]) -> Self {
        let distance = bytes
            .as_ptr()
            .addr()
            .saturating_sub(self.bytes.as_ptr().addr());
        Self {
            bytes,
            at: self.at + distance as u64,
        }
    }

    /// Returns the objects of a line with several objects, otherwise the line itself.
    fn pieces(self, framing: Framing) -> Vec<Self> {
        if framing == Framing::Brackets || !self.bytes.starts_with(b"{") {
            return vec![self];
        }
        let mut ranges: Vec<ValueRange> = Vec::new();
        Splitter::resume(Framing::Brackets, false).split(self.bytes, true, &mut ranges);
        let objects = ranges
            .iter()
            .map(|value| self.bytes.get(value.range.clone()));
        let objects = objects.map(|object| {
            object.filter(|object| object.starts_with(b"{") && object.ends_with(b"}"))
        });
        match objects.collect::<Option<Vec<_>>>() {
            Some(objects) if objects.len() > 1 => objects
                .into_iter()
                .map(|object| self.within(object))
                .collect(),
            Some(_) | None => vec![self],
        }
    }

    /// Returns the elements of an array, or `None` if it is not a valid array.
    fn elements(self) -> Option<Vec<Self>> {
        if !self.bytes.starts_with(b"[") {
            return None;
        }
        let elements = split_array(self.bytes, &LIMITS);
        let elements = elements.map(|element| element.map(|bytes| self.within(bytes)));
        elements.collect::<Result<_, _>>().ok()
    }

    /// Adds the records of an object: one, or one for each message.
    fn add_to(self, records: &mut Vec<ImportRecord>) {
        // Most events of Canvas begin so.
        if self.bytes.starts_with(b"{\"metadata\"") {
            records.push(self.record());
            return;
        }
        if let Ok(MessageListJson { messages }) = serde_json::from_slice(self.bytes) {
            let messages = messages
                .into_iter()
                .map(|message| self.within(message.get().as_bytes()));
            records.extend(
                messages.map(|message| message.message().unwrap_or_else(|| message.record())),
            );
            return;
        }
        records.push(self.message().unwrap_or_else(|| self.record()));
    }

    /// Returns the record in a message of SQS, or `None` if the object is not such a message.
    fn message(self) -> Option<ImportRecord> {
        let message: MessageJson<'_> = serde_json::from_slice(self.bytes).ok()?;
        let body: String = serde_json::from_str(message.body?.get()).ok()?;
        let attributes = message.message_attributes.unwrap_or_default();
        let name = attributes.get("event_name");
        let name = name.and_then(|raw| serde_json::from_str::<AttributeJson>(raw.get()).ok());
        let system = message
            .attributes
            .map(|raw| serde_json::from_str(raw.get()));
        let system: SystemAttributesJson = system.and_then(Result::ok).unwrap_or_default();
        let sent_at = system.sent_timestamp.and_then(|value| match value {
            serde_json::Value::String(text) => text.parse().ok(),
            value => value.as_i64(),
        });
        let piece = Piece {
            bytes: body.as_bytes(),
            at: self.at,
        };
        Some(ImportRecord {
            event_name: name.and_then(|name| name.string_value),
            sent_at,
            ..piece.record()
        })
    }

    fn record(self) -> ImportRecord {
        let is_large = self.bytes.len() > MAX_RECORD_BYTES;
        let sent = self.bytes.get(..SHORTENED_BYTES).filter(|_| is_large);
        ImportRecord {
            at: self.at,
            bytes: sent.unwrap_or(self.bytes).to_vec(),
            total_length: is_large.then_some(self.bytes.len()),
            event_name: None,
            sent_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, framing: Framing, wanted: &[(u64, &str)]) {
        let found = records_of(value.as_bytes(), 100, framing);
        let found: Vec<_> = found
            .iter()
            .map(|record| (record.at, str::from_utf8(&record.bytes).unwrap()))
            .collect();
        assert_eq!(found, wanted, "{value}");
    }

    #[test]
    fn a_line_can_have_several_events_without_a_separator() {
        let line = r#"{"a":"}{"}{"b":1} {"c":[{}]}"#;
        let wanted = [
            (100, r#"{"a":"}{"}"#),
            (110, r#"{"b":1}"#),
            (118, r#"{"c":[{}]}"#),
        ];
        check(line, Framing::Lines, &wanted);
        for broken in [
            r#"{"a":1}} {"b":1}"#,
            r#"{"a":1}{"b""#,
            r#"{"a":1} 7"#,
            "7",
            "nothing",
        ] {
            check(broken, Framing::Lines, &[(100, broken)]);
        }
    }

    #[test]
    fn the_elements_of_an_array_have_places_of_their_own() {
        check(
            " [{}, {\"a\":1}]",
            Framing::Lines,
            &[(102, "{}"), (106, "{\"a\":1}")],
        );
        check("[]", Framing::Lines, &[]);
        check("[{}, {\"a\"]", Framing::Lines, &[(100, "[{}, {\"a\"]")]);
    }

    #[test]
    fn messages_of_sqs_are_unpacked() {
        let message = r#"{"MessageId":"1","Body":"{\"metadata\":{}}","Attributes":{"SentTimestamp":"1573000000000"},"MessageAttributes":{"event_name":{"StringValue":"course_created","DataType":"String"}}}"#;
        let of_lambda = r#"{"messageId":"1","body":"{\"metadata\":{}}","attributes":{"SentTimestamp":"1573000000000"},"messageAttributes":{"event_name":{"stringValue":"course_created","dataType":"String"}}}"#;
        let lists = [
            format!("{{\"Messages\":[{message}]}}"),
            format!("{{\"Records\": [ {of_lambda} ]}}"),
        ];
        for (text, at) in [
            (message, 100),
            (of_lambda, 100),
            (&lists[0], 113),
            (&lists[1], 114),
        ] {
            let wanted = ImportRecord {
                at,
                bytes: b"{\"metadata\":{}}".to_vec(),
                total_length: None,
                event_name: Some("course_created".to_owned()),
                sent_at: Some(1_573_000_000_000),
            };
            assert_eq!(
                records_of(text.as_bytes(), 100, Framing::Brackets),
                [wanted],
                "{text}"
            );
        }
        let plain = r#"{"Body":"{}"}"#;
        check(plain, Framing::Lines, &[(100, "{}")]);
    }

    #[test]
    fn an_event_is_not_taken_for_a_message() {
        for event in [
            r#"{"body":{"a":"b"},"metadata":{"event_name":"x"}}"#,
            r#"{"attributes":{"event_name":"x"},"body":{}}"#,
            r#"{"sensor":"s","data":[]}"#,
        ] {
            check(event, Framing::Brackets, &[(100, event)]);
        }
    }

    #[test]
    fn a_record_that_is_too_large_is_shortened() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_RECORD_BYTES));
        let found = records_of(large.as_bytes(), 0, Framing::Lines);
        assert_eq!(found.len(), 1);
        let record = &found[0];
        assert_eq!(
            (record.bytes.len(), record.total_length),
            (SHORTENED_BYTES, Some(large.len()))
        );
    }
}
