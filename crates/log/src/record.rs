//! What the log stores.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::Offset;

/// A record on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// The record's identity: two records with one id are the same record.
    pub id: Uuid,
    /// The name by which readers skip blocks; at most 128 characters.
    pub event_type: Arc<str>,
    /// When it happened. What has no time of its own happened when it was appended.
    pub occurred_at: Option<Timestamp>,
    /// Whose it is and where it comes from.
    pub provenance: Arc<Provenance>,
    /// What its source said when it handed the record over.
    pub arrival: Option<Arc<Arrival>>,
    /// The bytes, as they will be read back; at most [`Self::MAX_BYTES`].
    pub bytes: Bytes,
}

/// A record of the log.
///
/// Its bytes are a slice of its block's: holding a record holds the block in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub offset: Offset,
    /// Its identity.
    pub id: Uuid,
    /// Its event type.
    pub event_type: Arc<str>,
    /// When it happened; if it has no time of its own, when it was appended.
    pub occurred_at: Timestamp,
    /// When its block was committed.
    pub appended_at: Timestamp,
    /// Whose it is and where it comes from.
    pub provenance: Arc<Provenance>,
    /// What its source said when it handed the record over.
    pub arrival: Option<Arc<Arrival>>,
    /// Its bytes, exactly as appended.
    pub bytes: Bytes,
}

/// Whose a record is and where it comes from. Many records share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// The global id of its root account, as sent.
    pub root_account_id: Option<Arc<str>>,
    /// The UUID of its root account, as sent.
    pub root_account_uuid: Option<Arc<str>>,
    /// The name of the source it came from, if that has one.
    pub source: Option<Arc<str>>,
    /// What its bytes look like.
    pub shape: Shape,
}

/// What the bytes of a record look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `metadata` and `body`, as Canvas writes them.
    #[default]
    Canvas,
    /// A Caliper envelope with one event in it.
    Caliper,
}

/// What a source said when it handed a record over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The source's own id of the message that brought it.
    pub message_id: Option<Box<str>>,
    /// When the source took it.
    pub sent_at: Option<Timestamp>,
}

/// What a record's bytes say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts {
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
    /// Whose it is and where it comes from.
    pub provenance: Provenance,
}

/// Reads from a record's bytes what blocks of format 1 do not tell of it.
pub type ReadFacts = fn(&[u8]) -> RecordFacts;

impl NewRecord {
    /// The most bytes of one record, 64 MiB.
    pub const MAX_BYTES: usize = 64 << 20;

    /// A record of which no more is known than this.
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
    /// Nothing, whatever the bytes: for logs that hold no events.
    pub fn none(_bytes: &[u8]) -> Self {
        Self::default()
    }
}
