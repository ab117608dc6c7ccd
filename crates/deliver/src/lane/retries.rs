//! What a lane has failed to deliver and tries again.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use easel_log::Offset;
use tokio::time::Instant;

/// The batches that failed and wait for their next attempt, by their first offset. The lane that
/// comes after this one goes on with them, so attempts are counted on.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    batches: BTreeMap<Offset, Retry>,
    /// The offsets of all of them.
    offsets: BTreeSet<Offset>,
}

/// A batch that failed.
#[derive(Clone, Debug)]
struct Retry {
    offsets: Vec<Offset>,
    /// The number of the next attempt.
    attempt: NonZeroU32,
    /// When it is due.
    due: Instant,
}

impl Retries {
    /// Adds the offsets of a batch, the number of their next attempt, and when that is due.
    pub(super) fn insert(&mut self, offsets: Vec<Offset>, attempt: NonZeroU32, due: Instant) {
        if let Some(first) = offsets.first().copied() {
            self.offsets.extend(&offsets);
            let retry = Retry {
                offsets,
                attempt,
                due,
            };
            self.batches.insert(first, retry);
        }
    }

    /// Whether an offset is in one of them.
    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.offsets.contains(&offset)
    }

    /// The first offset of the oldest batch.
    pub(super) fn oldest(&self) -> Option<Offset> {
        self.batches.keys().next().copied()
    }

    /// The first offset of the oldest batch that is due.
    pub(super) fn oldest_due(&self, now: Instant) -> Option<Offset> {
        let mut due = self.batches.iter().filter(|(_, retry)| retry.due <= now);
        due.next().map(|(first, _)| *first)
    }

    /// When the next batch is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.batches.values().map(|retry| retry.due).min()
    }

    /// The offsets of the batch that begins at `first`, and the number of their next attempt.
    pub(super) fn get(&self, first: Offset) -> Option<(Vec<Offset>, NonZeroU32)> {
        let retry = self.batches.get(&first)?;
        Some((retry.offsets.clone(), retry.attempt))
    }

    /// Removes the batch that begins at `first`.
    pub(super) fn remove(&mut self, first: Offset) {
        for offset in self
            .batches
            .remove(&first)
            .map_or(Vec::new(), |it| it.offsets)
        {
            self.offsets.remove(&offset);
        }
    }

    /// Puts every offset into a batch of its own: another sink may not take several in one batch.
    pub(crate) fn apart(self) -> Self {
        let mut apart = Self::default();
        for retry in self.batches.into_values() {
            for offset in retry.offsets {
                apart.insert(vec![offset], retry.attempt, retry.due);
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_comes_first_and_nothing_is_left_of_what_was_removed() {
        let offsets =
            |numbers: &[u64]| numbers.iter().copied().map(Offset::new).collect::<Vec<_>>();
        let second = NonZeroU32::MIN.saturating_add(1);
        let now = Instant::now();
        let later = now + Duration::from_secs(5);
        let mut retries = Retries::default();
        retries.insert(offsets(&[5, 7]), second, now);
        retries.insert(offsets(&[2]), NonZeroU32::MIN, later);
        retries.insert(Vec::new(), second, now);
        let (two, five) = (Offset::new(2), Offset::new(5));
        assert_eq!(retries.oldest(), Some(two));
        assert_eq!(
            (retries.oldest_due(now), retries.oldest_due(later)),
            (Some(five), Some(two))
        );
        assert_eq!(retries.next_due(), Some(now));
        assert_eq!(retries.get(two), Some((offsets(&[2]), NonZeroU32::MIN)));
        retries.remove(two);
        assert!(!retries.contains(two) && retries.contains(Offset::new(7)));

        let mut apart = retries.apart();
        for number in [5, 7] {
            let first = Offset::new(number);
            assert_eq!(apart.oldest(), Some(first));
            assert_eq!(apart.get(first), Some((offsets(&[number]), second)));
            apart.remove(first);
        }
        assert_eq!(apart.oldest(), None);
    }
}
