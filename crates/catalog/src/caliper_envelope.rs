//! What Easel reads of a Caliper envelope: its one event, and a few members of the event's entities.
//!
//! Hosted Canvas writes one event in each envelope. Canvas's own values are in the extension
//! `com.instructure.canvas` of the event and of its entities. A key may have an `@` before it, and
//! a term may be a full IRI, as in older versions of Caliper. No key may appear twice in an object that is read here. An
//! entity that cannot be read is no fault: it has no values then.

use std::borrow::Cow;

use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::object_members::{members, must_be_object, skip, string_or_number, value_if_string};
use crate::scanner::{Container, Scanner};

/// The key of Canvas's own values in `extensions`.
pub(crate) const CANVAS_EXTENSION: &[u8] = b"com.instructure.canvas";

/// A text of the envelope with the position of its value. The text is `None` if the value is not a string.
#[derive(Debug)]
pub(crate) struct PlacedText<'a> {
    pub(crate) at: usize,
    pub(crate) text: Option<Cow<'a, str>>,
}

/// The one event of an envelope.
#[derive(Debug, Default)]
pub(crate) struct CaliperMembers<'a> {
    /// The position of the event.
    pub(crate) at: usize,
    pub(crate) event_time: Option<PlacedText<'a>>,
    pub(crate) event_class: Option<PlacedText<'a>>,
    pub(crate) action: Option<PlacedText<'a>>,
    pub(crate) actor: CaliperEntity<'a>,
    pub(crate) object: CaliperEntity<'a>,
    pub(crate) group: CaliperEntity<'a>,
    /// The organization of the membership.
    pub(crate) organization: CaliperEntity<'a>,
    pub(crate) extension: Option<CanvasExtension<'a>>,
}

/// An entity, such as the actor. A string is the id of an entity.
#[derive(Debug, Default)]
pub(crate) struct CaliperEntity<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) entity_class: Option<Cow<'a, str>>,
    pub(crate) extension: Option<CanvasExtension<'a>>,
}

/// The values of Canvas about an event or an entity.
#[derive(Debug, Default)]
pub(crate) struct CanvasExtension<'a> {
    pub(crate) root_account_id: Option<Cow<'a, str>>,
    pub(crate) root_account_uuid: Option<Cow<'a, str>>,
    pub(crate) entity_id: Option<Cow<'a, str>>,
    pub(crate) context_type: Option<Cow<'a, str>>,
    pub(crate) context_account_id: Option<Cow<'a, str>>,
    pub(crate) producer: Option<Cow<'a, str>>,
}

/// Returns the last part of a term or IRI: `Submitted` of `http://…/vocab/caliper/v1/action#Submitted`.
pub(crate) fn short_term(term: &str) -> &str {
    term.rsplit(['/', '#', ':']).next().unwrap_or(term)
}

impl<'a> CaliperMembers<'a> {
    /// Moves past a whole envelope. The scanner must be at the start of the input.
    pub(crate) fn read(scanner: &mut Scanner<'a>) -> Result<Self, Flaw> {
        scanner.begin()?;
        let start = scanner.at();
        must_be_object(
            scanner,
            FaultCode::NotAnObject,
            "a Caliper envelope must be an object",
        )?;
        let mut found_event = None;
        members(scanner, |scanner, key| {
            if key.bytes().as_ref() == b"data" {
                found_event = Some(data(scanner)?);
                return Ok(());
            }
            skip(scanner)
        })?;
        scanner.end()?;
        found_event.ok_or_else(|| {
            let message = "the Caliper envelope has no data";
            Flaw::new(FaultCode::MissingData, start, message)
        })
    }
}

fn data<'a>(scanner: &mut Scanner<'a>) -> Result<CaliperMembers<'a>, Flaw> {
    scanner.colon()?;
    let bad = |at| {
        let message = "the data must be an array with exactly one event";
        Flaw::new(FaultCode::DataNotOneEvent, at, message)
    };
    let start = scanner.at();
    if scanner.peek() != Some(b'[') {
        scanner.value()?;
        return Err(bad(start));
    }
    if !scanner.enter(Container::Array)? {
        return Err(bad(start));
    }
    let event = event(scanner)?;
    if scanner.advance()? {
        return Err(bad(scanner.at()));
    }
    Ok(event)
}

