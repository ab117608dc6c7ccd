//! The log in one SQLite file.
//!
//! One thread writes. It takes all queued appends, commits them as blocks in one transaction, and
//! then answers. Readers have their own connections and never wait for the writer. At the head,
//! readers read from memory.
//!
//! It does not lock the file against a second process.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use easel_log::backend::{Damage, DamageReport, PastBlocks, Trim, describe_metrics};
use easel_log::{
    AppendError, Appended, Block, Bounds, Clock, ExtractFacts, Log, LogName, LogOptions, LogStats,
    NewRecord, Offset, Read, ReadError, Record, Retention, TrimError, Trimmed, Want, WantedRead,
};
use easel_sqlite::Layout;
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::blocks::{self, Lookup, Selected};
use crate::connections::ReadConnections;
use crate::file::{self, OpenLogError};
use crate::published::Published;
use crate::writer::{Append, LogWriter, Reply, WriterCommand, WriterThread};

/// Maximum number of queued commands. The budget of bytes limits their memory.
const MAX_QUEUED_COMMANDS: usize = 1_024;

/// The log in one SQLite file.
///
/// Dropping it waits until all queued appends are written, like [`Self::close`].
#[derive(Debug)]
pub struct SqliteLog {
    /// Declared, and so dropped, before `_writer`: dropping the queue ends the writer, and dropping
    /// `_writer` waits until the writer has ended.
    queue: mpsc::Sender<WriterCommand>,
    _writer: WriterThread,
    /// One permit per byte of queued records.
    budget: Arc<Semaphore>,
    /// The number of permits in `budget`.
    budget_bytes: u32,
    published: Arc<Published>,
    connections: Arc<ReadConnections>,
    past: PastBlocks,
    damage: DamageReport,
    extract_facts: ExtractFacts,
}

impl SqliteLog {
    /// Opens the log in the file at `path`. Creates the file if it is missing.
    ///
    /// Reads the ids of the duplicate window, and nothing else that grows with the log. For blocks of
    /// format 1, `extract_facts` extracts the missing facts from the records. Pass
    /// [`RecordFacts::none`](easel_log::RecordFacts::none) for a log that stores no events.
    pub fn open(
        path: &Path,
        options: LogOptions,
        clock: Arc<dyn Clock>,
        extract_facts: ExtractFacts,
    ) -> Result<Self, OpenLogError> {
        describe_metrics();
        let (queue, commands) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let budget_bytes = u32::try_from(options.max_queued_bytes).unwrap_or(u32::MAX);
        let writer = LogWriter::open(path, options, clock, commands)?;
        let published = writer.published();
        Ok(Self {
            queue,
            _writer: WriterThread::start(writer)
                .map_err(|source| OpenLogError::Thread { source })?,
            budget: Arc::new(Semaphore::new(budget_bytes as usize)),
            budget_bytes,
            published,
            connections: Arc::new(ReadConnections::new(path)),
            past: PastBlocks::new(options.past_bytes),
            damage: DamageReport::default(),
            extract_facts,
        })
    }

    /// Returns the layout of the file of this log.
    pub const fn layout(name: LogName) -> &'static Layout {
        file::layout(name)
    }

    /// Moves the head of the event log in the file at `path` forward to `head`. Does nothing if the
    /// log has reached `head` already. The file must not be open elsewhere.
    ///
    /// Readers get the skipped offsets as damaged. The tail of a log that never had records becomes
    /// `tail`.
    pub fn continue_at(
        path: &Path,
        tail: Offset,
        head: Offset,
        clock: &dyn Clock,
    ) -> Result<(), OpenLogError> {
        file::continue_at(path, tail, head, clock)
    }

    /// Writes all queued appends, then rejects further ones. Returns when the writer has ended. Reads
    /// continue.
    pub async fn close(&self) {
        // Sending fails only if the writer has ended already.
        drop(self.queue.send(WriterCommand::Close).await);
        self.queue.closed().await;
    }

    /// Sends a command to the writer and waits for its answer. Returns `None` if the writer has ended.
    async fn request<T, E>(
        &self,
        command: impl FnOnce(Reply<T, E>) -> WriterCommand,
    ) -> Option<Result<T, E>> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Returns an error if writes are refused.
    fn check_append(&self) -> Result<(), AppendError> {
        match self.published.refusal() {
            Some(reason) => Err(AppendError::Refusing { reason }),
            None => Ok(()),
        }
    }

    /// Makes one step of a trim.
    async fn trim_once(&self, trim: Trim) -> Result<Trimmed, TrimError> {
        if let Some(answer) = self.request(|reply| WriterCommand::Trim(trim, reply)).await {
            return answer;
        }
        Err(match self.published.refusal() {
            Some(reason) => TrimError::Refusing { reason },
            None => TrimError::Closed,
        })
    }

    /// Trims in steps. Appends continue between the steps.
    async fn trim_all(&self, trim: Trim) -> Result<Trimmed, TrimError> {
        let mut record_count = 0;
        loop {
            let step = self.trim_once(trim).await?;
            record_count += step.record_count;
            if step.record_count == 0 {
                return Ok(Trimmed {
                    record_count,
                    tail: step.tail,
                });
            }
        }
    }

    fn bounds_now(&self) -> Bounds {
        *self.published.bounds.borrow()
    }

    /// Returns the block that contains `offset`, if it is in memory.
    fn cached(&self, offset: Offset) -> Option<Arc<Block>> {
        let recent = self.published.recent.find(offset);
        recent.or_else(|| self.past.find(offset))
    }

    /// Adds a block that was read from the file to the cache.
    fn cache(&self, block: Arc<Block>) -> Arc<Block> {
        self.past.insert(&block);
        block
    }

    /// Reports damage. Returns the damaged offsets at or after `from`.
    fn report_damage(&self, from: Offset, damage: &Damage) -> Range<Offset> {
        self.damage.note(damage);
        std::cmp::max(from, damage.range.start)..damage.range.end
    }
}

