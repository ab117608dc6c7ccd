//! The loop that reads a log.
//!
//! ```text
//! let mut reader = Reader::new(log, from);
//! loop {
//!     match reader.next().await {
//!         Ok(Some(Found::Block { block, from })) => …  block.records_from(from)
//!         Ok(Some(Found::Skipped(range))) => …         nothing wanted is in there
//!         Ok(Some(Found::Trimmed(range))) => …         gone before it was read
//!         Ok(Some(Found::Damaged(range))) => …         cannot be read back
//!         Ok(None) => break,                           the log is closed
//!         Err(error) => …                              the next call waits, then tries again
//!     }
//! }
//! ```
//!
//! What a reader finds covers the log without a gap and without an overlap: each find begins where
//! the last one ended, and ends at [`Reader::position`]. All methods can be cancelled: what was not
//! returned is found again.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::{Block, Bounds, Offset, ReadError, ReadIf, SharedLog, Want};

/// Reads a log from a place on.
#[derive(Debug)]
pub struct Reader {
    log: SharedLog,
    want: Want,
    bounds: watch::Receiver<Bounds>,
    position: Offset,
    /// Read already; it lies behind a trimmed range that was returned before it.
    ahead: Option<ReadIf>,
    /// After a failed read: when to try again.
    pause_until: Option<Instant>,
}

/// What a reader found.
#[derive(Clone, Debug)]
pub enum Found {
    /// Records: those of `block` from `from` on.
    Block {
        /// The block, which may begin before `from`.
        block: Arc<Block>,
        /// The first record that was not read yet.
        from: Offset,
    },
    /// Blocks without any event type that is wanted.
    Skipped(Range<Offset>),
    /// Records that were trimmed before they were read.
    Trimmed(Range<Offset>),
    /// Records that cannot be read back.
    Damaged(Range<Offset>),
}

impl Found {
    /// The offsets it speaks of, at least one.
    pub fn range(&self) -> Range<Offset> {
        match self {
            Self::Block { block, from } => *from..block.next(),
            Self::Skipped(range) | Self::Trimmed(range) | Self::Damaged(range) => range.clone(),
        }
    }
}

impl Reader {
    /// How long [`Self::next`] and [`Self::wait`] wait after a failed read.
    pub const PAUSE: Duration = Duration::from_secs(1);

    /// A reader of every record from `from` on.
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

    /// Skips blocks that hold nothing of what `want` wants.
    #[must_use]
    pub fn wanting(self, want: Want) -> Self {
        Self { want, ..self }
    }

    /// Where the next find begins.
    pub const fn position(&self) -> Offset {
        self.position
    }

    /// Goes on at `position`, further on or back.
    pub fn seek(&mut self, position: Offset) {
        if position != self.position {
            self.position = position;
            self.ahead = None;
        }
    }

    /// What comes next, however long it takes; `None` once the log is closed.
    ///
    /// Waits at the head. After an error the next call waits for [`Self::PAUSE`] first.
    pub async fn next(&mut self) -> Result<Option<Found>, ReadError> {
        while self.wait().await {
            if let Some(found) = self.try_next().await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What comes next; `None` at the head. Never waits, but for the storage.
    pub async fn try_next(&mut self) -> Result<Option<Found>, ReadError> {
        let head = self.bounds.borrow().head;
        let read = match self.ahead.take() {
            Some(read) => read,
            None => {
                let read = self.log.read_if(self.position, &self.want).await;
                read.inspect_err(|_error| self.pause())?
            }
        };
        let begin = match &read {
            ReadIf::Block(block) => block.first(),
            ReadIf::Skipped(range) | ReadIf::Damaged(range) => range.start,
            ReadIf::End => self.bounds.borrow().tail,
        };
        let from = self.position;
        if begin > from {
            self.position = begin;
            self.ahead = Some(read).filter(|read| !matches!(read, ReadIf::End));
            return Ok(Some(Found::Trimmed(from..begin)));
        }
        let found = match read {
            ReadIf::Block(block) => Found::Block { block, from },
            ReadIf::Skipped(range) => Found::Skipped(from..range.end),
            ReadIf::Damaged(range) => Found::Damaged(from..range.end),
            ReadIf::End => {
                // The log said that there is more, but does not find it yet.
                if from < head {
                    self.pause();
                }
                return Ok(None);
            }
        };
        self.position = found.range().end;
        Ok(Some(found))
    }

    /// Waits until there may be something to find: after a failed read for [`Self::PAUSE`], and at
    /// the head for the next change of the log's bounds. `false` once the log is closed.
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
