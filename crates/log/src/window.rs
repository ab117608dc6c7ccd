//! The duplicate window: the ids of the newest records with their offsets.
//!
//! It never exceeds its limit and has no ids from before the log's tail, so it can always be
//! rebuilt from the stored records. It compares whole ids, so it reports no false duplicates.
//! Memory per id: 24 bytes in the queue and 5 in the table, which is at most half empty.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use uuid::Uuid;

use crate::block::BlockBuilder;
use crate::{Appended, NewRecord, Offset};

/// The ids of the newest records.
#[derive(Debug)]
pub struct DuplicateWindow {
    max_ids: usize,
    /// Oldest first, without repetitions.
    ids: VecDeque<(Uuid, Offset)>,
    /// The number of the oldest entry of `ids`. Numbers rise by one per id and wrap around.
    oldest: u32,
    /// The numbers of all entries, by the hash of the id.
    numbers: HashTable<u32>,
    /// Randomly seeded, because an attacker could choose ids that collide.
    hasher: RandomState,
}

impl DuplicateWindow {
    /// Creates an empty window for `max_ids` ids.
    pub fn new(max_ids: usize) -> Self {
        Self {
            max_ids: std::cmp::min(max_ids, u32::MAX as usize),
            ids: VecDeque::new(),
            oldest: 0,
            numbers: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    /// Adds the records that are not duplicates to `blocks`. Returns one result per record.
    pub fn admit(&mut self, records: &[NewRecord], blocks: &mut BlockBuilder) -> Vec<Appended> {
        let admit = |record: &NewRecord| {
            let offset = blocks.next_offset();
            match self.find_or_insert(record.id, offset) {
                Some(known_at) => Appended::Duplicate(known_at),
                None => {
                    blocks.push(record);
                    Appended::Stored(offset)
                }
            }
        };
        records.iter().map(admit).collect()
    }

    /// Returns the offset of `id` if the window has it. Otherwise inserts `id` with `offset` as the
    /// newest entry and returns `None`.
    pub fn find_or_insert(&mut self, id: Uuid, offset: Offset) -> Option<Offset> {
        if self.max_ids == 0 {
            return None;
        }
        let hash = self.hasher.hash_one(id);
        let (ids, oldest) = (&self.ids, self.oldest);
        let known = self.numbers.find(hash, |number| {
            at(ids, oldest, *number).is_some_and(|(known_id, _)| known_id == id)
        });
        if let Some((_, known_at)) = known.and_then(|number| at(ids, oldest, *number)) {
            return Some(known_at);
        }
        if self.ids.len() == self.max_ids {
            self.forget_oldest();
        }
        let number = self
            .oldest
            .wrapping_add(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
        self.ids.push_back((id, offset));
        let (ids, oldest, hasher) = (&self.ids, self.oldest, &self.hasher);
        self.numbers.insert_unique(hash, number, |number| {
            at(ids, oldest, *number).map_or(0, |(id, _)| hasher.hash_one(id))
        });
        None
    }

    /// Forgets all ids before `tail`.
    pub fn trim_to(&mut self, tail: Offset) {
        while self.ids.front().is_some_and(|(_, offset)| *offset < tail) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((id, _)) = self.ids.pop_front() {
            let oldest = self.oldest;
            let hash = self.hasher.hash_one(id);
            if let Ok(entry) = self.numbers.find_entry(hash, |number| *number == oldest) {
                entry.remove();
            }
            self.oldest = oldest.wrapping_add(1);
        }
    }
}

fn at(ids: &VecDeque<(Uuid, Offset)>, oldest: u32, number: u32) -> Option<(Uuid, Offset)> {
    ids.get(usize::try_from(number.wrapping_sub(oldest)).ok()?)
        .copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn knows_exactly_the_newest_ids(
            max_ids in 0_usize..20,
            steps in prop::collection::vec((0_u128..30, prop::option::of(0_usize..5)), 0..200),
        ) {
            let mut window = DuplicateWindow::new(max_ids);
            let mut stored: Vec<u128> = Vec::new();
            let mut tail = 0;
            for (id, trim_count) in steps {
                let newest: HashMap<u128, usize> =
                    stored.iter().copied().zip(0..).skip(std::cmp::max(tail, stored.len().saturating_sub(max_ids))).collect();
                let wanted = newest.get(&id).map(|index| Offset::new(*index as u64));
                let got = window.find_or_insert(Uuid::from_u128(id), Offset::new(stored.len() as u64));
                prop_assert_eq!(got, wanted);
                if got.is_none() {
                    stored.push(id);
                }
                if let Some(count) = trim_count {
                    tail = std::cmp::min(tail + count, stored.len());
                    window.trim_to(Offset::new(tail as u64));
                }
            }
        }
    }
}
