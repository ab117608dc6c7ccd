//! The trait that every backend implements, with its guarantees.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Block, NewRecord, Offset, Record, Retention, Trimmed, Want};

/// A shared handle to a log.
pub type SharedLog = Arc<dyn Log>;

/// Accepted records in order, on stable storage.
///
/// Every backend gives these guarantees. The promises suite tests them.
///
/// - After [`Appended::Stored`], the record is on stable storage. It is read back byte for byte
///   until it is trimmed.
/// - Offsets rise by one, in the order of the records of an append. They are never reused, even
///   after all records were trimmed and the log was reopened.
/// - An append is stored whole or not at all.
/// - The records of a failed append may still be stored later, all of them. The sender cannot know
///   this and sends them again. The duplicate window then finds the duplicates.
/// - `is_transient` of an error says whether a retry may help.
/// - A failed trim does not stop appends, unless the storage itself failed.
/// - A block that cannot be read back exactly is returned as [`Read::Damaged`], counted and logged
///   once. All other blocks stay readable.
/// - The duplicate window holds the ids of the newest stored records, also after a reopen.
#[async_trait]
pub trait Log: Debug + Send + Sync + 'static {
    /// Stores the records and returns one result per record, in order, once all are on stable
    /// storage.
    ///
    /// Waits while the queue is full. Dropping the future does not cancel the append: the records
    /// may or may not be stored.
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError>;

    /// Returns the block that contains `from`, or the first block after it.
    ///
    /// Every result except [`Read::End`] ends past `from`, so a reader that continues there always
    /// makes progress.
    async fn read(&self, from: Offset) -> Result<Read, ReadError>;

    /// Reads like [`Self::read`], but skips blocks without an event type that `want` matches.
    ///
    /// Consecutive unwanted blocks are one result, up to a limit of the backend. Records of skipped
    /// blocks are not read, so damage in them is not found.
    async fn read_wanted(&self, from: Offset, want: &Want) -> Result<WantedRead, ReadError>;

    /// Returns the commit time of the block that contains `from`, or of the first block after it.
    ///
    /// Returns `None` at the head. If damage hides the time, returns the commit time of the next
    /// block. If there is no next block, returns the newest commit time of the log.
    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError>;

    /// Returns the first offset whose block was committed at `time` or later, else the head.
    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError>;

    /// Returns the newest record with this id, if the log still has one.
    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError>;

    /// Drops the oldest blocks that exceed `retention` at the time `now`. Drops whole blocks only.
    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError>;

    /// Drops every block that ends at or before `up_to`. A block that ends after `up_to` stays whole.
    async fn trim_to(&self, up_to: Offset) -> Result<Trimmed, TrimError>;

    /// Returns a watch on the bounds of the log. It notifies of every change.
    fn bounds(&self) -> watch::Receiver<Bounds>;

    /// Returns counts for operators.
    fn stats(&self) -> LogStats;
}

/// The bounds of a log. The log has the records `[tail, head)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest stored offset. Equals `head` if no record is stored.
    pub tail: Offset,
    /// The offset after the newest record. The next appended record gets it.
    pub head: Offset,
}

/// Counts for operators. Those named `…_count` start at zero when the log is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Whether the log refuses appends now, for example after a failed write.
    pub refusing: bool,
    /// Damaged records that readers skip, each block counted once.
    pub damaged_count: u64,
    /// Records not stored because their id was in the duplicate window.
    pub duplicate_count: u64,
    /// Bytes of all stored blocks now, compressed if the backend compresses.
    pub stored_bytes: u64,
}

/// The result of an append for one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Stored at this offset.
    Stored(Offset),
    /// Not stored: a record with this id is at this offset already.
    Duplicate(Offset),
}

impl Appended {
    /// Returns the record's offset.
    pub const fn offset(self) -> Offset {
        match self {
            Self::Stored(offset) | Self::Duplicate(offset) => offset,
        }
    }
}

