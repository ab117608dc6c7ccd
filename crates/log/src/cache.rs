//! Caches of blocks in memory: one for the newest blocks, one for older blocks.
//!
//! They are separate, so that a replay does not evict the blocks that readers at the head need.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Block, Offset};

/// The cache of the newest blocks, which follow each other without a gap. Only the writer adds blocks.
#[derive(Debug)]
pub struct RecentBlocks {
    max_bytes: usize,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    bytes: usize,
    blocks: VecDeque<Arc<Block>>,
}

impl RecentBlocks {
    /// Creates an empty cache of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            recent: Mutex::default(),
        }
    }

    /// Returns the block that contains `offset`, if it is in the cache.
    pub fn find(&self, offset: Offset) -> Option<Arc<Block>> {
        let recent = lock(&self.recent);
        let index = recent.blocks.partition_point(|block| block.end() <= offset);
        recent
            .blocks
            .get(index)
            .filter(|block| block.start() <= offset)
            .map(Arc::clone)
    }

    /// Adds the blocks of one commit and drops the oldest blocks beyond the limit.
    pub fn push(&self, blocks: Vec<Block>) {
        let mut recent = lock(&self.recent);
        recent.bytes += blocks.iter().map(Block::memory_bytes).sum::<usize>();
        recent.blocks.extend(blocks.into_iter().map(Arc::new));
        recent.drop_oldest_while(|recent, _| recent.bytes > self.max_bytes);
    }

    /// Drops the blocks that end at or before `tail`.
    pub fn trim_to(&self, tail: Offset) {
        lock(&self.recent).drop_oldest_while(|_, oldest| oldest.end() <= tail);
    }
}

impl Recent {
    fn drop_oldest_while(&mut self, is_due: impl Fn(&Self, &Block) -> bool) {
        while self
            .blocks
            .front()
            .is_some_and(|oldest| is_due(self, oldest))
        {
            self.bytes -= self
                .blocks
                .pop_front()
                .map_or(0, |block| block.memory_bytes());
        }
    }
}

/// The cache of older blocks. It drops the least recently used blocks first.
#[derive(Debug)]
pub struct PastBlocks {
    max_bytes: usize,
    past: Mutex<Past>,
}

#[derive(Debug, Default)]
struct Past {
    bytes: usize,
    /// Blocks by start, each with the number of its last use.
    blocks: BTreeMap<Offset, (Arc<Block>, u64)>,
    /// The starts of the blocks by the number of their last use.
    uses: BTreeMap<u64, Offset>,
    use_count: u64,
}

impl PastBlocks {
    /// Creates an empty cache of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            past: Mutex::default(),
        }
    }

    /// Returns the block that contains `offset`, if it is in the cache.
    pub fn find(&self, offset: Offset) -> Option<Arc<Block>> {
        let past = &mut *lock(&self.past);
        let (start, (block, last_use)) = past.blocks.range_mut(..=offset).next_back()?;
        if block.end() <= offset {
            return None;
        }
        past.use_count += 1;
        past.uses.remove(last_use);
        past.uses.insert(past.use_count, *start);
        *last_use = past.use_count;
        Some(Arc::clone(block))
    }

    /// Adds a block and drops the least recently used blocks beyond the limit.
    pub fn insert(&self, block: &Arc<Block>) {
        let past = &mut *lock(&self.past);
        past.remove(block.start());
        past.use_count += 1;
        past.bytes += block.memory_bytes();
        past.uses.insert(past.use_count, block.start());
        past.blocks
            .insert(block.start(), (Arc::clone(block), past.use_count));
        while past.bytes > self.max_bytes
            && let Some((_, &start)) = past.uses.first_key_value()
        {
            past.remove(start);
        }
    }
}

impl Past {
    fn remove(&mut self, start: Offset) {
        if let Some((block, last_use)) = self.blocks.remove(&start) {
            self.uses.remove(&last_use);
            self.bytes -= block.memory_bytes();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::NewRecord;
    use crate::block::BlockBuilder;

    /// Returns ten blocks of two records each.
    fn blocks() -> Vec<Block> {
        let record = NewRecord::new(Uuid::nil(), "a", vec![0; 99]);
        let build = |number: u64| {
            let mut builder = BlockBuilder::new(Offset::new(number * 2), Timestamp::UNIX_EPOCH);
            builder.push(&record);
            builder.push(&record);
            builder.finish()
        };
        (0..10).flat_map(build).collect()
    }

    fn starts(find: impl Fn(Offset) -> Option<Arc<Block>>) -> Vec<u64> {
        let mut starts: Vec<u64> = (0..30)
            .filter_map(|offset| Some(find(Offset::new(offset))?.start().get()))
            .collect();
        starts.dedup();
        starts
    }

    #[test]
    fn the_newest_blocks_stay_in_the_cache() {
        let blocks = blocks();
        let recent = RecentBlocks::new(blocks[0].memory_bytes() * 3);
        for block in blocks {
            recent.push(vec![block]);
        }
        assert_eq!(starts(|offset| recent.find(offset)), [14, 16, 18]);
        recent.trim_to(Offset::new(17));
        assert_eq!(starts(|offset| recent.find(offset)), [16, 18]);
    }

    #[test]
    fn the_least_recently_used_block_is_dropped_first() {
        let blocks: Vec<_> = blocks().into_iter().map(Arc::new).collect();
        let past = PastBlocks::new(blocks[0].memory_bytes() * 3);
        for index in [5, 1, 3, 5] {
            past.insert(&blocks[index]);
        }
        assert_eq!(
            past.find(Offset::new(3)).map(|block| block.start().get()),
            Some(2)
        );
        past.insert(&blocks[8]);
        assert_eq!(starts(|offset| past.find(offset)), [2, 10, 16]);
    }

    #[test]
    fn a_block_larger_than_the_cache_is_not_cached() {
        let blocks = blocks();
        let (recent, past) = (RecentBlocks::new(9), PastBlocks::new(9));
        past.insert(&Arc::new(blocks[0].clone()));
        recent.push(blocks);
        assert_eq!(
            starts(|offset| recent.find(offset).or_else(|| past.find(offset))),
            [0; 0]
        );
    }
}
