//! The facts of a stored event that filters use.
//!
//! A Canvas event has them in its metadata. A Caliper envelope has them in several places: the user and
//! the root account in the actor, the context in the group or in the membership, the context's account
//! in the object. So a course condition finds the events of a course in both formats.

use std::borrow::Cow;

use crate::caliper_envelope::{CaliperEntity, CaliperMembers, CanvasExtension, short_term};
use crate::flaw::Flaw;
use crate::object_members::string_or_number;
use crate::scanner::{Container, Scanner};

/// The start of the ids that Canvas gives to entities.
const CANVAS_URN: &str = "urn:instructure:canvas:";

/// The facts of a stored event: its time, accounts, context, user and producer.
///
/// A string is unescaped. A number keeps its spelling. Any other value counts as missing, as null
/// does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The time of the event, in its original spelling.
    pub event_time: Option<Cow<'a, str>>,
    /// The root account's global id.
    pub root_account_id: Option<Cow<'a, str>>,
    /// The root account's UUID.
    pub root_account_uuid: Option<Cow<'a, str>>,
    /// The class name of the context, such as `Course`.
    pub context_type: Option<Cow<'a, str>>,
    /// The context's global id.
    pub context_id: Option<Cow<'a, str>>,
    /// The global id of the context's account.
    pub context_account_id: Option<Cow<'a, str>>,
    /// The acting user's global id.
    pub user_id: Option<Cow<'a, str>>,
    /// The producer of the event, such as `canvas`. A Caliper event with values of Canvas is from
    /// `canvas`, unless it says otherwise.
    pub producer: Option<Cow<'a, str>>,
}

impl<'a> Facts<'a> {
    /// Reads the facts of an event in its stored form, a Canvas event or a Caliper envelope. Any other
    /// input gives no facts.
    ///
    /// A stored Canvas event always has `metadata`, and a stored envelope never has it.
    pub fn from_event(stored: &'a [u8]) -> Self {
        match read(&mut Scanner::new(stored, usize::MAX)) {
            Ok(Some(facts)) => facts,
            Ok(None) => {
                let members = CaliperMembers::read(&mut Scanner::new(stored, usize::MAX));
                members.map_or_else(|_| Self::default(), Self::from_envelope)
            }
            Err(_) => Self::default(),
        }
    }

    /// Returns the fact of this name, which is its key in the metadata of a Canvas event.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let fact = match name {
            "event_time" => &self.event_time,
            "root_account_id" => &self.root_account_id,
            "root_account_uuid" => &self.root_account_uuid,
            "context_type" => &self.context_type,
            "context_id" => &self.context_id,
            "context_account_id" => &self.context_account_id,
            "user_id" => &self.user_id,
            "producer" => &self.producer,
            _ => return None,
        };
        fact.as_deref()
    }

    /// Returns the facts of the event in a Caliper envelope.
    pub(crate) fn from_envelope(members: CaliperMembers<'a>) -> Self {
        let CaliperMembers {
            event_time,
            actor,
            object,
            group,
            organization,
            extension,
            ..
        } = members;
        let is_from_canvas = extension.is_some() || actor.extension.is_some();
        let user_id = user_id(&actor);
        let (context_type, context_id) = context(&group)
            .or_else(|| context(&organization))
            .map_or((None, None), |(kind, id)| (Some(kind), Some(id)));
        let own = extension.unwrap_or_default();
        let of_actor = actor.extension.unwrap_or_default();
        let of_object = object.extension.unwrap_or_default();
        let of_group = group.extension.unwrap_or_default();
        let canvas = || is_from_canvas.then_some(Cow::Borrowed("canvas"));
        Self {
            event_time: event_time.and_then(|time| time.text),
            root_account_id: of_actor.root_account_id.or(own.root_account_id),
            root_account_uuid: of_actor.root_account_uuid.or(own.root_account_uuid),
            context_type,
            context_id,
            context_account_id: of_object
                .context_account_id
                .or(of_group.context_account_id)
                .or(own.context_account_id),
            user_id,
            producer: own.producer.or_else(canvas),
        }
    }

    fn get_mut(&mut self, name: &[u8]) -> Option<&mut Option<Cow<'a, str>>> {
        match name {
            b"event_time" => Some(&mut self.event_time),
            b"root_account_id" => Some(&mut self.root_account_id),
            b"root_account_uuid" => Some(&mut self.root_account_uuid),
            b"context_type" => Some(&mut self.context_type),
            b"context_id" => Some(&mut self.context_id),
            b"context_account_id" => Some(&mut self.context_account_id),
            b"user_id" => Some(&mut self.user_id),
            b"producer" => Some(&mut self.producer),
            _ => None,
        }
    }
}

