//! The records that the log stores.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::Offset;

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// The record's identity. Two records with the same id are duplicates.
    pub id: Uuid,
    /// The event type, by which readers skip blocks; at most 128 characters.
    pub event_type: Arc<str>,
    /// When it happened. `None` means the time of the append.
    pub occurred_at: Option<Timestamp>,
    /// Its root account, source and shape.
    pub provenance: Arc<Provenance>,
    /// The facts that the source gave when it delivered the record.
    pub arrival: Option<Arc<Arrival>>,
    /// The bytes, at most [`Self::MAX_BYTES`]. They are read back unchanged.
    pub bytes: Bytes,
}

/// A record of the log.
///
/// Its bytes are a slice of its block's bytes, so a record keeps the whole block in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: Offset,
    /// Its identity.
    pub id: Uuid,
    /// Its event type.
    pub event_type: Arc<str>,
    /// When it happened, or when it was appended if it has no time of its own.
    pub occurred_at: Timestamp,
    /// When its block was committed.
    pub appended_at: Timestamp,
    /// Its root account, source and shape.
    pub provenance: Arc<Provenance>,
    /// The facts that the source gave when it delivered the record.
    pub arrival: Option<Arc<Arrival>>,
    /// Its bytes, exactly as appended.
    pub bytes: Bytes,
}

/// The root account, source and shape of a record. Many records share one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// The global id of its root account, as sent.
    pub root_account_id: Option<Arc<str>>,
    /// The UUID of its root account, as sent.
    pub root_account_uuid: Option<Arc<str>>,
    /// The name of its source, if the source has one.
    pub source: Option<Arc<str>>,
    /// The format of its bytes.
    pub shape: Shape,
}

/// The format of a record's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// An object with `metadata` and `body`, as Canvas writes it.
    #[default]
    Canvas,
    /// A Caliper envelope with one event.
    Caliper,
}

/// The facts that a source gives when it delivers a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The source's own id of the message that contained the record.
    pub message_id: Option<Box<str>>,
    /// When the source accepted the message.
    pub sent_at: Option<Timestamp>,
}

/// The facts about a record that its bytes contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts {
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
    /// Its root account, source and shape.
    pub provenance: Provenance,
}

/// A function that extracts from a record's bytes the facts that blocks of format 1 do not contain.
pub type ExtractFacts = fn(&[u8]) -> RecordFacts;

impl NewRecord {
    /// The maximum size of a record: 64 MiB.
    pub const MAX_BYTES: usize = 64 << 20;

    /// Creates a record with only these facts.
    pub fn new(id: Uuid, event_type: impl Into<Arc<str>>, bytes: impl Into<Bytes>) -> Self {
        Self {
            id,
            event_type: event_type.into(),
            occurred_at: None,
            provenance: Arc::default(),
            arrival: None,
            bytes: bytes.into(),
        }
    }
}

impl RecordFacts {
    /// Returns no facts. This is the [`ExtractFacts`] function for logs that store no events.
    pub fn none(_bytes: &[u8]) -> Self {
        Self::default()
    }
}
