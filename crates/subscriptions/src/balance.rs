//! The balance: delivery totals that always add up.

use easel_log::Offset;

use crate::{Counts, Term};

/// The delivery totals of all events since a subscription began.
///
/// Invariant: accepted = delivered + filtered + pending + parked + dead + expired. These are the six main
/// terms. Each other term is a part of one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The number of events the log accepted since the subscription began.
    pub accepted: u64,
    /// The number of these events under each term.
    pub counts: Counts,
    /// The next offset to handle: the first offset that is owed or not matched yet.
    pub cursor: Offset,
    /// The oldest pending event, if it is known. For a confined subscription, an offset in the same block, so that
    /// only the time of the block is right.
    pub oldest_pending: Option<Offset>,
}

impl Balance {
    /// Returns the balance as a caller with a confined reach sees it: accepted and filtered leave out what is out of
    /// reach. It adds up too.
    #[must_use]
    pub fn within_reach(&self) -> Self {
        let out_of_reach = self.counts[Term::OutOfReach];
        let mut counts = self.counts;
        counts[Term::OutOfReach] = 0;
        counts[Term::Filtered] -= out_of_reach;
        Self {
            accepted: self.accepted - out_of_reach,
            counts,
            ..*self
        }
    }

    /// Returns the number of events under a term.
    pub fn get(&self, term: Term) -> u64 {
        self.counts[term]
    }

    /// Returns true if the six main terms add up to `accepted`. False means a bug.
    pub fn adds_up(&self) -> bool {
        self.accepted == self.counts.sum()
    }
}
