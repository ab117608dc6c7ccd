//! The rows of parked and dead deliveries that no saved journal contains.

use std::collections::BTreeMap;
use std::sync::Arc;

use easel_log::Offset;

use super::{DeadLetter, DeliveryRow, Parked};

/// The rows that have changed since the latest saved journal. Each new journal contains all of them, so
/// no change is lost if an earlier journal could not be saved.
#[derive(Debug, Default)]
pub(super) struct UnsavedRows(BTreeMap<Offset, RowChange>);

#[derive(Debug)]
struct RowChange {
    /// The number of the latest journal when the row changed. Any later journal contains the change.
    after_journal: u64,
    letter: Option<Arc<DeadLetter>>,
}

impl UnsavedRows {
    /// Adds a changed row, with its dead letter if the delivery is dead now.
    pub(super) fn insert(
        &mut self,
        offset: Offset,
        after_journal: u64,
        letter: Option<Arc<DeadLetter>>,
    ) {
        let change = RowChange {
            after_journal,
            letter,
        };
        self.0.insert(offset, change);
    }

    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.0.contains_key(&offset)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the current rows. `parked` looks up parked deliveries.
    pub(super) fn rows<'a>(
        &self,
        parked: impl Fn(Offset) -> Option<&'a Parked>,
    ) -> Vec<(Offset, DeliveryRow)> {
        let rows = self.0.iter().map(|(offset, change)| {
            let row = match (&change.letter, parked(*offset)) {
                (Some(letter), _) => DeliveryRow::Dead(Arc::clone(letter)),
                (None, Some(parked)) => DeliveryRow::Parked(parked.clone()),
                (None, None) => DeliveryRow::Gone,
            };
            (*offset, row)
        });
        rows.collect()
    }

    /// Drops the rows that have not changed since the journal with this number.
    pub(super) fn mark_saved(&mut self, journal_number: u64) {
        self.0
            .retain(|_, change| change.after_journal >= journal_number);
    }
}
