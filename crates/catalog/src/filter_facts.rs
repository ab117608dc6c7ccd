//! The facts of a stored event that a filter can need. Each part is read when it is first needed.
//!
//! Most filters need only the metadata, which is short. The origin and the facts in the body are read
//! together, in one pass over the whole event, and only for filters that have a condition on one of them.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::caliper_envelope::CANVAS_EXTENSION;
use crate::event_type::EventOrigin;
use crate::facts::Facts;
use crate::flaw::Flaw;
use crate::object_members::string_or_number;
use crate::scanner::{Container, Scanner};

/// The facts of a stored event, each part read at most once.
#[derive(Clone, Debug)]
pub struct FilterFacts<'a> {
    stored: &'a [u8],
    metadata: OnceCell<Facts<'a>>,
    details: OnceCell<EventDetails<'a>>,
}

impl<'a> FilterFacts<'a> {
    /// Creates the facts of an event in its stored form. Any other input has no facts.
    pub const fn new(stored: &'a [u8]) -> Self {
        Self {
            stored,
            metadata: OnceCell::new(),
            details: OnceCell::new(),
        }
    }

    /// Creates the facts of an event with this metadata and these details, for tests.
    pub fn from_parts(metadata: Facts<'a>, details: EventDetails<'a>) -> Self {
        Self {
            stored: &[],
            metadata: metadata.into(),
            details: details.into(),
        }
    }

    /// Returns the facts in the metadata.
    pub fn metadata(&self) -> &Facts<'a> {
        self.metadata.get_or_init(|| Facts::from_event(self.stored))
    }

    /// Returns the origin of the event and the facts in its body.
    pub fn details(&self) -> &EventDetails<'a> {
        self.details
            .get_or_init(|| EventDetails::from_event(self.stored))
    }
}

/// The origin of an event, and the facts in its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDetails<'a> {
    /// What made the event: a job if the metadata has `job_id` or `job_tag`, else a request if it has
    /// `request_id` or `user_id`.
    pub origin: EventOrigin,
    /// The assignment: `assignment_id`, or `context_id` when the context in the body is an assignment.
    pub assignment_id: Option<Cow<'a, str>>,
    /// `associated_integration_id`: the LTI 2 tool that the event is for.
    pub associated_integration_id: Option<Cow<'a, str>>,
}

impl Default for EventDetails<'_> {
    fn default() -> Self {
        Self {
            origin: EventOrigin::Neither,
            assignment_id: None,
            associated_integration_id: None,
        }
    }
}

impl<'a> EventDetails<'a> {
    fn from_event(stored: &'a [u8]) -> Self {
        read(&mut Scanner::new(stored, usize::MAX)).unwrap_or_default()
    }
}

fn read<'a>(scanner: &mut Scanner<'a>) -> Result<EventDetails<'a>, Flaw> {
    let mut details = EventDetails::default();
    each_member(scanner, |scanner, key| match key {
        b"metadata" => {
            details.origin = origin(scanner)?;
            Ok(())
        }
        b"body" => read_body(scanner, &mut details),
        b"data" => each_item(scanner, |scanner| {
            member(scanner, b"extensions", |scanner| {
                member(scanner, CANVAS_EXTENSION, |scanner| {
                    details.origin = origin(scanner)?;
                    Ok(())
                })
            })
        }),
        _ => scanner.value(),
    })?;
    Ok(details)
}

/// Reads the origin from the metadata, or from the extension of an envelope, which has the same members.
fn origin(scanner: &mut Scanner<'_>) -> Result<EventOrigin, Flaw> {
    let (mut is_job, mut is_request) = (false, false);
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        return Ok(EventOrigin::Neither);
    }
    each_member(scanner, |scanner, key| {
        let is_origin = match key {
            b"job_id" | b"job_tag" => &mut is_job,
            b"request_id" | b"user_id" => &mut is_request,
            _ => return scanner.value(),
        };
        *is_origin |= string_or_number(scanner)?.is_some();
        Ok(())
    })?;
    Ok(match (is_job, is_request) {
        (true, _) => EventOrigin::Job,
        (false, true) => EventOrigin::Request,
        (false, false) => EventOrigin::Neither,
    })
}

fn read_body<'a>(scanner: &mut Scanner<'a>, details: &mut EventDetails<'a>) -> Result<(), Flaw> {
    if scanner.peek() != Some(b'{') {
        return scanner.value();
    }
    let (mut context_type, mut context_id) = (None, None);
    each_member(scanner, |scanner, key| {
        let fact = match key {
            b"assignment_id" => &mut details.assignment_id,
            b"associated_integration_id" => &mut details.associated_integration_id,
            b"context_type" => &mut context_type,
            b"context_id" => &mut context_id,
            _ => return scanner.value(),
        };
        *fact = string_or_number(scanner)?;
        Ok(())
    })?;
    if details.assignment_id.is_none() && context_type.as_deref() == Some("Assignment") {
        details.assignment_id = context_id;
    }
    Ok(())
}

