//! The message of an event, as hosted Canvas sends it.
//!
//! The body is the event: Canvas's JSON, or a Caliper envelope with one event. The attributes `event_name` and
//! `event_time` are those of hosted Canvas; `easel-event-id` is added. In a FIFO queue, the group is the order
//! key of the event, and the deduplication id is the id of the event.

use std::borrow::Cow;
use std::fmt::Write;
use std::num::NonZeroU32;

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use easel_caliper::envelope;
use easel_catalog::OrderKey;
use easel_sinks::Item;
use jiff::Timestamp;

use crate::queue_error::QueueError;

/// The data type of the attributes.
const STRING: &str = "String";

/// The most bytes of the attributes of one message: their names, types and values. The longest event name has
/// 128 characters.
pub(crate) const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Returns the message of an item. `id` tells it from the others of its batch.
///
/// # Errors
///
/// Fails if a required part is missing. This never happens.
pub(crate) fn entry(
    item: &Item,
    id: usize,
    group: Option<FifoGroup>,
    now: Timestamp,
) -> Result<SendMessageBatchRequestEntry, QueueError> {
    let invalid = |error: &dyn std::error::Error| QueueError::NotSent {
        reason: error.to_string(),
    };
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(id.to_string())
        .message_body(body(item, now));
    let event_id = item.id.to_string();
    let attributes = [
        ("event_name", Cow::Borrowed(&*item.event_type)),
        ("event_time", Cow::Borrowed(&*item.event_time)),
        ("easel-event-id", Cow::Borrowed(&*event_id)),
    ];
    for (name, value) in attributes {
        // The service rejects an empty value.
        if value.is_empty() {
            continue;
        }
        let value = MessageAttributeValue::builder()
            .data_type(STRING)
            .string_value(allowed_text(&value))
            .build()
            .map_err(|error| invalid(&error))?;
        entry = entry.message_attributes(name, value);
    }
    if let Some(FifoGroup { key, replay }) = group {
        // An event without a key needs no order, so it is alone in its group.
        let group = key.map_or_else(|| event_id.clone(), |OrderKey(key)| format!("{key:016x}"));
        // A replay sends events again on purpose.
        let unique = match replay {
            None => event_id,
            Some(number) => format!("{event_id}-replay-{number}"),
        };
        entry = entry
            .message_group_id(group)
            .message_deduplication_id(unique);
    }
    entry.build().map_err(|error| invalid(&error))
}

/// The place of a message in a FIFO queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FifoGroup {
    pub(crate) key: Option<OrderKey>,
    pub(crate) replay: Option<NonZeroU32>,
}

/// Returns the bytes of a message that count towards the limit of a request.
pub(crate) fn size(entry: &SendMessageBatchRequestEntry) -> usize {
    let attributes = entry.message_attributes().into_iter().flatten();
    let attribute_bytes: usize = attributes
        .map(|(name, value)| {
            name.len() + value.data_type().len() + value.string_value().map_or(0, str::len)
        })
        .sum();
    entry.message_body().len() + attribute_bytes
}

fn body(item: &Item, now: Timestamp) -> String {
    match item.form.caliper() {
        Some(event) => allowed_json(&String::from_utf8_lossy(&envelope(&[event], now))),
        None => allowed_json(&String::from_utf8_lossy(item.form.bytes())),
    }
}

/// True if SQS accepts the character: those of XML 1.0.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Escapes the characters that SQS refuses. JSON has them only in strings, so the value stays the same.
fn allowed_json(json: &str) -> String {
    if json.chars().all(is_allowed) {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_allowed(c) {
            text.push(c);
        } else {
            #[expect(clippy::expect_used, reason = "writing to a string never fails")]
            write!(text, "\\u{:04x}", u32::from(c)).expect("a string takes all text");
        }
    }
    text
}

/// Replaces the characters that SQS refuses in an attribute.
fn allowed_text(text: &str) -> String {
    let chars = text.chars();
    chars
        .map(|c| {
            if is_allowed(c) {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(group: Option<FifoGroup>) -> SendMessageBatchRequestEntry {
        let batch = easel_testkit::batch("{\"a\":\"\u{ffff}é\u{fffe}\"}");
        entry(&batch.items[0], 3, group, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_message_has_the_event_and_the_attributes_of_hosted_canvas() {
        let message = message(None);
        assert_eq!(message.id(), "3");
        let attributes = message.message_attributes().unwrap();
        let value = |name: &str| attributes[name].string_value();
        assert_eq!(value("event_name"), Some("course_created"));
        assert!(value("event_time").is_some());
        assert_eq!(
            value("easel-event-id"),
            Some("0f0f1e1e-2d2d-4c4c-8b8b-5a5a69697878")
        );
        assert!(attributes.values().all(|value| value.data_type() == STRING));
        assert_eq!(message.message_group_id(), None);
        assert_eq!(message.message_deduplication_id(), None);
    }

    #[test]
    fn a_character_that_sqs_refuses_is_escaped_and_the_json_stays_equal() {
        let message = message(None);
        let body = message.message_body();
        assert_eq!(body, "{\"a\":\"\\uffffé\\ufffe\"}");
        let read: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(read["a"], "\u{ffff}é\u{fffe}");
    }

    #[test]
    fn a_fifo_message_has_the_key_as_group_and_the_event_id_against_repeats() {
        let id = "0f0f1e1e-2d2d-4c4c-8b8b-5a5a69697878";
        let group = |key: Option<i64>, replay| {
            let replay = NonZeroU32::new(replay);
            let key = key.map(OrderKey);
            let message = message(Some(FifoGroup { key, replay }));
            let group = message.message_group_id().unwrap().to_owned();
            let unique = message.message_deduplication_id().unwrap().to_owned();
            (group, unique)
        };
        let (first, unique) = group(Some(-1), 0);
        assert_eq!((&*first, &*unique), ("ffffffffffffffff", id));
        assert_eq!(group(None, 0), (id.to_owned(), id.to_owned()));
        // A replay sends the events again, so its messages are no repeats.
        assert_eq!(group(Some(7), 2).1, format!("{id}-replay-2"));
    }
}
