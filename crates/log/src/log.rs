//! The trait every backend implements, and what it promises.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Block, BlockInfo, NewRecord, Offset, Record, Retention, Trimmed};

/// A log that rooms share.
pub type SharedLog = Arc<dyn Log>;

/// Accepted records in order, on stable storage.
///
/// Every backend promises, and the promises suite tests:
///
/// - an [`Appended::Stored`] answer means the record is on stable storage and will be read back
///   byte for byte until it is trimmed;
/// - offsets rise by one, in the order of the records of one append, and are never reused, not
///   even after everything was trimmed and the log was opened again;
/// - an append is stored whole or not at all;
/// - an append that failed is not read, and after a failed write the log refuses every further one
///   while it goes on serving reads (opened again, it may turn out to hold the failed append after
///   all, whole);
/// - a trim that damage is in the way of fails and has no such consequence: appends go on;
/// - a block that cannot be read back exactly is answered as [`Read::Damaged`], is counted and
///   logged once, and the rest is served;
/// - the duplicate window is the ids of the newest records the log holds, opened again or not.
#[async_trait]
pub trait Log: Debug + Send + Sync + 'static {
    /// Stores the records and answers for each, in order, once they are on stable storage.
    ///
    /// Waits while too much is on its way already. Dropping the future does not take the records
    /// back: they may be stored or not.
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError>;

    /// The block that holds `from`, or the first one after it.
    ///
    /// Whatever it answers but [`Read::End`] ends after `from`, so a reader that goes on from
    /// there always gets on.
    async fn read(&self, from: Offset) -> Result<Read, ReadError>;

    /// What the block at or after `from` holds, without its records; `None` at the head.
    ///
    /// Where damage hides that, the answer names no event types and covers, from `from` on, what
    /// is hidden; damage within the records themselves is found only by reading.
    async fn peek(&self, from: Offset) -> Result<Option<BlockInfo>, ReadError>;

    /// The first offset whose block was appended at `time` or later; the head when there is none.
    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError>;

    /// The newest record with this id, if the log still holds one.
    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError>;

    /// Drops what `retention` no longer keeps, as of `now`, whole blocks from the tail on.
    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, AppendError>;

    /// Drops every block that lies wholly before `tail`; one that reaches past it stays.
    async fn trim_to(&self, tail: Offset) -> Result<Trimmed, AppendError>;

    /// The bounds of what can be read now, and word of every change of them.
    fn bounds(&self) -> watch::Receiver<Bounds>;

    /// Counts for operators.
    fn stats(&self) -> LogStats;
}

/// The bounds of a log: its records are `[tail, head)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest record kept.
    pub tail: Offset,
    /// The place the next record will get.
    pub head: Offset,
}

/// Counts for operators, since the log was opened where not said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Whether appends are refused after a failed write.
    pub refusing: bool,
    /// Records found unreadable and skipped, each block counted once.
    pub damaged_count: u64,
    /// Records not stored because the duplicate window knew their id.
    pub duplicate_count: u64,
    /// Bytes the blocks held now take, compressed where the backend compresses.
    pub stored_bytes: u64,
}

/// What became of one record of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Stored at this place.
    Stored(Offset),
    /// Known already, by its id, at this place; not stored again.
    Duplicate(Offset),
}

impl Appended {
    /// The record's place.
    pub const fn offset(self) -> Offset {
        match self {
            Self::Stored(offset) | Self::Duplicate(offset) => offset,
        }
    }
}

/// What a read found.
#[derive(Clone, Debug)]
pub enum Read {
    /// A block whose last record is at `from` or later.
    Block(Arc<Block>),
    /// These records, the first one at `from` or later, cannot be read back and are to be skipped.
    Damaged(Range<Offset>),
    /// There is nothing at `from` or later yet.
    End,
}

/// Why nothing of an append was stored, as far as its caller may rely on.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The write failed; the log refuses further ones until it is opened again, unless this was a
    /// trim that damage was in the way of.
    #[error("write to the log: {reason}")]
    Failed {
        /// What the storage said.
        reason: String,
    },
    /// An earlier write failed.
    #[error("write to the log: it refuses writes since an earlier one failed: {reason}")]
    Refusing {
        /// What the storage said then.
        reason: String,
    },
    /// A record is larger than [`NewRecord::MAX_BYTES`].
    #[error("write to the log: a record has {bytes} bytes, more than it takes")]
    TooLarge {
        /// The record's length.
        bytes: usize,
    },
    /// The log is shutting down.
    #[error("write to the log: it is closed")]
    Closed,
}

impl AppendError {
    /// Refuses records that are larger than a record may be.
    pub fn check_sizes(records: &[NewRecord]) -> Result<(), Self> {
        let sizes = records.iter().map(|record| record.bytes.len());
        match sizes.max().filter(|bytes| *bytes > NewRecord::MAX_BYTES) {
            Some(bytes) => Err(Self::TooLarge { bytes }),
            None => Ok(()),
        }
    }
}

/// Why a read found nothing out.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// The storage could not be read.
    #[error("read the log: {reason}")]
    Failed {
        /// What the storage said.
        reason: String,
    },
}
