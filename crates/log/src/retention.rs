//! The limits for the age and the size of the log.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{BlockInfo, Offset};

/// The limits of a log. A trim drops the oldest blocks until no block exceeds a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Drop blocks appended longer ago than this.
    pub max_age: Option<Duration>,
    /// Drop the oldest blocks while the stored blocks take more than this many bytes.
    pub max_bytes: Option<u64>,
}

/// The result of a trim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Number of dropped records.
    pub record_count: u64,
    /// The tail of the log after the trim.
    pub tail: Offset,
}

/// Which blocks a trim drops.
#[derive(Clone, Copy, Debug)]
pub enum Trim {
    /// Blocks that exceed the retention at this time.
    Outdated(Retention, Timestamp),
    /// Blocks that end at or before this offset.
    Before(Offset),
}

impl Trim {
    /// Returns whether to drop the oldest block, if all blocks together take `stored_bytes`.
    pub fn drops(&self, block: &BlockInfo, stored_bytes: u64) -> bool {
        match self {
            Self::Before(up_to) => block.end() <= *up_to,
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
