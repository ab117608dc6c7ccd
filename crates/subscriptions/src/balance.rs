//! The headline promise, in numbers.

use easel_log::Offset;

use crate::{Counts, Term};

/// What became of every event accepted since a subscription began.
///
/// `accepted` is the sum of the terms, at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Events the log accepted since the subscription's start.
    pub accepted: u64,
    /// How many of them each term has.
    pub counts: Counts,
    /// The next offset owed: everything before it has ended.
    pub cursor: Offset,
}

impl Balance {
    /// How many events a term has.
    pub fn get(&self, term: Term) -> u64 {
        self.counts[term]
    }

    /// Whether the terms add up, which they always do.
    pub fn adds_up(&self) -> bool {
        self.accepted == self.counts.sum()
    }
}
