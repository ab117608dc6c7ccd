//! An event as Easel stores it.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::{Builder, Uuid};

/// An admitted event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "`type` is a keyword, and the glossary says `event type`"
)]
pub struct Event {
    /// The id: [`event_id`] of the bytes. [`Self::confine`] has the one exception.
    pub id: Uuid,
    /// The `event_name`, unescaped; 1 to 128 characters. A Caliper envelope has no such name:
    /// [`admit_hosted`](crate::admit_hosted) says what its type is.
    pub event_type: Arc<str>,
    /// The `event_time`, or the `eventTime` of a Caliper event.
    pub occurred_at: Timestamp,
    /// The `root_account_id`, as [`Facts`](crate::Facts) reads it.
    pub root_account_id: Option<Arc<str>>,
    /// The `root_account_uuid`, as [`Facts`](crate::Facts) reads it.
    pub root_account_uuid: Option<Arc<str>>,
    /// The format of the bytes.
    pub shape: EventShape,
    /// The stored form: the input bytes without white space between tokens. The key `attributes` is
    /// replaced by `metadata`. Nothing else changes.
    pub bytes: Bytes,
}

/// The format in which an event was sent and is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventShape {
    /// An object with `metadata` and `body`, as Canvas writes it.
    Canvas,
    /// A Caliper envelope with one event.
    Caliper,
}

/// Returns the id of an event: the first 128 bits of BLAKE3 over its stored form, as a version 4 UUID.
pub fn event_id(stored: &[u8]) -> Uuid {
    event_id_of(&[stored])
}

/// Returns the id of the bytes of all parts together.
pub(crate) fn event_id_of(parts: &[&[u8]]) -> Uuid {
    let mut bits = [0; 16];
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize_xof().fill(&mut bits);
    Builder::from_random_bytes(bits).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_start_of_the_digest_as_a_version_4_uuid() {
        let id = event_id(b"{}");
        let digest = blake3::hash(b"{}");
        let (bits, digest) = (id.as_bytes(), digest.as_bytes());
        assert_eq!(id.get_version_num(), 4);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(bits[..6], digest[..6]);
        assert_eq!(bits[6] & 0x0f, digest[6] & 0x0f);
        assert_eq!(bits[7], digest[7]);
        assert_eq!(bits[8] & 0x3f, digest[8] & 0x3f);
        assert_eq!(bits[9..], digest[9..16]);
    }

    #[test]
    fn an_id_never_changes() {
        let stored = br#"{"metadata":{"event_name":"logged_out","event_time":"2019-11-01T19:11:00Z"},"body":{}}"#;
        assert_eq!(
            event_id(stored).to_string(),
            "4e4175eb-e9fc-44f7-af9c-07ce79bf897f"
        );
    }
}
