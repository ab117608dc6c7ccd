//! The facts of a stored event that filters use.

use std::borrow::Cow;

use crate::flaw::Flaw;
use crate::scanner::{Container, Scanner};

/// The facts in the metadata of a stored event: its time, accounts, context, user and producer.
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
    /// The producer of the event, such as `canvas`.
    pub producer: Option<Cow<'a, str>>,
}

impl<'a> Facts<'a> {
    /// Reads the facts of an event in its stored form. Any other input gives no facts.
    pub fn from_event(stored: &'a [u8]) -> Self {
        read(&mut Scanner::new(stored, usize::MAX)).unwrap_or_default()
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

/// Reads up to the end of the metadata. The long part of an event, the body, usually comes after it.
fn read<'a>(scanner: &mut Scanner<'a>) -> Result<Facts<'a>, Flaw> {
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        scanner.colon()?;
        if key.bytes().as_ref() == b"metadata" {
            return metadata(scanner);
        }
        scanner.value()?;
        has_entry = scanner.advance()?;
    }
    Ok(Facts::default())
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

/// Moves past a value. Returns the value if it is a string or a number.
pub(crate) fn string_or_number<'a>(
    scanner: &mut Scanner<'a>,
) -> Result<Option<Cow<'a, str>>, Flaw> {
    let start = scanner.at();
    match scanner.peek() {
        Some(b'"') => Ok(scanner.string()?.decode()),
        Some(b'-' | b'0'..=b'9') => {
            scanner.value()?;
            Ok(str::from_utf8(scanner.since(start)).ok().map(Cow::Borrowed))
        }
        _ => {
            scanner.value()?;
            Ok(None)
        }
    }
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
