//! How much of the log is kept.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{BlockInfo, Offset};

/// What the log keeps; a record goes when either bound says so. Trimming drops whole blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Drop blocks appended longer ago than this.
    pub max_age: Option<Duration>,
    /// Drop the oldest blocks while the stored blocks take more than this many bytes.
    pub max_bytes: Option<u64>,
}

/// What one trim dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Records dropped.
    pub record_count: u64,
    /// The first record kept, or the head when none is.
    pub tail: Offset,
}

/// Why blocks go.
#[derive(Clone, Copy, Debug)]
pub enum Trim {
    /// What the retention no longer keeps at this time.
    Outdated(Retention, Timestamp),
    /// What lies wholly before this place.
    Before(Offset),
}

impl Trim {
    /// Whether the oldest block goes while the blocks take `stored_bytes` all together.
    pub fn drops(&self, block: &BlockInfo, stored_bytes: u64) -> bool {
        match self {
            Self::Before(tail) => block.next() <= *tail,
            Self::Outdated(retention, now) => {
                let age = now.duration_since(block.appended_at);
                let is_old = retention.max_age.is_some_and(|max_age| {
                    age > SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX)
                });
                is_old
                    || retention
                        .max_bytes
                        .is_some_and(|max_bytes| stored_bytes > max_bytes)
            }
        }
    }
}