#[async_trait]
impl Log for SqliteLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Appended>, AppendError> {
        AppendError::check_sizes(&records)?;
        self.check_append()?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let bytes: usize = records
            .iter()
            .map(|record| record.bytes.len() + size_of::<NewRecord>())
            .sum();
        let permit_count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit_count = std::cmp::min(permit_count, self.budget_bytes);
        let budget = Arc::clone(&self.budget);
        let permit = budget
            .acquire_many_owned(permit_count)
            .await
            .map_err(|_closed| AppendError::Closed)?;
        let append = |reply| {
            WriterCommand::Append(Append {
                records,
                reply,
                permit,
            })
        };
        match self.request(append).await {
            Some(answer) => answer,
            None => self.check_append().and(Err(AppendError::Closed)),
        }
    }

    async fn read(&self, from: Offset) -> Result<Read, ReadError> {
        let bounds = self.bounds_now();
        let from = std::cmp::max(from, bounds.tail);
        if from >= bounds.head {
            return Ok(Read::End);
        }
        if let Some(block) = self.cached(from) {
            return Ok(Read::Block(block));
        }
        let extract_facts = self.extract_facts;
        Ok(
            match self
                .connections
                .run(move |database| blocks::read(database, from, bounds, extract_facts))
                .await?
            {
                Lookup::Block(block) => Read::Block(self.cache(Arc::new(block))),
                Lookup::Damage(damage) => Read::Damaged(self.report_damage(from, &damage)),
                Lookup::End => Read::End,
            },
        )
    }

    async fn read_wanted(&self, from: Offset, want: &Want) -> Result<WantedRead, ReadError> {
        let bounds = self.bounds_now();
        let from = std::cmp::max(from, bounds.tail);
        if from >= bounds.head {
            return Ok(WantedRead::End);
        }
        let mut end = from;
        while let Some(block) = self.cached(end) {
            if want.wants_block(block.info()) {
                if end == from {
                    return Ok(WantedRead::Block(block));
                }
                break;
            }
            end = block.end();
        }
        if end > from {
            return Ok(WantedRead::Skipped(from..end));
        }
        let (want, extract_facts) = (want.clone(), self.extract_facts);
        let read = move |database: &Connection| {
            blocks::read_wanted(database, from, bounds, &want, extract_facts)
        };
        Ok(match self.connections.run(read).await? {
            Lookup::Block(Selected::Block(block)) => WantedRead::Block(self.cache(block)),
            Lookup::Block(Selected::Skipped(range)) => {
                WantedRead::Skipped(std::cmp::max(from, range.start)..range.end)
            }
            Lookup::Damage(damage) => WantedRead::Damaged(self.report_damage(from, &damage)),
            Lookup::End => WantedRead::End,
        })
    }

    async fn appended_at(&self, from: Offset) -> Result<Option<Timestamp>, ReadError> {
        let bounds = self.bounds_now();
        let from = std::cmp::max(from, bounds.tail);
        if from >= bounds.head {
            return Ok(None);
        }
        if let Some(block) = self.cached(from) {
            return Ok(Some(block.appended_at()));
        }
        let read = move |database: &Connection| blocks::read_info(database, from, bounds);
        Ok(match self.connections.run(read).await? {
            Lookup::Block(info) => Some(info.appended_at),
            Lookup::Damage(damage) => {
                self.report_damage(from, &damage);
                Some(damage.appended_at)
            }
            Lookup::End => None,
        })
    }

    async fn find_time(&self, time: Timestamp) -> Result<Offset, ReadError> {
        let bounds = self.bounds_now();
        self.connections
            .run(move |database| blocks::find_time(database, time, bounds))
            .await
    }

    /// Reads the ids of all blocks, newest first, until it finds this id. It reads 16 bytes per record.
    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        let found = self
            .connections
            .run(move |database| blocks::find_id(database, id))
            .await?;
        let Some(offset) = found else { return Ok(None) };
        match self.read(offset).await? {
            Read::Block(block) => Ok(block.record(offset).filter(|record| record.id == id)),
            Read::Damaged(_) => Err(ReadError::Failed {
                reason: format!("the record at {offset} is damaged"),
            }),
            Read::End => Ok(None),
        }
    }

    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError> {
        self.trim_all(Trim::Outdated(retention, now)).await
    }

    async fn trim_to(&self, up_to: Offset) -> Result<Trimmed, TrimError> {
        self.trim_all(Trim::Before(up_to)).await
    }

    fn bounds(&self) -> watch::Receiver<Bounds> {
        self.published.bounds.subscribe()
    }

    fn stats(&self) -> LogStats {
        LogStats {
            refusing: self.published.refusal().is_some(),
            damaged_count: self.damage.record_count(),
            duplicate_count: self.published.duplicate_count.load(Ordering::Relaxed),
            stored_bytes: self.published.stored_bytes.load(Ordering::Relaxed),
        }
    }
}
