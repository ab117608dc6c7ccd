//! What a lane has failed to deliver and tries again.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use easel_log::Offset;

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
}

impl Retries {
    /// Adds the offsets of a batch, and the number of their next attempt.
    pub(super) fn insert(&mut self, offsets: Vec<Offset>, attempt: NonZeroU32) {
        if let Some(first) = offsets.first().copied() {
            self.offsets.extend(&offsets);
            self.batches.insert(first, Retry { offsets, attempt });
        }
    }

    /// Whether an offset is in one of them.
    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.offsets.contains(&offset)
    }

    /// The offsets of the oldest batch, and the number of their next attempt.
    pub(super) fn oldest(&self) -> Option<(Vec<Offset>, NonZeroU32)> {
        let (_, oldest) = self.batches.first_key_value()?;
        Some((oldest.offsets.clone(), oldest.attempt))
    }

    /// Removes the oldest batch.
    pub(super) fn remove_oldest(&mut self) {
        if let Some((_, oldest)) = self.batches.pop_first() {
            for offset in oldest.offsets {
                self.offsets.remove(&offset);
            }
        }
    }

    /// The same with every offset in a batch of its own, for a sink that may take no more.
    pub(crate) fn apart(self) -> Self {
        let mut apart = Self::default();
        for Retry { offsets, attempt } in self.batches.into_values() {
            for offset in offsets {
                apart.insert(vec![offset], attempt);
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_comes_first_and_nothing_is_left_of_what_was_removed() {
        let offsets =
            |numbers: &[u64]| numbers.iter().copied().map(Offset::new).collect::<Vec<_>>();
        let second = NonZeroU32::MIN.saturating_add(1);
        let mut retries = Retries::default();
        retries.insert(offsets(&[5, 7]), second);
        retries.insert(offsets(&[2]), NonZeroU32::MIN);
        retries.insert(Vec::new(), second);
        assert_eq!(retries.oldest(), Some((offsets(&[2]), NonZeroU32::MIN)));
        retries.remove_oldest();
        assert!(!retries.contains(Offset::new(2)) && retries.contains(Offset::new(7)));

        let mut apart = retries.apart();
        for number in [5, 7] {
            assert_eq!(apart.oldest(), Some((offsets(&[number]), second)));
            apart.remove_oldest();
        }
        assert_eq!(apart.oldest(), None);
    }
}
