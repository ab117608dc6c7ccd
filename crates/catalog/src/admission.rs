//! Admission: validates bytes and turns them into an event.
//!
//! An event is a JSON object with two objects in it: the metadata and the `body`. The key of the
//! metadata is `metadata` or, as Canvas itself spells it, `attributes`. The metadata has the event
//! type in `event_name` and the time in `event_time`. A key must not appear twice in one of these
//! three objects; keys that differ only in escapes are the same key. Unknown members, their order and
//! the spelling of numbers are preserved.
//! An event type that begins with `easel.` belongs to Easel itself. No sender may use it.
//!
//! Only the first fault in reading order is reported. Admission notices a missing member at the end of
//! the object, and the place of this fault is the start of the object.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::object_members::{members, must_be_object, skip, string_or_number, value_if_string};
use crate::scanner::Scanner;
use crate::{Event, EventShape, Fault, Limits, event_id, is_operator_event, parse_timestamp};

const MAX_EVENT_NAME_CHARS: usize = 128;

/// Parses an event that a sender sent. Rejects event types of Easel itself.
pub fn admit(input: &[u8], limits: &Limits) -> Result<Event, Fault> {
    read(input, limits, OperatorEventRule::Rejected).map_err(|flaw| flaw.in_input(input))
}

/// Parses an event from the log. It may be an event of Easel itself.
///
/// Doors must use [`admit`].
pub fn admit_stored(input: &[u8], limits: &Limits) -> Result<Event, Fault> {
    read(input, limits, OperatorEventRule::Accepted).map_err(|flaw| flaw.in_input(input))
}

/// Whether operator events, the events of Easel itself, are rejected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperatorEventRule {
    Rejected,
    Accepted,
}

fn read(input: &[u8], limits: &Limits, operator_events: OperatorEventRule) -> Result<Event, Flaw> {
    validate_text(input, limits)?;
    let mut scanner = Scanner::minifying(input, limits.max_depth);
    let metadata = event(&mut scanner, operator_events)?;
    let bytes = Bytes::from(scanner.into_minified());
    Ok(Event {
        id: event_id(&bytes),
        event_type: metadata.event_name,
        occurred_at: metadata.event_time,
        root_account_id: metadata.root_account_id,
        root_account_uuid: metadata.root_account_uuid,
        shape: EventShape::Canvas,
        bytes,
    })
}

/// Validates the size of an input, and that it is UTF-8.
pub(crate) fn validate_text(input: &[u8], limits: &Limits) -> Result<(), Flaw> {
    if input.len() > limits.max_event_bytes {
        let (size, allowed) = (input.len(), limits.max_event_bytes);
        let message = format!("the event has {size} bytes, more than the {allowed} allowed");
        return Err(Flaw::new(FaultCode::TooLarge, 0, message));
    }
    if let Err(error) = str::from_utf8(input) {
        let byte = error.valid_up_to();
        return Err(Flaw::new(
            FaultCode::NotUtf8,
            byte,
            "the bytes must be UTF-8",
        ));
    }
    Ok(())
}

/// The members of the metadata that admission reads.
struct AdmittedMetadata {
    event_name: Arc<str>,
    event_time: Timestamp,
    root_account_id: Option<Arc<str>>,
    root_account_uuid: Option<Arc<str>>,
}