/// The result of [`Log::read`].
#[derive(Clone, Debug)]
pub enum Read {
    /// A block that ends past `from`.
    Block(Arc<Block>),
    /// These records, all at or after `from`, are damaged. The reader must skip them.
    Damaged(Range<Offset>),
    /// The log has no record at or after `from` yet.
    End,
}

/// The result of [`Log::read_wanted`].
#[derive(Clone, Debug)]
pub enum WantedRead {
    /// A block that ends past `from` and has a wanted event type.
    Block(Arc<Block>),
    /// These records, all at or after `from`, are in blocks without a wanted event type.
    Skipped(Range<Offset>),
    /// These records, all at or after `from`, are damaged. The reader must skip them.
    Damaged(Range<Offset>),
    /// The log has no record at or after `from` yet.
    End,
}

/// Why an append failed. Its records may still be stored later, all of them.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The write failed. All further writes will fail too.
    #[error("write to the log: {reason}")]
    Failed {
        /// The error text of the storage.
        reason: String,
    },
    /// The storage cannot be reached or accepts no writes at the moment.
    #[error("write to the log: the storage is unavailable: {reason}")]
    Unavailable {
        /// The error text of the storage.
        reason: String,
    },
    /// The log refuses writes because an earlier write failed.
    #[error("write to the log: the log refuses writes because an earlier write failed: {reason}")]
    Refusing {
        /// The error text of that failure.
        reason: String,
    },
    /// A record is larger than [`NewRecord::MAX_BYTES`].
    #[error(
        "write to the log: a record has {bytes} bytes, the maximum is {}",
        NewRecord::MAX_BYTES
    )]
    TooLarge {
        /// The record's length.
        bytes: usize,
    },
    /// The log is shutting down.
    #[error("write to the log: the log is closed")]
    Closed,
}

impl AppendError {
    /// Returns whether a retry may help without an operator.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Failed { .. } | Self::Refusing { .. } | Self::TooLarge { .. } | Self::Closed => {
                false
            }
        }
    }

    /// Rejects records larger than [`NewRecord::MAX_BYTES`].
    pub fn check_sizes(records: &[NewRecord]) -> Result<(), Self> {
        let sizes = records.iter().map(|record| record.bytes.len());
        match sizes.max().filter(|bytes| *bytes > NewRecord::MAX_BYTES) {
            Some(bytes) => Err(Self::TooLarge { bytes }),
            None => Ok(()),
        }
    }
}

/// Why a trim ended early. Blocks that it had dropped before the error stay dropped.
#[derive(Clone, Debug, Error)]
pub enum TrimError {
    /// Damaged data prevents the trim. Appends continue.
    #[error("trim the log: damaged data prevents it: {reason}")]
    Damaged {
        /// The error text of the storage.
        reason: String,
    },
    /// The write failed. All further writes will fail too.
    #[error("trim the log: {reason}")]
    Failed {
        /// The error text of the storage.
        reason: String,
    },
    /// The storage cannot be reached or accepts no writes at the moment.
    #[error("trim the log: the storage is unavailable: {reason}")]
    Unavailable {
        /// The error text of the storage.
        reason: String,
    },
    /// The log refuses writes because an earlier write failed.
    #[error("trim the log: the log refuses writes because an earlier write failed: {reason}")]
    Refusing {
        /// The error text of that failure.
        reason: String,
    },
    /// The log is shutting down.
    #[error("trim the log: the log is closed")]
    Closed,
}

impl TrimError {
    /// Returns whether a retry may help without an operator.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Damaged { .. } | Self::Failed { .. } | Self::Refusing { .. } | Self::Closed => {
                false
            }
        }
    }
}

/// Why a read failed.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// The storage cannot be read at the moment.
    #[error("read the log: {reason}")]
    Unavailable {
        /// The error text of the storage.
        reason: String,
    },
    /// The stored data is invalid.
    #[error("read the log: {reason}")]
    Failed {
        /// The fault in the data.
        reason: String,
    },
}

impl ReadError {
    /// Returns whether a retry may help without an operator.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Failed { .. } => false,
        }
    }
}
