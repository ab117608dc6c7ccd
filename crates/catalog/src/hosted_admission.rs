//! Admission of what a hosted Canvas sends: a Canvas event or a Caliper envelope.
//!
//! An object is a Caliper envelope if it has one of the members of an envelope, and none of `metadata`,
//! `attributes` and `body`. An envelope must have exactly one event in `data`, and the event must have
//! a timestamp in `eventTime`. It is stored minified; nothing else changes.
//!
//! An envelope has no event name. Its event type is the name that came with the message, as an attribute of SQS
//! does. Without such a name, it is `caliper:`, the event's `type`, `/` and its `action`, such as
//! `caliper:AssessmentEvent/Submitted`.

use std::sync::Arc;

use bytes::Bytes;

use crate::admission::{OperatorEventRule, admit, validate_event_name, validate_text};
use crate::caliper_envelope::{CaliperMembers, PlacedText, short_term};
use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::scanner::{Container, Scanner};
use crate::{Event, EventShape, Facts, Fault, Limits, event_id, parse_timestamp};

const MAX_EVENT_TYPE_CHARS: usize = 128;

/// Parses an event that a hosted Canvas sent. `event_name` is the name that came with the message. A Canvas
/// event has a name of its own, so it ignores `event_name`.
///
/// A fault of `event_name` has the start of the input as its place.
pub fn admit_hosted(
    input: &[u8],
    limits: &Limits,
    event_name: Option<&str>,
) -> Result<Event, Fault> {
    if input.len() <= limits.max_event_bytes && is_caliper_envelope(input, limits) {
        return envelope(input, limits, event_name).map_err(|flaw| flaw.in_input(input));
    }
    admit(input, limits)
}

/// Returns true if the members of the object are those of a Caliper envelope. Returns false if the input is not
/// an object. If the input is invalid, only the members before the fault count.
fn is_caliper_envelope(input: &[u8], limits: &Limits) -> bool {
    let mut is_envelope = false;
    let mut scanner = Scanner::new(input, limits.max_depth);
    let mut look = || -> Result<(), Flaw> {
        scanner.begin()?;
        let mut has_entry = scanner.enter(Container::Object)?;
        while has_entry {
            let key = scanner.key()?;
            match key.bytes().as_ref() {
                b"metadata" | b"attributes" | b"body" => {
                    is_envelope = false;
                    return Ok(());
                }
                b"data" | b"sensor" | b"sendTime" | b"dataVersion" => is_envelope = true,
                _ => (),
            }
            scanner.colon()?;
            scanner.value()?;
            has_entry = scanner.advance()?;
        }
        Ok(())
    };
    match look() {
        Ok(()) | Err(_) => is_envelope,
    }
}

fn envelope(input: &[u8], limits: &Limits, event_name: Option<&str>) -> Result<Event, Flaw> {
    validate_text(input, limits)?;
    if let Some(name) = event_name {
        validate_event_name(name, 0, OperatorEventRule::Rejected)?;
    }
    let mut scanner = Scanner::minifying(input, limits.max_depth);
    let members = CaliperMembers::read(&mut scanner)?;
    let event_time = members.event_time.as_ref().ok_or_else(|| {
        let message = "the Caliper event has no eventTime";
        Flaw::new(FaultCode::MissingEventTime, members.at, message)
    })?;
    let time = event_time.text.as_deref().and_then(parse_timestamp);
    let occurred_at = time.ok_or_else(|| {
        let message = "the eventTime must be a timestamp like \"2019-11-01T19:11:05.222Z\"";
        Flaw::new(FaultCode::BadEventTime, event_time.at, message)
    })?;
    let event_type = match event_name {
        Some(name) => name.into(),
        None => derived_type(&members)?,
    };
    let facts = Facts::from_envelope(members);
    let root_account_id = facts.root_account_id.as_deref().map(Arc::from);
    let root_account_uuid = facts.root_account_uuid.as_deref().map(Arc::from);
    let bytes = Bytes::from(scanner.into_minified());
    Ok(Event {
        id: event_id(&bytes),
        event_type,
        occurred_at,
        root_account_id,
        root_account_uuid,
        shape: EventShape::Caliper,
        bytes,
    })
}

/// Returns the event type of an event without a name: `caliper:AssessmentEvent/Submitted`.
fn derived_type(members: &CaliperMembers<'_>) -> Result<Arc<str>, Flaw> {
    let missing = |code, message| Flaw::new(code, members.at, message);
    let class = members.event_class.as_ref().ok_or_else(|| {
        let message = "the Caliper event has no type, and no event name came with it";
        missing(FaultCode::MissingType, message)
    })?;
    let action = members.action.as_ref().ok_or_else(|| {
        let message = "the Caliper event has no action, and no event name came with it";
        missing(FaultCode::MissingAction, message)
    })?;
    let class_term = term(class).ok_or_else(|| {
        let message = "the type must be a term or IRI, such as \"AssessmentEvent\"";
        Flaw::new(FaultCode::BadType, class.at, message)
    })?;
    let action_term = term(action).ok_or_else(|| {
        let message = "the action must be a term or IRI, such as \"Submitted\"";
        Flaw::new(FaultCode::BadAction, action.at, message)
    })?;
    let event_type = format!("caliper:{class_term}/{action_term}");
    if event_type.chars().nth(MAX_EVENT_TYPE_CHARS).is_some() {
        let message = "the type and the action together must not be longer than 119 characters";
        return Err(Flaw::new(FaultCode::BadType, class.at, message));
    }
    Ok(event_type.into())
}

fn term<'t>(text: &'t PlacedText<'_>) -> Option<&'t str> {
    let term = short_term(text.text.as_deref()?);
    (!term.is_empty()).then_some(term)
}

#[cfg(test)]
mod tests;