/// Moves past the whole event. Returns what admission needs of the metadata.
fn event(
    scanner: &mut Scanner<'_>,
    operator_events: OperatorEventRule,
) -> Result<AdmittedMetadata, Flaw> {
    scanner.begin()?;
    let start = scanner.at();
    let mut found_metadata = None;
    let mut found_body = false;
    must_be_object(
        scanner,
        FaultCode::NotAnObject,
        "an event must be an object",
    )?;
    members(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"metadata" | b"attributes" if found_metadata.is_some() => {
                let message = "the event must not have both `metadata` and `attributes`";
                return Err(Flaw::new(FaultCode::TwoSpellings, key.at, message));
            }
            b"metadata" => found_metadata = Some(metadata(scanner, operator_events)?),
            b"attributes" => {
                scanner.rewrite(key, b"metadata");
                found_metadata = Some(metadata(scanner, operator_events)?);
            }
            b"body" => {
                body(scanner)?;
                found_body = true;
            }
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    scanner.end()?;
    let missing = |code, message| Flaw::new(code, start, message);
    let metadata = found_metadata
        .ok_or_else(|| missing(FaultCode::MissingMetadata, "the event has no metadata"))?;
    if !found_body {
        return Err(missing(FaultCode::MissingBody, "the event has no body"));
    }
    Ok(metadata)
}

fn metadata(
    scanner: &mut Scanner<'_>,
    operator_events: OperatorEventRule,
) -> Result<AdmittedMetadata, Flaw> {
    scanner.colon()?;
    let start = scanner.at();
    let mut found_name = None;
    let mut found_time = None;
    let (mut root_account_id, mut root_account_uuid) = (None, None);
    must_be_object(
        scanner,
        FaultCode::MetadataNotObject,
        "the metadata must be an object",
    )?;
    members(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"event_name" => found_name = Some(event_name(scanner, operator_events)?),
            b"event_time" => found_time = Some(event_time(scanner)?),
            b"root_account_id" => root_account_id = member_text(scanner)?,
            b"root_account_uuid" => root_account_uuid = member_text(scanner)?,
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    let missing = |code, message| Flaw::new(code, start, message);
    Ok(AdmittedMetadata {
        event_name: found_name.ok_or_else(|| {
            missing(
                FaultCode::MissingEventName,
                "the metadata has no event_name",
            )
        })?,
        event_time: found_time.ok_or_else(|| {
            missing(
                FaultCode::MissingEventTime,
                "the metadata has no event_time",
            )
        })?,
        root_account_id,
        root_account_uuid,
    })
}

fn event_name(
    scanner: &mut Scanner<'_>,
    operator_events: OperatorEventRule,
) -> Result<Arc<str>, Flaw> {
    scanner.colon()?;
    let start = scanner.at();
    let bad = |message| Flaw::new(FaultCode::BadEventName, start, message);
    let Some(text) = value_if_string(scanner)? else {
        return Err(bad("the event_name must be a string"));
    };
    let Some(name) = text.decode() else {
        return Err(bad("the event_name must not have an unpaired surrogate"));
    };
    validate_event_name(&name, start, operator_events)?;
    Ok(name.into())
}

/// Validates an event name, which is at `start` in the input.
pub(crate) fn validate_event_name(
    name: &str,
    start: usize,
    operator_events: OperatorEventRule,
) -> Result<(), Flaw> {
    let bad = |message| Flaw::new(FaultCode::BadEventName, start, message);
    if name.is_empty() {
        return Err(bad("the event_name must not be empty"));
    }
    if name.chars().nth(MAX_EVENT_NAME_CHARS).is_some() {
        return Err(bad("the event_name must not be longer than 128 characters"));
    }
    if operator_events == OperatorEventRule::Rejected && is_operator_event(name) {
        let message = "the event_name must not begin with `easel.`; Easel alone sends such events";
        return Err(Flaw::new(FaultCode::ReservedEventName, start, message));
    }
    Ok(())
}

fn event_time(scanner: &mut Scanner<'_>) -> Result<Timestamp, Flaw> {
    scanner.colon()?;
    let start = scanner.at();
    value_if_string(scanner)?
        .and_then(|text| parse_timestamp(&text.decode()?))
        .ok_or_else(|| {
            let message = "the event_time must be a timestamp like \"2019-11-01T19:11:05.222Z\"";
            Flaw::new(FaultCode::BadEventTime, start, message)
        })
}

/// Moves past a colon and a value. Returns the value if it is a string or a number.
fn member_text(scanner: &mut Scanner<'_>) -> Result<Option<Arc<str>>, Flaw> {
    scanner.colon()?;
    let value = string_or_number(scanner)?;
    Ok(value.map(Arc::from))
}

fn body(scanner: &mut Scanner<'_>) -> Result<(), Flaw> {
    scanner.colon()?;
    must_be_object(
        scanner,
        FaultCode::BodyNotObject,
        "the body must be an object",
    )?;
    members(scanner, |scanner, _| skip(scanner))
}

#[cfg(test)]
mod tests;