/// Returns the id of the acting user. Canvas writes the id 0 for a user that it does not know.
fn user_id<'a>(actor: &CaliperEntity<'a>) -> Option<Cow<'a, str>> {
    let is_person = actor
        .entity_class
        .as_deref()
        .is_some_and(|class| short_term(class) == "Person");
    let entity_id = actor.extension.as_ref().and_then(|e| e.entity_id.clone());
    let user_id = match canvas_id(actor) {
        Some((kind, id)) => (kind == "user").then(|| Cow::Owned(id.to_owned())),
        None => entity_id.filter(|_| is_person),
    };
    user_id.filter(|id| id != "0")
}

/// Returns class name and id of the context that an organization is.
fn context<'a>(organization: &CaliperEntity<'a>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    if let Some(CanvasExtension {
        context_type: Some(context_type),
        entity_id: Some(entity_id),
        ..
    }) = &organization.extension
    {
        return Some((context_type.clone(), entity_id.clone()));
    }
    let (kind, id) = canvas_id(organization)?;
    let context_type = match kind {
        "course" => "Course",
        "group" => "Group",
        "account" => "Account",
        "user" => "User",
        _ => return None,
    };
    Some((Cow::Borrowed(context_type), Cow::Owned(id.to_owned())))
}

/// Returns the kind and the id in an id such as `urn:instructure:canvas:course:7` or
/// `urn:instructure:canvas:course:7:section:8`.
fn canvas_id<'e>(entity: &'e CaliperEntity<'_>) -> Option<(&'e str, &'e str)> {
    let mut parts = entity.id.as_deref()?.strip_prefix(CANVAS_URN)?.split(':');
    let (kind, id) = (parts.next()?, parts.next()?);
    (!id.is_empty()).then_some((kind, id))
}

/// Reads up to the end of the metadata. The long part of an event, the body, usually comes after it. Returns
/// `None` if there is no metadata.
fn read<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Facts<'a>>, Flaw> {
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        scanner.colon()?;
        if key.bytes().as_ref() == b"metadata" {
            return metadata(scanner).map(Some);
        }
        scanner.value()?;
        has_entry = scanner.advance()?;
    }
    Ok(None)
}

fn metadata<'a>(scanner: &mut Scanner<'a>) -> Result<Facts<'a>, Flaw> {
    let mut facts = Facts::default();
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        scanner.colon()?;
        match facts.get_mut(&key.bytes()) {
            Some(fact) => *fact = string_or_number(scanner)?,
            None => scanner.value()?,
        }
        has_entry = scanner.advance()?;
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(user_id: &str, wanted: Option<&str>) {
        let stored = format!(r#"{{"body":{{"user_id":"8"}},"metadata":{{"user_id":{user_id}}}}}"#);
        assert_eq!(
            Facts::from_event(stored.as_bytes()).user_id.as_deref(),
            wanted,
            "{user_id}"
        );
    }

    #[test]
    fn strings_are_unescaped_and_numbers_keep_their_spelling() {
        check(r#""21070000000000987""#, Some("21070000000000987"));
        check(r#""\u0037""#, Some("7"));
        check(r#""""#, Some(""));
        check("21070000000000987", Some("21070000000000987"));
        check("-1.50E+3", Some("-1.50E+3"));
    }

    #[test]
    fn any_other_value_counts_as_missing() {
        for user_id in ["null", "true", "[7]", r#"{"user_id":"7"}"#, r#""\ud83d""#] {
            check(user_id, None);
        }
        assert_eq!(
            Facts::from_event(br#"{"body":{},"metadata":{}}"#),
            Facts::default()
        );
    }

    #[test]
    fn a_key_may_be_escaped() {
        let facts = Facts::from_event(br#"{"metad\u0061ta":{"produc\u0065r":"canvas"},"body":{}}"#);
        assert_eq!(facts.producer.as_deref(), Some("canvas"));
    }

    #[test]
    fn input_that_is_not_a_stored_event_has_no_facts() {
        for other in [
            "",
            "[]",
            "{",
            r#"{"metadata":{"producer":"canvas","#,
            r#"{"metadata":7}"#,
        ] {
            assert_eq!(
                Facts::from_event(other.as_bytes()),
                Facts::default(),
                "{other}"
            );
        }
    }
}
