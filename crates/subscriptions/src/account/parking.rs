//! Parked and dead deliveries of an account.

use std::sync::Arc;

use easel_log::Offset;

use super::{Account, DeadLetter, DeliveryStage, Due, LaneTime, Parked, ParkedChange};
use crate::Term;

impl Account {
    /// Parks an owed offset, or replaces the row of a parked offset. Returns `false` if the offset is
    /// neither.
    pub fn park(&mut self, offset: Offset, parked: Parked) -> bool {
        if self.owed.remove(&offset).is_some() {
            self.counts.add(Term::Parked, 1);
            self.last_end = std::cmp::max(self.last_end, offset.next());
        } else if !self.parked.contains_key(&offset) {
            return false;
        }
        self.parked.insert(offset, (DeliveryStage::Waiting, parked));
        self.record_row_change(offset, None);
        true
    }

    /// Returns the row of a parked offset.
    pub fn parked(&self, offset: Offset) -> Option<&Parked> {
        self.parked.get(&offset).map(|(_, parked)| parked)
    }

    /// Returns true if the offset is parked and not being sent.
    pub fn is_parked_and_waits(&self, offset: Offset) -> bool {
        let parked = self.parked.get(&offset);
        parked.is_some_and(|(stage, _)| *stage == DeliveryStage::Waiting)
    }

    /// Iterates over all parked deliveries from `from` on, by offset.
    pub fn all_parked(&self, from: Offset) -> impl Iterator<Item = (Offset, &Parked)> {
        let parked = self.parked.range(from..);
        parked.map(|(offset, (_, parked))| (*offset, parked))
    }

    /// Returns the number of parked deliveries.
    pub fn parked_count(&self) -> usize {
        self.parked.len()
    }

    /// Gives up an owed or parked delivery. Returns `false` if the delivery is neither.
    pub fn give_up(&mut self, offset: Offset, letter: DeadLetter) -> bool {
        let term = if letter.is_discarded {
            Term::Discarded
        } else {
            Term::Dead
        };
        let is_dead = self.end(offset, term);
        if is_dead {
            self.record_row_change(offset, Some(Arc::new(letter)));
        }
        is_dead
    }

    /// Parks a dead letter whose row is saved, so that it is sent again. Returns `false` if the letter
    /// changed since its row was saved.
    pub fn redeliver(&mut self, offset: Offset, parked: Parked) -> bool {
        if !self.is_saved_dead(offset) {
            return false;
        }
        self.counts[Term::Dead] -= 1;
        self.counts.add(Term::Parked, 1);
        self.parked.insert(offset, (DeliveryStage::Waiting, parked));
        self.record_row_change(offset, None);
        self.parked_changes.push(ParkedChange::Due { offset });
        true
    }

    /// Makes a parked delivery due at `due`, and restarts its retry schedule. Returns `false` if the
    /// delivery is not parked or is being sent.
    pub fn make_due(&mut self, offset: Offset, due: LaneTime) -> bool {
        let Some((DeliveryStage::Waiting, parked)) = self.parked.get_mut(&offset) else {
            return false;
        };
        parked.due = Due::At(due);
        parked.failure_count = 0;
        self.record_row_change(offset, None);
        self.parked_changes.push(ParkedChange::Due { offset });
        true
    }

    /// Returns true if there are changes of parked deliveries that the lane has not read yet.
    pub fn has_parked_changes(&self) -> bool {
        !self.parked_changes.is_empty()
    }

    /// Returns the changes of parked deliveries since the last call, for the lane.
    pub fn take_parked_changes(&mut self) -> Vec<ParkedChange> {
        std::mem::take(&mut self.parked_changes)
    }

    /// Discards a dead letter whose row is saved, so that it is never redelivered. Returns `false` if the
    /// letter was discarded before or is no longer dead.
    pub fn discard(&mut self, offset: Offset, letter: &DeadLetter) -> bool {
        if letter.is_discarded || !self.is_saved_dead(offset) {
            return false;
        }
        self.counts[Term::Discarded] += 1;
        let letter = DeadLetter {
            is_discarded: true,
            ..letter.clone()
        };
        self.record_row_change(offset, Some(Arc::new(letter)));
        true
    }

    /// Deletes a dead letter whose row is saved, after its retention. The letter then counts as
    /// discarded. Returns `false` if the delivery is no longer dead.
    pub fn forget(&mut self, offset: Offset, letter: &DeadLetter) -> bool {
        if !self.is_saved_dead(offset) {
            return false;
        }
        if !letter.is_discarded {
            self.counts[Term::Discarded] += 1;
        }
        self.record_row_change(offset, None);
        true
    }

    /// Returns true if a dead letter has not changed since its row was saved.
    fn is_saved_dead(&self, offset: Offset) -> bool {
        !self.parked.contains_key(&offset) && !self.unsaved_rows.contains(offset)
    }

    /// Records that the row of a delivery changed. `letter` is its dead letter, if the delivery is dead.
    pub(super) fn record_row_change(&mut self, offset: Offset, letter: Option<Arc<DeadLetter>>) {
        self.unsaved_rows
            .insert(offset, self.journal_number, letter);
    }
}
