//! Reads a log in a loop.
//!
//! ```text
//! let mut reader = Reader::new(log, from);
//! loop {
//!     match reader.next().await {
//!         Ok(Some(Found::Block { block, from })) => …  block.records_from(from)
//!         Ok(Some(Found::Skipped(range))) => …         blocks without a wanted event type
//!         Ok(Some(Found::Trimmed(range))) => …         trimmed before it was read
//!         Ok(Some(Found::Damaged(range))) => …         cannot be read back
//!         Ok(None) => break,                           the log is closed
//!         Err(error) => …                              the next call waits, then retries
//!     }
//! }
//! ```
//!
//! The results of a reader cover the log without gaps and overlaps. Each result starts where the
//! previous one ended, and ends at [`Reader::position`]. All methods are cancel safe: the next call
//! returns what a cancelled call would have returned.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::{Block, Bounds, Offset, ReadError, ReadIf, SharedLog, Want};

/// Reads a log from an offset on.
#[derive(Debug)]
pub struct Reader {
    log: SharedLog,
    want: Want,
    bounds: watch::Receiver<Bounds>,
    position: Offset,
    /// A block that was read already. It follows a trimmed range, which is returned first.
    ahead: Option<ReadIf>,
    /// When to retry after a failed read.
    pause_until: Option<Instant>,
}

/// One result of a reader.
#[derive(Clone, Debug)]
pub enum Found {
    /// The records of `block` from `from` on.
    Block {
        /// The block, which may begin before `from`.
        block: Arc<Block>,
        /// The first record that the reader has not returned yet.
        from: Offset,
    },
    /// Blocks without a wanted event type.
    Skipped(Range<Offset>),
    /// Records that were trimmed before they could be read.
    Trimmed(Range<Offset>),
    /// Records that cannot be read back.
    Damaged(Range<Offset>),
}

impl Found {
    /// Returns the offsets that this result covers, at least one.
    pub fn range(&self) -> Range<Offset> {
        match self {
            Self::Block { block, from } => *from..block.next(),
            Self::Skipped(range) | Self::Trimmed(range) | Self::Damaged(range) => range.clone(),
        }
    }
}

impl Reader {
    /// How long [`Self::next`] and [`Self::wait`] wait before they retry a failed read.
    pub const PAUSE: Duration = Duration::from_secs(1);

    /// Creates a reader of all records from `from` on.
    pub fn new(log: SharedLog, from: Offset) -> Self {
        Self {
            bounds: log.bounds(),
            log,
            want: Want::ALL,
            position: from,
            ahead: None,
            pause_until: None,
        }
    }

    /// Makes the reader skip blocks without an event type that `want` matches.
    #[must_use]
    pub fn wanting(self, want: Want) -> Self {
        Self { want, ..self }
    }

    /// Returns the offset where the next result starts.
    pub const fn position(&self) -> Offset {
        self.position
    }

    /// Moves the reader to `position`, forwards or backwards.
    pub fn seek(&mut self, position: Offset) {
        if position != self.position {
            self.position = position;
            self.ahead = None;
        }
    }

    /// Returns the next result, or `None` once the log is closed.
    ///
    /// Waits at the head. After an error, the next call waits for [`Self::PAUSE`] first.
    pub async fn next(&mut self) -> Result<Option<Found>, ReadError> {
        while self.wait().await {
            if let Some(found) = self.try_next().await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Returns the next result, or `None` at the head. Waits only for the storage.
    pub async fn try_next(&mut self) -> Result<Option<Found>, ReadError> {
        let head = self.bounds.borrow().head;
        let read = match self.ahead.take() {
            Some(read) => read,
            None => {
                let read = self.log.read_if(self.position, &self.want).await;
                read.inspect_err(|_error| self.pause())?
            }
        };
        let start = match &read {
            ReadIf::Block(block) => block.first(),
            ReadIf::Skipped(range) | ReadIf::Damaged(range) => range.start,
            ReadIf::End => self.bounds.borrow().tail,
        };
        let from = self.position;
        if start > from {
            self.position = start;
            self.ahead = Some(read).filter(|read| !matches!(read, ReadIf::End));
            return Ok(Some(Found::Trimmed(from..start)));
        }
        let found = match read {
            ReadIf::Block(block) => Found::Block { block, from },
            ReadIf::Skipped(range) => Found::Skipped(from..range.end),
            ReadIf::Damaged(range) => Found::Damaged(from..range.end),
            ReadIf::End => {
                // The bounds announced more records, but the log does not return them yet.
                if from < head {
                    self.pause();
                }
                return Ok(None);
            }
        };
        self.position = found.range().end;
        Ok(Some(found))
    }

    /// Waits until there may be a next result. Returns `false` once the log is closed.
    ///
    /// Waits for [`Self::PAUSE`] after a failed read, and for a change of the bounds at the head.
    pub async fn wait(&mut self) -> bool {
        if let Some(until) = self.pause_until {
            sleep_until(until).await;
            self.pause_until = None;
        }
        loop {
            let Bounds { tail, head } = *self.bounds.borrow_and_update();
            if self.ahead.is_some() || self.position < head || self.position < tail {
                return true;
            }
            if self.bounds.changed().await.is_err() {
                return false;
            }
        }
    }

    fn pause(&mut self) {
        self.pause_until = Some(Instant::now() + Self::PAUSE);
    }
}
