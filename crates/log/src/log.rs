//! The trait every backend implements, and what it promises.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Block, NewRecord, Offset, Record, Retention, Trimmed, Want};

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
/// - an append that failed may be read later, whole: its sender cannot know, and sends it again,
///   which the duplicate window then tells;
/// - an error says whether trying again may help, by its `is_transient`;
/// - a trim that fails takes nothing from appends, unless it was the storage that failed;
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
    /// Every answer except [`Read::End`] ends past `from`, so a reader that continues there always
    /// makes progress.
    async fn read(&self, from: Offset) -> Result<Read, ReadError>;

    /// As [`Self::read`], but skips blocks without any event type that `want` wants.
    ///
    /// A run of unwanted blocks is one answer, up to a bound of the backend's. What is skipped is
    /// not looked into: damage within its records is not found.
    async fn read_if(&self, from: Offset, want: &Want) -> Result<ReadIf, ReadError>;

    /// When the block that holds `from`, or the first one after it, was committed; `None` at the
    /// head. Where damage hides that, when the next one was.
    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError>;

    /// The first offset whose block was appended at `time` or later; the head when there is none.
    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError>;

    /// The newest record with this id, if the log still holds one.
    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError>;

    /// Drops what `retention` no longer keeps, as of `now`, whole blocks from the tail on.
    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError>;

    /// Drops every block that lies wholly before `tail`; one that reaches past it stays.
    async fn trim_to(&self, tail: Offset) -> Result<Trimmed, TrimError>;

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
    /// Whether appends are refused at present, such as after a failed write.
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

/// What a read with [`Log::read_if`] found.
#[derive(Clone, Debug)]
pub enum ReadIf {
    /// A block whose last record is at `from` or later, with an event type that is wanted.
    Block(Arc<Block>),
    /// These records, the first one at `from` or later, are in blocks without a wanted event type.
    Skipped(Range<Offset>),
    /// These records, the first one at `from` or later, cannot be read back and are to be skipped.
    Damaged(Range<Offset>),
    /// There is nothing at `from` or later yet.
    End,
}

/// Why an append is not known to be stored. It may be read later all the same, whole.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The write failed, and so will further ones.
    #[error("write to the log: {reason}")]
    Failed {
        /// What the storage said.
        reason: String,
    },
    /// The storage cannot be reached, or does not take writes at the moment.
    #[error("write to the log: it cannot be written at the moment: {reason}")]
    Unavailable {
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
    /// Whether trying again may help, without anybody doing something about it.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Failed { .. } | Self::Refusing { .. } | Self::TooLarge { .. } | Self::Closed => {
                false
            }
        }
    }

    /// Refuses records that are larger than a record may be.
    pub fn check_sizes(records: &[NewRecord]) -> Result<(), Self> {
        let sizes = records.iter().map(|record| record.bytes.len());
        match sizes.max().filter(|bytes| *bytes > NewRecord::MAX_BYTES) {
            Some(bytes) => Err(Self::TooLarge { bytes }),
            None => Ok(()),
        }
    }
}

/// Why a trim ended before everything was dropped that was to go. What went before stays gone.
#[derive(Clone, Debug, Error)]
pub enum TrimError {
    /// Damage is in the way. Appends go on.
    #[error("trim the log: damage is in the way: {reason}")]
    Damaged {
        /// What the storage said.
        reason: String,
    },
    /// The write failed, and so will further ones.
    #[error("trim the log: {reason}")]
    Failed {
        /// What the storage said.
        reason: String,
    },
    /// The storage cannot be reached, or does not take writes at the moment.
    #[error("trim the log: it cannot be written at the moment: {reason}")]
    Unavailable {
        /// What the storage said.
        reason: String,
    },
    /// An earlier write failed.
    #[error("trim the log: it refuses writes since an earlier one failed: {reason}")]
    Refusing {
        /// What the storage said then.
        reason: String,
    },
    /// The log is shutting down.
    #[error("trim the log: it is closed")]
    Closed,
}

impl TrimError {
    /// Whether trying again may help, without anybody doing something about it.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Damaged { .. } | Self::Failed { .. } | Self::Refusing { .. } | Self::Closed => {
                false
            }
        }
    }
}

/// Why a read found nothing out.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// The storage cannot be read at the moment.
    #[error("read the log: {reason}")]
    Unavailable {
        /// What the storage said.
        reason: String,
    },
    /// What the storage holds is not what it should be.
    #[error("read the log: {reason}")]
    Failed {
        /// What is wrong with it.
        reason: String,
    },
}

impl ReadError {
    /// Whether trying again may help, without anybody doing something about it.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Failed { .. } => false,
        }
    }
}
