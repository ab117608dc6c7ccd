//! The log in one SQLite file.
//!
//! One thread writes: it takes all that is queued, commits it as blocks in one transaction, and
//! only then answers. Readers have connections of their own and never wait for the writer; at the
//! head they are served from memory.
//!
//! Not here: keeping two processes away from one file.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use easel_log::backend::{Damage, DamageReport, PastBlocks, Trim, describe};
use easel_log::{
    AppendError, Appended, Block, Bounds, Clock, Log, LogName, LogOptions, LogStats, NewRecord,
    Offset, Read, ReadError, ReadFacts, ReadIf, Record, Retention, TrimError, Trimmed, Want,
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

/// Commands that may wait for the writer; what bounds memory is the budget of bytes.
const MAX_QUEUED_COMMANDS: usize = 1_024;

/// The log in one SQLite file.
///
/// Dropping it waits until what is queued is written, as [`Self::close`] does.
#[derive(Debug)]
pub struct SqliteLog {
    /// Declared before `_writer`: without a queue the writer ends, which dropping that waits for.
    queue: mpsc::Sender<WriterCommand>,
    _writer: WriterThread,
    /// Permits are bytes of records on their way.
    budget: Arc<Semaphore>,
    max_cost: u32,
    published: Arc<Published>,
    connections: Arc<ReadConnections>,
    past: PastBlocks,
    damage: DamageReport,
    read_facts: ReadFacts,
}

impl SqliteLog {
    /// Opens the log in the file at `path`, which is made if there is none.
    ///
    /// Reads the ids of the duplicate window, and nothing else that grows with the log. Of blocks
    /// that an older version wrote, `read_facts` reads what these do not tell of their records; a
    /// log that holds no events has [`RecordFacts::none`](easel_log::RecordFacts::none) for it.
    pub fn open(
        path: &Path,
        options: LogOptions,
        clock: Arc<dyn Clock>,
        read_facts: ReadFacts,
    ) -> Result<Self, OpenLogError> {
        describe();
        let (queue, commands) = mpsc::channel(MAX_QUEUED_COMMANDS);
        let max_cost = u32::try_from(options.max_queued_bytes).unwrap_or(u32::MAX);
        let writer = LogWriter::open(path, options, clock, commands)?;
        let published = writer.published();
        Ok(Self {
            queue,
            _writer: WriterThread::start(writer)
                .map_err(|source| OpenLogError::Thread { source })?,
            budget: Arc::new(Semaphore::new(max_cost as usize)),
            max_cost,
            published,
            connections: Arc::new(ReadConnections::new(path)),
            past: PastBlocks::new(options.past_bytes),
            damage: DamageReport::default(),
            read_facts,
        })
    }

    /// What the file of this log looks like.
    pub const fn layout(name: LogName) -> &'static Layout {
        file::layout(name)
    }

    /// Moves the head of the event log in the file at `path`, which nobody has open, on to `head`,
    /// unless it is there already. What lies between reads as damaged. A log that never held
    /// anything begins at `tail`.
    pub fn continue_at(
        path: &Path,
        tail: Offset,
        head: Offset,
        clock: &dyn Clock,
    ) -> Result<(), OpenLogError> {
        file::continue_at(path, tail, head, clock)
    }

    /// Writes what is queued and takes no more; reads go on. Returns when the writer is done.
    pub async fn close(&self) {
        // Refused only by a writer that is done already.
        drop(self.queue.send(WriterCommand::Close).await);
        self.queue.closed().await;
    }

    /// Has the writer do something and waits for its answer; `None` if there is no writer any more.
    async fn ask<T, E>(
        &self,
        command: impl FnOnce(Reply<T, E>) -> WriterCommand,
    ) -> Option<Result<T, E>> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Fails when writes are refused.
    fn check_append(&self) -> Result<(), AppendError> {
        match self.published.refusal() {
            Some(reason) => Err(AppendError::Refusing { reason }),
            None => Ok(()),
        }
    }

    /// Makes one step of a trim.
    async fn trim_once(&self, trim: Trim) -> Result<Trimmed, TrimError> {
        if let Some(answer) = self.ask(|reply| WriterCommand::Trim(trim, reply)).await {
            return answer;
        }
        Err(match self.published.refusal() {
            Some(reason) => TrimError::Refusing { reason },
            None => TrimError::Closed,
        })
    }

    /// Trims in steps, between which appends go on.
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

    /// The block that holds `offset`, if it is in memory.
    fn cached(&self, offset: Offset) -> Option<Arc<Block>> {
        let recent = self.published.recent.find(offset);
        recent.or_else(|| self.past.find(offset))
    }

    /// A block that was read from the file, kept for others.
    fn keep(&self, block: Arc<Block>) -> Arc<Block> {
        self.past.insert(&block);
        block
    }

    /// Reports the damage and says what of it lies at `from` or later.
    fn damaged(&self, from: Offset, damage: &Damage) -> Range<Offset> {
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
            .map(|it| it.bytes.len() + size_of::<NewRecord>())
            .sum();
        let cost = std::cmp::min(u32::try_from(bytes).unwrap_or(u32::MAX), self.max_cost);
        let budget = Arc::clone(&self.budget);
        let permit = budget
            .acquire_many_owned(cost)
            .await
            .map_err(|_closed| AppendError::Closed)?;
        let append = |reply| {
            WriterCommand::Append(Append {
                records,
                reply,
                permit,
            })
        };
        match self.ask(append).await {
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
        let read_facts = self.read_facts;
        Ok(
            match self
                .connections
                .run(move |database| blocks::read(database, from, bounds, read_facts))
                .await?
            {
                Lookup::Block(block) => Read::Block(self.keep(Arc::new(block))),
                Lookup::Damage(damage) => Read::Damaged(self.damaged(from, &damage)),
                Lookup::End => Read::End,
            },
        )
    }

    async fn read_if(&self, from: Offset, want: &Want) -> Result<ReadIf, ReadError> {
        let bounds = self.bounds_now();
        let from = std::cmp::max(from, bounds.tail);
        if from >= bounds.head {
            return Ok(ReadIf::End);
        }
        let mut end = from;
        while let Some(block) = self.cached(end) {
            if want.wants_block(block.info()) {
                if end == from {
                    return Ok(ReadIf::Block(block));
                }
                break;
            }
            end = block.next();
        }
        if end > from {
            return Ok(ReadIf::Skipped(from..end));
        }
        let (want, read_facts) = (want.clone(), self.read_facts);
        let read =
            move |database: &Connection| blocks::read_if(database, from, bounds, &want, read_facts);
        Ok(match self.connections.run(read).await? {
            Lookup::Block(Selected::Block(block)) => ReadIf::Block(self.keep(block)),
            Lookup::Block(Selected::Skipped(range)) => {
                ReadIf::Skipped(std::cmp::max(from, range.start)..range.end)
            }
            Lookup::Damage(damage) => ReadIf::Damaged(self.damaged(from, &damage)),
            Lookup::End => ReadIf::End,
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
        let peek = move |database: &Connection| blocks::peek(database, from, bounds);
        Ok(match self.connections.run(peek).await? {
            Lookup::Block(info) => Some(info.appended_at),
            Lookup::Damage(damage) => {
                self.damaged(from, &damage);
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

    /// Reads the ids of the log, newest first, until it finds this one: 16 bytes a record.
    async fn find_id(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        let found = self
            .connections
            .run(move |database| blocks::find_id(database, id))
            .await?;
        let Some(offset) = found else { return Ok(None) };
        match self.read(offset).await? {
            Read::Block(block) => Ok(block.record(offset).filter(|record| record.id == id)),
            Read::Damaged(_) => Err(ReadError::Failed {
                reason: format!("damaged at {offset}"),
            }),
            Read::End => Ok(None),
        }
    }

    async fn trim(&self, retention: Retention, now: Timestamp) -> Result<Trimmed, TrimError> {
        self.trim_all(Trim::Outdated(retention, now)).await
    }

    async fn trim_to(&self, tail: Offset) -> Result<Trimmed, TrimError> {
        self.trim_all(Trim::Before(tail)).await
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