fn event<'a>(scanner: &mut Scanner<'a>) -> Result<CaliperMembers<'a>, Flaw> {
    let message = "the data must be an array with exactly one event, which must be an object";
    must_be_object(scanner, FaultCode::DataNotOneEvent, message)?;
    let mut event = CaliperMembers {
        at: scanner.at(),
        ..CaliperMembers::default()
    };
    members(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"eventTime" => event.event_time = Some(placed_text(scanner)?),
            b"type" => event.event_class = Some(placed_text(scanner)?),
            b"@type" if event.event_class.is_none() => {
                event.event_class = Some(placed_text(scanner)?);
            }
            b"action" => event.action = Some(placed_text(scanner)?),
            b"actor" => event.actor = member_entity(scanner)?,
            b"object" => event.object = member_entity(scanner)?,
            b"group" => event.group = member_entity(scanner)?,
            b"membership" => event.organization = membership(scanner)?,
            b"extensions" => event.extension = extensions(scanner)?,
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    Ok(event)
}

fn placed_text<'a>(scanner: &mut Scanner<'a>) -> Result<PlacedText<'a>, Flaw> {
    scanner.colon()?;
    let at = scanner.at();
    let text = value_if_string(scanner)?.and_then(|text| text.decode());
    Ok(PlacedText { at, text })
}

/// Moves past a colon and an entity.
fn member_entity<'a>(scanner: &mut Scanner<'a>) -> Result<CaliperEntity<'a>, Flaw> {
    scanner.colon()?;
    let mut entity = CaliperEntity::default();
    if scanner.peek() != Some(b'{') {
        entity.id = value_if_string(scanner)?.and_then(|text| text.decode());
        return Ok(entity);
    }
    members(scanner, |scanner, key| {
        match key.bytes().as_ref() {
            b"id" => entity.id = member_text(scanner)?,
            b"@id" if entity.id.is_none() => entity.id = member_text(scanner)?,
            b"type" => entity.entity_class = member_text(scanner)?,
            b"@type" if entity.entity_class.is_none() => {
                entity.entity_class = member_text(scanner)?;
            }
            b"extensions" => entity.extension = extensions(scanner)?,
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    Ok(entity)
}

/// Moves past a colon and a membership. Returns its organization.
fn membership<'a>(scanner: &mut Scanner<'a>) -> Result<CaliperEntity<'a>, Flaw> {
    let mut organization = CaliperEntity::default();
    members_if_object(scanner, |scanner, key| {
        if key != b"organization" {
            return skip(scanner);
        }
        organization = member_entity(scanner)?;
        Ok(())
    })?;
    Ok(organization)
}

/// Moves past a colon and the extensions. Returns that of Canvas.
fn extensions<'a>(scanner: &mut Scanner<'a>) -> Result<Option<CanvasExtension<'a>>, Flaw> {
    let mut found_extension = None;
    members_if_object(scanner, |scanner, key| {
        if key != CANVAS_EXTENSION {
            return skip(scanner);
        }
        let mut extension = CanvasExtension::default();
        members_if_object(scanner, |scanner, key| {
            match extension.get_mut(key) {
                Some(member) => *member = member_text(scanner)?,
                None => skip(scanner)?,
            }
            Ok(())
        })?;
        found_extension = Some(extension);
        Ok(())
    })?;
    Ok(found_extension)
}

impl<'a> CanvasExtension<'a> {
    fn get_mut(&mut self, name: &[u8]) -> Option<&mut Option<Cow<'a, str>>> {
        match name {
            b"root_account_id" => Some(&mut self.root_account_id),
            b"root_account_uuid" => Some(&mut self.root_account_uuid),
            b"entity_id" => Some(&mut self.entity_id),
            b"context_type" => Some(&mut self.context_type),
            b"context_account_id" => Some(&mut self.context_account_id),
            b"producer" => Some(&mut self.producer),
            _ => None,
        }
    }
}

/// Moves past a colon and a value. Reads its members if it is an object.
fn members_if_object<'a>(
    scanner: &mut Scanner<'a>,
    mut member: impl FnMut(&mut Scanner<'a>, &[u8]) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    scanner.colon()?;
    if scanner.peek() != Some(b'{') {
        return scanner.value();
    }
    members(scanner, |scanner, key| member(scanner, &key.bytes()))
}

/// Moves past a colon and a value. Returns the value if it is a string or a number.
fn member_text<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, str>>, Flaw> {
    scanner.colon()?;
    string_or_number(scanner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_term_is_the_last_part_of_an_iri() {
        for (term, short) in [
            ("AssessmentEvent", "AssessmentEvent"),
            (
                "http://purl.imsglobal.org/caliper/v1/AssessmentEvent",
                "AssessmentEvent",
            ),
            (
                "http://purl.imsglobal.org/vocab/caliper/v1/action#Submitted",
                "Submitted",
            ),
            ("caliper:AssessmentEvent", "AssessmentEvent"),
            ("", ""),
            ("x/", ""),
        ] {
            assert_eq!(short_term(term), short, "{term}");
        }
    }
}
