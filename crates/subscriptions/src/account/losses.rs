//! Events that end without a delivery: the log dropped them, it cannot read them, or an operator skipped them.

use std::ops::Range;

use easel_log::Offset;
use jiff::Timestamp;

use super::{Account, DeliveryStage, TrimmedEvents};
use crate::Term;

/// Why an event can no longer be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The log dropped the event.
    Trimmed,
    /// The log cannot read the event.
    Damaged,
}

impl From<Loss> for Term {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Trimmed => Self::Expired,
            Loss::Damaged => Self::Damaged,
        }
    }
}

impl Account {
    /// Marks all unmatched offsets before `to` as lost.
    pub fn lose_to(&mut self, to: Offset, loss: Loss) {
        self.catch_up();
        let from = self.matched_to;
        let lost = self.end_known(to, loss.into());
        if lost > 0 {
            self.record_loss(lost, from..to, loss);
        }
    }

    /// Marks all offsets before `to` that have not ended as skipped, for an operator. Does not change
    /// offsets that are being sent. `covered_count` is how many unmatched events before `to` are within the reach of
    /// a confined account.
    pub fn skip_to(&mut self, to: Offset, covered_count: u64) {
        for offset in self.waiting_before(to) {
            self.end(offset, Term::Skipped);
        }
        self.catch_up();
        let covered_count = match &self.coverage {
            None => u64::MAX,
            Some(_) => covered_count,
        };
        if self.end_part(to, Term::Skipped, covered_count) != (0, 0) {
            self.last_end = std::cmp::max(self.last_end, to);
        }
    }

    /// Returns the owed and parked offsets before `to` that are not being sent.
    fn waiting_before(&self, to: Offset) -> Vec<Offset> {
        let waits = |stage| stage == DeliveryStage::Waiting;
        let owed = self
            .owed
            .range(..to)
            .map(|(offset, stage)| (*offset, *stage));
        let parked = self.parked.range(..to);
        let parked = parked.map(|(offset, (stage, _))| (*offset, *stage));
        let all = owed.chain(parked).filter(|(_, stage)| waits(*stage));
        all.map(|(offset, _)| offset).collect()
    }

    /// Marks an owed or parked offset as lost.
    pub fn lose(&mut self, offset: Offset, loss: Loss) {
        if self.end(offset, loss.into()) {
            self.record_loss(1, offset..offset.next(), loss);
        }
    }

    fn record_loss(&mut self, event_count: u64, offsets: Range<Offset>, loss: Loss) {
        self.unreported_losses += event_count;
        if loss == Loss::Trimmed {
            self.trims.add(event_count, offsets);
        }
    }

    /// Marks offsets before `tail`, the oldest offset of the log, as expired: the unmatched ones, and
    /// the owed and parked ones that are not being sent.
    pub fn expire_to(&mut self, tail: Offset) {
        for offset in self.waiting_before(tail) {
            self.lose(offset, Loss::Trimmed);
        }
        self.lose_to(tail, Loss::Trimmed);
    }

    /// Returns the number of events lost since the last call.
    pub const fn take_losses(&mut self) -> u64 {
        std::mem::replace(&mut self.unreported_losses, 0)
    }

    /// Returns the trimmed events to report to operators at `now`, at most once a minute.
    pub fn take_due_trim(&mut self, now: Timestamp) -> Option<TrimmedEvents> {
        self.trims.take_due(now)
    }

    /// Returns the trimmed events that were not reported to operators yet.
    pub fn take_trim(&mut self, now: Timestamp) -> Option<TrimmedEvents> {
        self.trims.take(now)
    }
}
