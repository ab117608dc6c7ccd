//! What a subscription keeps in order: the events that have the same value in one field.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Facts;
use crate::facts::string_or_number;
use crate::fault::Flaw;
use crate::scanner::{Container, Scanner};

/// The digest of the value that events are kept in order by. Values that share a digest are kept in
/// order too, which does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(pub i64);

impl OrderKey {
    /// The key of the acting user; of an event without one, the key of its context. `None` for an
    /// event with neither, which may be sent at any time.
    pub fn of_actor(stored: &[u8]) -> Option<Self> {
        let facts = Facts::of(stored);
        if let Some(user) = facts.user_id {
            return Some(Self::of_value("user", &user));
        }
        let context_id = facts.context_id?;
        let context_type = facts.context_type.unwrap_or_default();
        Some(Self::of_value(&context_type, &context_id))
    }

    fn of_value(kind: &str, value: &str) -> Self {
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
    /// The key that the field gives a stored event; `None` when the field is missing, null, or
    /// neither a string nor a number.
    pub fn key_of(&self, stored: &[u8]) -> Option<OrderKey> {
        let value = find(&mut Scanner::new(stored, usize::MAX), &self.0).ok()??;
        Some(OrderKey::of_value("", &value))
    }
}

impl FromStr for KeyField {
    type Err = KeyFieldError;

    fn from_str(text: &str) -> Result<Self, KeyFieldError> {
        let names: Vec<_> = text.split('.').map(str::to_owned).collect();
        let is_known = matches!(names.first().map(String::as_str), Some("metadata" | "body"));
        if is_known && names.len() > 1 && text.len() <= 256 && !names.iter().any(String::is_empty) {
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

/// Why a text names no field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a key is a field such as `metadata.user_id` or `body.course_id`; {text:?} is not")]
pub struct KeyFieldError {
    /// What was given.
    text: String,
}

/// Goes to the field at `path` and reads its value.
fn find<'a>(
    scanner: &mut Scanner<'a>,
    path: &[String],
) -> Result<Option<std::borrow::Cow<'a, str>>, Flaw> {
    let Some((name, rest)) = path.split_first() else {
        return string_or_number(scanner);
    };
    if scanner.peek() != Some(b'{') {
        return Ok(None);
    }
    let mut entry = scanner.enter(Container::Object)?;
    while entry {
        let key = scanner.key()?;
        scanner.colon()?;
        if key.bytes().as_ref() == name.as_bytes() {
            return find(scanner, rest);
        }
        scanner.value()?;
        entry = scanner.advance()?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"metadata":{"user_id":"7","context_type":"Course","context_id":"3"},
        "body":{"course_id":12,"assignment":{"id":"a"},"late":true,"none":null}}"#;

    #[test]
    fn a_field_of_metadata_or_body_gives_a_key() {
        let key = |field: &str| field.parse::<KeyField>().unwrap().key_of(EVENT.as_bytes());
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
    fn without_a_field_the_user_counts_and_then_the_context() {
        let key = |metadata: &str| {
            let event = format!(r#"{{"metadata":{{{metadata}}},"body":{{}}}}"#);
            OrderKey::of_actor(event.as_bytes())
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
    fn what_names_no_field_is_refused() {
        for text in ["", "user_id", "metadata", "metadata.", "head.x", "body..x"] {
            assert!(text.parse::<KeyField>().is_err(), "{text}");
        }
        assert_eq!(
            "body.a.b".parse::<KeyField>().unwrap().to_string(),
            "body.a.b"
        );
    }
}