/// Calls `read` at each item if an array starts here. Moves past the value.
fn each_item<'a>(
    scanner: &mut Scanner<'a>,
    mut read: impl FnMut(&mut Scanner<'a>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    if scanner.peek() != Some(b'[') {
        return scanner.value();
    }
    let mut has_entry = scanner.enter(Container::Array)?;
    while has_entry {
        read(scanner)?;
        has_entry = scanner.advance()?;
    }
    Ok(())
}

/// Calls `read` at the value of the member `name` if an object starts here. Moves past the value.
fn member<'a>(
    scanner: &mut Scanner<'a>,
    name: &[u8],
    mut read: impl FnMut(&mut Scanner<'a>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    if scanner.peek() != Some(b'{') {
        return scanner.value();
    }
    each_member(scanner, |scanner, key| match key {
        key if key == name => read(scanner),
        _ => scanner.value(),
    })
}

/// Calls `read` at the value of each member of the object that must start here.
fn each_member<'a>(
    scanner: &mut Scanner<'a>,
    mut read: impl FnMut(&mut Scanner<'a>, &[u8]) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        scanner.colon()?;
        read(scanner, &key.bytes())?;
        has_entry = scanner.advance()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stored: &str, wanted: (EventOrigin, Option<&str>, Option<&str>)) {
        let facts = FilterFacts::new(stored.as_bytes());
        let details = facts.details();
        let found = (
            details.origin,
            details.assignment_id.as_deref(),
            details.associated_integration_id.as_deref(),
        );
        assert_eq!(found, wanted, "{stored}");
    }

    #[test]
    fn an_event_of_a_job_has_a_job_even_if_it_has_a_user() {
        use EventOrigin::{Job, Neither, Request};
        for (metadata, wanted) in [
            (r#"{"job_id":"7"}"#, Job),
            (r#"{"job_tag":"Grader#run","user_id":"7"}"#, Job),
            (r#"{"request_id":"7"}"#, Request),
            (r#"{"user_id":"7"}"#, Request),
            (r#"{"user_id":null,"job_id":null}"#, Neither),
            (r#"{"job_\u0069d":7}"#, Job),
            ("{}", Neither),
        ] {
            check(
                &format!(r#"{{"metadata":{metadata},"body":{{}}}}"#),
                (wanted, None, None),
            );
            check(
                &format!(r#"{{"body":{{}},"metadata":{metadata}}}"#),
                (wanted, None, None),
            );
        }
    }

    #[test]
    fn an_envelope_has_its_origin_in_the_extension_of_canvas() {
        use EventOrigin::{Job, Neither, Request};
        for (event, wanted) in [
            (
                r#"{"extensions":{"com.instructure.canvas":{"job_id":"7","user_id":"8"}}}"#,
                Job,
            ),
            (
                r#"{"extensions":{"x":{"job_id":"7"},"com.instructure.canvas":{"request_id":"7"}}}"#,
                Request,
            ),
            (
                r#"{"extensions":{"com.instructure.canvas":[{"job_id":"7"}]}}"#,
                Neither,
            ),
            (r#"{"extensions":[{"job_id":"7"}],"job_id":"7"}"#, Neither),
            ("7", Neither),
        ] {
            check(
                &format!(r#"{{"sensor":"s","data":[{event}]}}"#),
                (wanted, None, None),
            );
        }
    }

    #[test]
    fn the_assignment_and_the_tool_are_read_from_the_body_alone() {
        let neither = EventOrigin::Neither;
        check(
            r#"{"metadata":{"assignment_id":"1"},"body":{"assignment_id":9,"associated_integration_id":"tool","x":[{"assignment_id":"2"}]}}"#,
            (neither, Some("9"), Some("tool")),
        );
        check(
            r#"{"body":{"context_id":"9","context_type":"Assignment"},"metadata":{}}"#,
            (neither, Some("9"), None),
        );
        check(
            r#"{"body":{"context_id":"9","context_type":"Course"},"metadata":{}}"#,
            (neither, None, None),
        );
    }

    #[test]
    fn input_that_is_not_a_stored_event_has_no_details() {
        for other in ["", "[]", "{", r#"{"body":7}"#, r#"{"metadata":7}"#] {
            check(other, (EventOrigin::Neither, None, None));
        }
    }
}
