//! Order keys: a subscription keeps events with the same key in order.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Facts;
use crate::flaw::Flaw;
use crate::object_members::string_or_number;
use crate::scanner::{Container, Scanner};

/// The digest of a field's value. Events with the same key stay in order. If two different values have
/// the same digest, their events stay in order too, which does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(pub i64);

impl OrderKey {
    /// Returns the key of the acting user. If the user is missing, returns the key of the context.
    /// `None` if both are missing; the event then needs no order.
    pub fn from_actor(stored: &[u8]) -> Option<Self> {
        let facts = Facts::from_event(stored);
        if let Some(user) = facts.user_id {
            return Some(Self::from_value("user", &user));
        }
        let context_id = facts.context_id?;
        let context_type = facts.context_type.unwrap_or_default();
        Some(Self::from_value(&context_type, &context_id))
    }

    fn from_value(kind: &str, value: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(kind.as_bytes()).update(&[0]);
        hasher.update(value.as_bytes());
        let digest = hasher.finalize();
        let mut start = [0; 8];
        start.copy_from_slice(digest.as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]));
        Self(i64::from_be_bytes(start))
    }
}

/// A field of an event, such as `metadata.user_id` or `body.course_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyField(Vec<String>);

impl KeyField {
    /// Returns the key of a stored event. `None` if the field is neither a string nor a number.
    ///
    /// A Caliper envelope has neither metadata nor body. A field of the metadata that is one of the
    /// [`Facts`] has the value of that fact. An envelope has no other field.
    pub fn order_key(&self, stored: &[u8]) -> Option<OrderKey> {
        let value = find_value(&mut Scanner::new(stored, usize::MAX), &self.0).ok()?;
        if let Some(value) = value {
            return Some(OrderKey::from_value("", &value));
        }
        match self.0.as_slice() {
            [metadata, name] if metadata == "metadata" => {
                let facts = Facts::from_event(stored);
                Some(OrderKey::from_value("", facts.get(name)?))
            }
            _ => None,
        }
    }
}

impl FromStr for KeyField {
    type Err = KeyFieldError;

    fn from_str(text: &str) -> Result<Self, KeyFieldError> {
        let names: Vec<_> = text.split('.').map(str::to_owned).collect();
        let is_in_event = matches!(names.first().map(String::as_str), Some("metadata" | "body"));
        if is_in_event
            && names.len() > 1
            && text.len() <= 256
            && !names.iter().any(String::is_empty)
        {
            return Ok(Self(names));
        }
        Err(KeyFieldError {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for KeyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// The error for a text that does not name a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a key must be a field such as `metadata.user_id` or `body.course_id`, not {text:?}")]
pub struct KeyFieldError {
    /// The text.
    text: String,
}

/// Moves to the field at `path` and reads its value.
fn find_value<'a>(
    scanner: &mut Scanner<'a>,
    path: &[String],
) -> Result<Option<std::borrow::Cow<'a, str>>, Flaw> {
    let Some((name, rest)) = path.split_first() else {
        return string_or_number(scanner);
    };
    if scanner.peek() != Some(b'{') {
        return Ok(None);
    }
    let mut has_entry = scanner.enter(Container::Object)?;
    while has_entry {
        let key = scanner.key()?;
        scanner.colon()?;
        if key.bytes().as_ref() == name.as_bytes() {
            return find_value(scanner, rest);
        }
        scanner.value()?;
        has_entry = scanner.advance()?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"metadata":{"user_id":"7","context_type":"Course","context_id":"3"},
        "body":{"course_id":12,"assignment":{"id":"a"},"late":true,"none":null}}"#;

    #[test]
    fn only_a_string_or_number_of_metadata_or_body_gives_a_key() {
        let key = |field: &str| {
            field
                .parse::<KeyField>()
                .unwrap()
                .order_key(EVENT.as_bytes())
        };
        for field in [
            "metadata.user_id",
            "metadata.context_id",
            "body.course_id",
            "body.assignment.id",
        ] {
            assert!(key(field).is_some(), "{field}");
        }
        assert_ne!(key("metadata.user_id"), key("metadata.context_id"));
        for field in [
            "body.late",
            "body.none",
            "body.assignment",
            "body.missing",
            "body.course_id.x",
        ] {
            assert_eq!(key(field), None, "{field}");
        }
    }

    #[test]
    fn the_default_key_is_the_user_or_else_the_context() {
        let key = |metadata: &str| {
            let event = format!(r#"{{"metadata":{{{metadata}}},"body":{{}}}}"#);
            OrderKey::from_actor(event.as_bytes())
        };
        let course = r#""context_type":"Course","context_id":"7""#;
        let user = format!(r#""user_id":"7",{course}"#);
        assert_eq!(key(&user), key(r#""user_id":7"#));
        assert!(key(course).is_some());
        assert_ne!(key(course), key(&user));
        assert_ne!(
            key(course),
            key(r#""context_type":"Account","context_id":"7""#)
        );
        assert_eq!(key(r#""user_id":null"#), None);
    }

    #[test]
    fn a_text_that_does_not_name_a_field_is_rejected() {
        for text in ["", "user_id", "metadata", "metadata.", "head.x", "body..x"] {
            assert!(text.parse::<KeyField>().is_err(), "{text}");
        }
        assert_eq!(
            "body.a.b".parse::<KeyField>().unwrap().to_string(),
            "body.a.b"
        );
    }
}
