//! The part of an account that is saved.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use easel_log::Offset;
use jiff::Timestamp;
use thiserror::Error;

use super::{DeadLetter, LaneClock, Parked};
use crate::Counts;

/// The part of an account that is saved and survives a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The number of the journal. A later journal of the same account has a greater number.
    pub number: u64,
    /// The next offset to handle: the first offset that is owed or unmatched.
    pub cursor: Offset,
    /// The counts of the offsets before the cursor and in the spans.
    pub counts: Counts,
    /// The spans beyond the cursor that have ended or are parked: ascending, with an owed offset before
    /// each span.
    pub spans: Vec<Range<Offset>>,
    /// The state that the sink needs after a crash.
    pub note: Option<Bytes>,
    /// The clock of the lane's retry schedule.
    pub clock: LaneClock,
    /// Since when the lane is on hold; `None` if it is not.
    pub held_since: Option<Timestamp>,
    /// The rows of parked and dead deliveries that changed since the latest saved journal.
    pub rows: Vec<(Offset, DeliveryRow)>,
}

/// The stored row of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryRow {
    /// The delivery is parked.
    Parked(Parked),
    /// The delivery is dead.
    Dead(Arc<DeadLetter>),
    /// No row: the delivery has ended, or its dead letter has passed its retention.
    Gone,
}

/// Why a journal is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// A span is empty, or starts too early.
    #[error("the range {}..{} of the account must not be empty and must start after {previous_end}", span.start, span.end)]
    Span {
        /// The span.
        span: Range<Offset>,
        /// The end of the span before this one, or the cursor.
        previous_end: Offset,
    },
}

impl Journal {
    /// Creates the journal of a new account.
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

    /// Validates the spans of a journal from a store. Does not check the counts, because a wrong sum
    /// shows in the balance.
    pub fn validated(self) -> Result<Self, JournalError> {
        let mut previous_end = self.cursor;
        for span in &self.spans {
            if span.start <= previous_end || span.end <= span.start {
                let span = span.clone();
                return Err(JournalError::Span { span, previous_end });
            }
            previous_end = span.end;
        }
        Ok(self)
    }
}
