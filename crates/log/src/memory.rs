//! A log in memory, for tests and for data that need not survive the process.
//!
//! It gives all guarantees of [`Log`] except stable storage. Its storage never fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::block::BlockBuilder;
use crate::clock::stamp;
use crate::retention::Trim;
use crate::window::DuplicateWindow;
use crate::{
    AppendError, Appended, Block, Bounds, Clock, Log, LogOptions, LogStats, NewRecord, Offset,
    Read, ReadError, Record, Retention, TrimError, Trimmed, Want, WantedRead,
};

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    stored: Mutex<StoredBlocks>,
    bounds: watch::Sender<Bounds>,
}

#[derive(Debug)]
struct StoredBlocks {
    /// Oldest first, without a gap.
    blocks: VecDeque<Arc<Block>>,
    window: DuplicateWindow,
    bounds: Bounds,
    appended_at: Timestamp,
    stored_bytes: u64,
    duplicate_count: u64,
}

impl MemoryLog {
    /// Creates an empty log. It uses only the duplicate window of the options.
    pub fn new(options: LogOptions, clock: Arc<dyn Clock>) -> Self {
        let stored = StoredBlocks {
            blocks: VecDeque::new(),
            window: DuplicateWindow::new(options.duplicate_window),
            bounds: Bounds::default(),
            appended_at: Timestamp::MIN,
            stored_bytes: 0,
            duplicate_count: 0,
        };
        Self {
            clock,
            stored: Mutex::new(stored),
            bounds: watch::Sender::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, StoredBlocks> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_blocks(&self, trim: &Trim) -> Trimmed {
        let stored = &mut *self.lock();
        let old_tail = stored.bounds.tail;
        while let Some(oldest) = stored
            .blocks
            .pop_front_if(|oldest| trim.drops(oldest.info(), stored.stored_bytes))
        {
            stored.bounds.tail = oldest.end();
            stored.stored_bytes -= stored_bytes(&oldest);
        }
        let tail = stored.bounds.tail;
        if tail > old_tail {
            stored.window.trim_to(tail);
            self.bounds.send_replace(stored.bounds);
        }
        Trimmed {
            record_count: tail.since(old_tail),
            tail,
        }
    }
}

impl StoredBlocks {
    /// Returns the block that contains `from`, or the first block after it.
    fn find(&self, from: Offset) -> Option<&Arc<Block>> {
        self.blocks_from(from).next()
    }

    /// Returns the block that contains `from` and all blocks after it.
    fn blocks_from(&self, from: Offset) -> impl Iterator<Item = &Arc<Block>> {
        let index = self.blocks.partition_point(|block| block.end() <= from);
        self.blocks.range(index..)
    }
}

fn stored_bytes(block: &Block) -> u64 {
    block.slab().len() as u64
}

#[async_trait]
impl Log for MemoryLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError> {
        AppendError::check_sizes(&records)?;
        let stored = &mut *self.lock();
        let appended_at = stamp(&*self.clock, stored.appended_at);
        let mut builder = BlockBuilder::new(stored.bounds.head, appended_at);
        let appended = stored.window.admit(&records, &mut builder);
        let head = builder.next_offset();
        let stored_count = head.since(stored.bounds.head);
        stored.duplicate_count += (appended.len() as u64).saturating_sub(stored_count);
        if stored_count > 0 {
            let blocks = builder.finish();
            stored.stored_bytes += blocks.iter().map(stored_bytes).sum::<u64>();
            stored.blocks.extend(blocks.into_iter().map(Arc::new));
            stored.appended_at = appended_at;
            stored.bounds.head = head;
            self.bounds.send_replace(stored.bounds);
        }
        Ok(appended)
    }

    async fn read(&self, from: Offset) -> Result<Read, ReadError> {
        Ok(self
            .lock()
            .find(from)
            .map_or(Read::End, |block| Read::Block(Arc::clone(block))))
    }

    async fn read_wanted(&self, from: Offset, want: &Want) -> Result<WantedRead, ReadError> {
        let stored = self.lock();
        let blocks = stored.blocks_from(from);
        let unwanted = blocks.take_while(|block| !want.wants_block(block.info()));
        let unwanted = unwanted.map(|block| block.start()..block.end());
        if let Some(skipped) = unwanted.reduce(|first, last| first.start..last.end) {
            let start = std::cmp::max(skipped.start, from);
            return Ok(WantedRead::Skipped(start..skipped.end));
        }
        Ok(stored.find(from).map_or(WantedRead::End, |block| {
            WantedRead::Block(Arc::clone(block))
        }))
    }

    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.lock().find(from).map(|block| block.appended_at()))
    }

    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError> {
        let stored = self.lock();
        let index = stored
            .blocks
            .partition_point(|block| block.appended_at() < time);
        Ok(stored
            .blocks
            .get(index)
            .map_or(stored.bounds.head, |block| block.start()))
    }

    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        let stored = self.lock();
        let find = |block: &Arc<Block>| {
            let index = block.ids().iter().rposition(|block_id| *block_id == id)?;
            block.record(block.start().plus(index as u64))
        };
        Ok(stored.blocks.iter().rev().find_map(find))
    }

    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError> {
        Ok(self.drop_blocks(&Trim::Outdated(retention, now)))
    }

    async fn trim_to(&self, up_to: Offset) -> Result<Trimmed, TrimError> {
        Ok(self.drop_blocks(&Trim::Before(up_to)))
    }

    fn bounds(&self) -> watch::Receiver<Bounds> {
        self.bounds.subscribe()
    }

    fn stats(&self) -> LogStats {
        let stored = self.lock();
        LogStats {
            refusing: false,
            damaged_count: 0,
            duplicate_count: stored.duplicate_count,
            stored_bytes: stored.stored_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promises::{Backend, log_promises};

    /// A reopen changes nothing: the data is in memory as long as the process runs.
    struct Memory(Arc<MemoryLog>);

    impl Backend for Memory {
        async fn open(options: LogOptions, clock: Arc<dyn Clock>) -> Self {
            Self(Arc::new(MemoryLog::new(options, clock)))
        }

        async fn reopen(self) -> Self {
            self
        }

        fn log(&self) -> Arc<dyn Log> {
            Arc::<MemoryLog>::clone(&self.0)
        }

        fn second_handle(&self) -> Option<Arc<dyn Log>> {
            Some(self.log())
        }
    }

    log_promises!(Memory);

    mod with_two_handles {
        use super::Memory;
        use crate::promises::{TwoHandles, log_promises};

        log_promises!(TwoHandles<Memory>);
    }
}
