//! A log in memory, for tests and for what need not outlive the process.
//!
//! It keeps every promise of a log but the one of stable storage, and never fails.

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
    Read, ReadError, ReadIf, Record, Retention, TrimError, Trimmed, Want,
};

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    kept: Mutex<StoredBlocks>,
    bounds: watch::Sender<Bounds>,
}

#[derive(Debug)]
struct StoredBlocks {
    /// Without a gap, oldest first.
    blocks: VecDeque<Arc<Block>>,
    window: DuplicateWindow,
    bounds: Bounds,
    appended_at: Timestamp,
    stored_bytes: u64,
    duplicate_count: u64,
}

impl MemoryLog {
    /// An empty log. Of the options it heeds the duplicate window.
    pub fn new(options: LogOptions, clock: Arc<dyn Clock>) -> Self {
        let kept = StoredBlocks {
            blocks: VecDeque::new(),
            window: DuplicateWindow::new(options.duplicate_window),
            bounds: Bounds::default(),
            appended_at: Timestamp::MIN,
            stored_bytes: 0,
            duplicate_count: 0,
        };
        Self {
            clock,
            kept: Mutex::new(kept),
            bounds: watch::Sender::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, StoredBlocks> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_blocks(&self, trim: &Trim) -> Trimmed {
        let kept = &mut *self.kept();
        let before = kept.bounds.tail;
        while let Some(oldest) = kept
            .blocks
            .pop_front_if(|oldest| trim.drops(oldest.info(), kept.stored_bytes))
        {
            kept.bounds.tail = oldest.next();
            kept.stored_bytes -= stored_bytes(&oldest);
        }
        let tail = kept.bounds.tail;
        if tail > before {
            kept.window.trim_to(tail);
            self.bounds.send_replace(kept.bounds);
        }
        Trimmed {
            record_count: tail.since(before),
            tail,
        }
    }
}

impl StoredBlocks {
    /// The block that holds `from`, or the first one after it.
    fn find(&self, from: Offset) -> Option<&Arc<Block>> {
        self.from(from).next()
    }

    /// That block and all after it.
    fn from(&self, from: Offset) -> impl Iterator<Item = &Arc<Block>> {
        let before = self.blocks.partition_point(|block| block.next() <= from);
        self.blocks.range(before..)
    }
}

fn stored_bytes(block: &Block) -> u64 {
    block.slab().len() as u64
}

#[async_trait]
impl Log for MemoryLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError> {
        AppendError::check_sizes(&records)?;
        let kept = &mut *self.kept();
        let appended_at = stamp(&*self.clock, kept.appended_at);
        let mut builder = BlockBuilder::new(kept.bounds.head, appended_at);
        let appended = kept.window.admit(&records, &mut builder);
        let head = builder.next();
        let stored_count = head.since(kept.bounds.head);
        kept.duplicate_count += (appended.len() as u64).saturating_sub(stored_count);
        if stored_count > 0 {
            let blocks = builder.finish();
            kept.stored_bytes += blocks.iter().map(stored_bytes).sum::<u64>();
            kept.blocks.extend(blocks.into_iter().map(Arc::new));
            kept.appended_at = appended_at;
            kept.bounds.head = head;
            self.bounds.send_replace(kept.bounds);
        }
        Ok(appended)
    }

    async fn read(&self, from: Offset) -> Result<Read, ReadError> {
        Ok(self
            .kept()
            .find(from)
            .map_or(Read::End, |block| Read::Block(Arc::clone(block))))
    }

    async fn read_if(&self, from: Offset, want: &Want) -> Result<ReadIf, ReadError> {
        let kept = self.kept();
        let blocks = kept.from(from);
        let unwanted = blocks.take_while(|block| !want.wants_block(block.info()));
        let unwanted = unwanted.map(|block| block.first()..block.next());
        if let Some(skipped) = unwanted.reduce(|first, last| first.start..last.end) {
            let start = std::cmp::max(skipped.start, from);
            return Ok(ReadIf::Skipped(start..skipped.end));
        }
        Ok(kept
            .find(from)
            .map_or(ReadIf::End, |block| ReadIf::Block(Arc::clone(block))))
    }

    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.kept().find(from).map(|block| block.appended_at()))
    }

    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError> {
        let kept = self.kept();
        let index = kept
            .blocks
            .partition_point(|block| block.appended_at() < time);
        Ok(kept
            .blocks
            .get(index)
            .map_or(kept.bounds.head, |block| block.first()))
    }

    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        let kept = self.kept();
        let find = |block: &Arc<Block>| {
            let index = block.ids().iter().rposition(|it| *it == id)?;
            block.record(block.first().plus(index as u64))
        };
        Ok(kept.blocks.iter().rev().find_map(find))
    }

    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError> {
        Ok(self.drop_blocks(&Trim::Outdated(retention, now)))
    }

    async fn trim_to(&self, tail: Offset) -> Result<Trimmed, TrimError> {
        Ok(self.drop_blocks(&Trim::Before(tail)))
    }

    fn bounds(&self) -> watch::Receiver<Bounds> {
        self.bounds.subscribe()
    }

    fn stats(&self) -> LogStats {
        let kept = self.kept();
        LogStats {
            refusing: false,
            damaged_count: 0,
            duplicate_count: kept.duplicate_count,
            stored_bytes: kept.stored_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promises::{Backend, log_promises};

    /// What is in memory is there as long as the process: opening again changes nothing.
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
