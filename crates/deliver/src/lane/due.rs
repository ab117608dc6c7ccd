//! The queue of parked deliveries, by due time.

use std::collections::BTreeSet;

use easel_log::Offset;
use easel_subscriptions::{Account, Due, LaneTime, Parked};

/// The parked deliveries that have a due time, by due time. The account decides what is parked: an entry is
/// skipped if its delivery has ended or has another due time now.
#[derive(Debug, Default)]
pub(super) struct DueQueue(BTreeSet<DueEntry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DueEntry {
    due: LaneTime,
    /// The first offset of the batch, so that the deliveries of one batch are adjacent.
    batch_offset: Offset,
    offset: Offset,
}

impl DueQueue {
    /// Creates the queue from the parked deliveries of an account.
    pub(super) fn from_account(account: &Account) -> Self {
        let mut queue = Self::default();
        for (offset, parked) in account.all_parked(Offset::ZERO) {
            queue.insert(offset, parked);
        }
        queue
    }

    /// Adds a parked delivery if it has a due time.
    pub(super) fn insert(&mut self, offset: Offset, parked: &Parked) {
        if let Due::At(due) = parked.due {
            let batch_offset = parked.batch_offset;
            self.0.insert(DueEntry {
                due,
                batch_offset,
                offset,
            });
        }
    }

    /// Makes a parked delivery due now, if the delivery waited for its key.
    pub(super) fn release(&mut self, account: &mut Account, offset: Offset, now: LaneTime) {
        if let Some(parked) = account.parked(offset).cloned()
            && parked.due == Due::AfterKey
            && account.is_parked_and_waits(offset)
        {
            let due = Due::At(now);
            let parked = Parked { due, ..parked };
            self.insert(offset, &parked);
            account.park(offset, parked);
        }
    }

    /// True if the queue is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns when the next delivery is due.
    pub(super) fn next_due(&self) -> Option<LaneTime> {
        self.0.first().map(|entry| entry.due)
    }

    /// Removes and returns the deliveries of one batch that are due together, at or before `now`.
    pub(super) fn pop(&mut self, account: &Account, now: LaneTime) -> Option<Vec<Offset>> {
        while let Some(first) = self.0.first().copied()
            && first.due <= now
        {
            let mut offsets = Vec::new();
            while let Some(entry) = self.0.first().copied()
                && (entry.due, entry.batch_offset) == (first.due, first.batch_offset)
            {
                self.0.pop_first();
                let parked = account.parked(entry.offset);
                let is_current = parked.is_some_and(|parked| parked.due == Due::At(entry.due));
                if is_current && account.is_parked_and_waits(entry.offset) {
                    offsets.push(entry.offset);
                }
            }
            if !offsets.is_empty() {
                return Some(offsets);
            }
        }
        None
    }
}
