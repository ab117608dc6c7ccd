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
    /// The bytes, as they will be read back; at most [`Self::MAX_BYTES`].
    pub bytes: Bytes,
}

impl NewRecord {
    /// The most bytes of one record, 64 MiB.
    pub const MAX_BYTES: usize = 64 << 20;
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
    /// When its block was committed.
    pub appended_at: Timestamp,
    /// Its bytes, exactly as appended.
    pub bytes: Bytes,
}
