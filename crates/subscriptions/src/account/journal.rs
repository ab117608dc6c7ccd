//! What is saved of an account.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use easel_log::Offset;
use jiff::Timestamp;
use thiserror::Error;

use super::{DeadLetter, LaneClock, Parked};
use crate::Counts;

/// What is saved of an account: the part of it that outlives a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Its number. A later journal of the same account has a greater one.
    pub number: u64,
    /// The next offset owed.
    pub cursor: Offset,
    /// The counts of what ended before the cursor and in the spans.
    pub counts: Counts,
    /// What has ended beyond the cursor: ascending, with at least one owed offset before each.
    pub spans: Vec<Range<Offset>>,
    /// What the sink wants to find again after a crash.
    pub note: Option<Bytes>,
    /// The clock that its schedule goes by.
    pub clock: LaneClock,
    /// Since when the lane holds, if it does.
    pub held_since: Option<Timestamp>,
    /// The rows of parked and dead deliveries that have changed since the latest journal that was
    /// saved.
    pub rows: Vec<(Offset, DeliveryRow)>,
}

/// What is stored of one delivery beside the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryRow {
    /// It is parked.
    Parked(Parked),
    /// It is dead.
    Dead(Arc<DeadLetter>),
    /// Nothing: it has ended, or its dead letter has outlived its retention.
    Gone,
}

/// Why something is no journal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// A span is empty, or does not lie beyond what comes before it.
    #[error("the span {}..{} does not lie beyond {before}", span.start, span.end)]
    Span {
        /// The span.
        span: Range<Offset>,
        /// Where the span before it ends, or the cursor.
        before: Offset,
    },
}

impl Journal {
    /// The journal of an account of which nothing has ended.
    pub fn new(start: Offset) -> Self {
        Self {
            number: 0,
            cursor: start,
            counts: Counts::default(),
            spans: Vec::new(),
            note: None,
            clock: LaneClock::default(),
            held_since: None,
            rows: Vec::new(),
        }
    }

    /// Validates the spans of a journal that was read from a store. The counts need no look: a sum
    /// that is wrong shows in the balance.
    pub fn validated(self) -> Result<Self, JournalError> {
        let mut before = self.cursor;
        for span in &self.spans {
            if span.start <= before || span.end <= span.start {
                let span = span.clone();
                return Err(JournalError::Span { span, before });
            }
            before = span.end;
        }
        Ok(self)
    }
}
