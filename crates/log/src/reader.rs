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

use crate::{Block, Bounds, Offset, ReadError, SharedLog, Want, WantedRead};

/// Reads a log from an offset on.
#[derive(Debug)]
pub struct Reader {
    log: SharedLog,
    want: Want,
    bounds: watch::Receiver<Bounds>,
    position: Offset,
    /// A read result that is not returned yet, because the trimmed range before it is returned first.
    read_ahead: Option<WantedRead>,
    /// When to read again, after a failed read or if announced records cannot be read yet.
    retry_at: Option<Instant>,
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
            Self::Block { block, from } => *from..block.end(),
            Self::Skipped(range) | Self::Trimmed(range) | Self::Damaged(range) => range.clone(),
        }
    }
}

impl Reader {
    /// How long [`Self::next`] and [`Self::wait`] wait after a failed read, or if announced records
    /// cannot be read yet.
    pub const PAUSE: Duration = Duration::from_secs(1);

    /// Creates a reader of all records from `from` on.
    pub fn new(log: SharedLog, from: Offset) -> Self {
        Self {
            bounds: log.bounds(),
            log,
            want: Want::ALL,
            position: from,
            read_ahead: None,
            retry_at: None,
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
            self.read_ahead = None;
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

    /// Returns the next result, or `None` if no further record can be read yet. Waits only for the
    /// storage.
    pub async fn try_next(&mut self) -> Result<Option<Found>, ReadError> {
        let head = self.bounds.borrow().head;
        let read = match self.read_ahead.take() {
            Some(read) => read,
            None => {
                let read = self.log.read_wanted(self.position, &self.want).await;
                read.inspect_err(|_error| self.schedule_retry())?
            }
        };
        let start = match &read {
            WantedRead::Block(block) => block.start(),
            WantedRead::Skipped(range) | WantedRead::Damaged(range) => range.start,
            WantedRead::End => self.bounds.borrow().tail,
        };
        let from = self.position;
        if start > from {
            self.position = start;
            self.read_ahead = Some(read).filter(|read| !matches!(read, WantedRead::End));
            return Ok(Some(Found::Trimmed(from..start)));
        }
        let found = match read {
            WantedRead::Block(block) => Found::Block { block, from },
            WantedRead::Skipped(range) => Found::Skipped(from..range.end),
            WantedRead::Damaged(range) => Found::Damaged(from..range.end),
            WantedRead::End => {
                // The bounds announced more records, but the log does not return them yet.
                if from < head {
                    self.schedule_retry();
                }
                return Ok(None);
            }
        };
        self.position = found.range().end;
        Ok(Some(found))
    }

    /// Waits until there may be a next result. Returns `false` once the log is closed.
    ///
    /// After a failed read, or if announced records cannot be read yet, waits for [`Self::PAUSE`]
    /// first. At the head, waits for a change of the bounds.
    pub async fn wait(&mut self) -> bool {
        if let Some(retry_at) = self.retry_at {
            sleep_until(retry_at).await;
            self.retry_at = None;
        }
        loop {
            let Bounds { tail, head } = *self.bounds.borrow_and_update();
            if self.read_ahead.is_some() || self.position < head || self.position < tail {
                return true;
            }
            if self.bounds.changed().await.is_err() {
                return false;
            }
        }
    }

    fn schedule_retry(&mut self) {
        self.retry_at = Some(Instant::now() + Self::PAUSE);
    }
}
