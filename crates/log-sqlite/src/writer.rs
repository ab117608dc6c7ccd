//! The only thread that writes.
//!
//! It takes all queued appends, up to a limit, and commits them in one transaction. It publishes and
//! answers only after the commit. After a failed write, it refuses all further writes: the data on
//! disk is unknown, and a later successful fsync would prove nothing. The same is true for a
//! checkpoint, so only this thread makes checkpoints.
//!
//! A trim that finds damage before its commit is rolled back, and writes continue. If such a trim
//! stopped the writer, the writer would stop at the same damage after every start.
//!
//! A duplicate is reported after the commit of its original. If that commit fails, both fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{io, thread};

use easel_log::backend::{
    BlockBuilder, DuplicateWindow, EncodedBlock, Trim, count_commit, count_duplicates, encode,
    stamp, to_sql,
};
use easel_log::{
    AppendError, Appended, BlockInfo, Clock, LogName, LogOptions, NewRecord, TrimError, Trimmed,
};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::blocks::{ALL_HEADERS, header, is_damage, newest_ids};
use crate::file::{OpenLogError, open_to_write};
use crate::published::Published;
use crate::state::LogState;

/// A commit with this number of records takes no further append.
const MAX_COMMIT_RECORDS: usize = 16_384;
/// A commit with this number of record bytes takes no further append.
const MAX_COMMIT_BYTES: usize = 16 << 20;
/// Maximum number of blocks dropped in one transaction. Appends continue between transactions.
const MAX_TRIM_BLOCKS: u64 = 1_024;
/// Maximum bytes of blocks dropped in one transaction.
const MAX_TRIM_BYTES: u64 = 64 << 20;
/// Size of the WAL at which the writer makes a checkpoint.
const CHECKPOINT_BYTES: u64 = 4 << 20;
/// Estimate of the WAL bytes of a transaction, without its blocks.
const TRANSACTION_BYTES: u64 = 16 << 10;

/// The channel for an answer.
pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// A command for the writer.
#[derive(Debug)]
pub(crate) enum WriterCommand {
    Append(Append),
    /// Makes one step of this trim. The trim is complete when a step drops nothing.
    Trim(Trim, Reply<Trimmed, TrimError>),
    Close,
}

/// Records to store.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) records: Vec<NewRecord>,
    pub(crate) reply: Reply<Vec<Appended>, AppendError>,
    /// The records' share of the budget. Released with the answer.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// The running writer. Dropping it waits until the writer ends.
#[derive(Debug)]
pub(crate) struct WriterThread(Option<thread::JoinHandle<()>>);

impl WriterThread {
    /// Starts the writer.
    pub(crate) fn start(mut writer: LogWriter) -> io::Result<Self> {
        let published = writer.published();
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                published.refuse(&"the writer panicked");
            }
            // Wakes the callers that wait for an answer or for the end. The refusal is set before.
            drop(writer);
        };
        Ok(Self(Some(
            thread::Builder::new()
                .name(String::from("easel-log"))
                .spawn(run)?,
        )))
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        if self.0.take().is_some_and(|thread| thread.join().is_err()) {
            error!("log writer thread panicked");
        }
    }
}

/// The writer's side of the log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// Declared before `queue`: the file is closed before waiters on the queue continue.
    connection: Connection,
    queue: mpsc::Receiver<WriterCommand>,
    clock: Arc<dyn Clock>,
    window: DuplicateWindow,
    /// The last committed state.
    state: LogState,
    published: Arc<Published>,
    name: LogName,
    /// Whether the writer has logged that damage prevents trims.
    has_logged_trim_damage: bool,
    /// Estimate of the WAL bytes since the last checkpoint.
    wal_bytes: u64,
}

impl LogWriter {
    /// Opens the file and fills the duplicate window.
    pub(crate) fn open(
        path: &Path,
        options: LogOptions,
        clock: Arc<dyn Clock>,
        queue: mpsc::Receiver<WriterCommand>,
    ) -> Result<Self, OpenLogError> {
        let (connection, state) = open_to_write(path, options.name)?;
        let window = fill_window(&connection, options.duplicate_window).map_err(|source| {
            OpenLogError::Storage {
                path: path.to_owned(),
                source,
            }
        })?;
        let published = Published::new(&state, options.recent_bytes);
        Ok(Self {
            connection,
            queue,
            clock,
            window,
            state,
            published: Arc::new(published),
            name: options.name,
            has_logged_trim_damage: false,
            // An earlier process may have left a WAL, so a checkpoint is due.
            wal_bytes: CHECKPOINT_BYTES,
        })
    }

    /// Returns the state that this writer shares with readers.
    pub(crate) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// Runs commands until [`WriterCommand::Close`], or until all senders are dropped.
    fn run(&mut self) {
        let mut closing = false;
        while !closing && let Some(command) = self.queue.blocking_recv() {
            let mut appends = Vec::new();
            let mut trims = Vec::new();
            let (mut record_count, mut bytes) = (0, 0);
            let mut next = Some(command);
            while let Some(command) = next {
                match command {
                    WriterCommand::Append(append) => {
                        record_count += append.records.len();
                        bytes += append.permit.num_permits();
                        appends.push(append);
                    }
                    WriterCommand::Trim(trim, reply) => trims.push((trim, reply)),
                    WriterCommand::Close => closing = true,
                }
                let is_full = record_count >= MAX_COMMIT_RECORDS || bytes >= MAX_COMMIT_BYTES;
                next = if closing || is_full {
                    None
                } else {
                    self.queue.try_recv().ok()
                };
            }
            self.append(appends);
            for (trim, reply) in trims {
                let trimmed = self.trim(&trim);
                answer(reply, trimmed);
            }
            self.checkpoint_if_due();
        }
        if self.published.refusal().is_none()
            && let Err(error) =
                self.connection
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            warn!(%error, "checkpoint at close failed, the next start repeats it");
        }
    }

    fn append(&mut self, appends: Vec<Append>) {
        let result = match self.published.refusal() {
            Some(reason) => Err(AppendError::Refusing { reason }),
            None => self.commit(&appends),
        };
        match result {
            Ok(answers) => {
                for (append, appended) in appends.into_iter().zip(answers) {
                    answer(append.reply, Ok(appended));
                }
            }
            Err(error) => {
                for append in appends {
                    answer(append.reply, Err(error.clone()));
                }
            }
        }
    }

    /// Stores the new records of the appends, all or none.
    fn commit(&mut self, appends: &[Append]) -> Result<Vec<Vec<Appended>>, AppendError> {
        let started = Instant::now();
        let appended_at = stamp(&*self.clock, self.state.appended_at);
        let mut builder = BlockBuilder::new(self.state.bounds.head, appended_at);
        let answers: Vec<Vec<Appended>> = appends
            .iter()
            .map(|append| self.window.admit(&append.records, &mut builder))
            .collect();
        let head = builder.next_offset();
        let record_count = head.since(self.state.bounds.head);
        if record_count > 0 {
            let blocks = builder.finish();
            let encoded: Vec<EncodedBlock> = blocks.iter().map(encode).collect();
            let bytes = encoded
                .iter()
                .map(|block| (block.ids.len() + block.data.len()) as u64)
                .sum();
            let mut state = self.state;
            state.bounds.head = head;
            state.appended_at = appended_at;
            state.stored_bytes += bytes;
            self.write(state, |transaction| insert(transaction, &encoded))
                .map_err(|error| AppendError::Failed {
                    reason: self.published.refuse(&error),
                })?;
            count_commit(self.name, record_count, bytes, started.elapsed());
            self.wal_bytes += bytes;
            self.published.publish(&self.state, blocks);
        }
        self.count_duplicates(&answers, record_count);
        Ok(answers)
    }

    /// Makes one step of a trim.
    fn trim(&mut self, trim: &Trim) -> Result<Trimmed, TrimError> {
        if let Some(reason) = self.published.refusal() {
            return Err(TrimError::Refusing { reason });
        }
        match self.drop_blocks(trim) {
            Err(error) if is_damage(&error) => Err(self.report_trim_damage(&error)),
            result => result.map_err(|error| TrimError::Failed {
                reason: self.published.refuse(&error),
            }),
        }
    }

    /// Logs once that damage prevents trims, and returns the error for the caller.
    fn report_trim_damage(&mut self, error: &rusqlite::Error) -> TrimError {
        if !std::mem::replace(&mut self.has_logged_trim_damage, true) {
            error!(%error, "damaged data prevents trims of the log");
        }
        TrimError::Damaged {
            reason: error.to_string(),
        }
    }

    fn drop_blocks(&mut self, trim: &Trim) -> rusqlite::Result<Trimmed> {
        let old_tail = self.state.bounds.tail;
        let state = self.state_after(trim)?;
        let tail = state.bounds.tail;
        if tail > old_tail {
            self.write(state, |transaction| {
                for sql in [
                    "DELETE FROM blocks WHERE first < ?1",
                    "DELETE FROM payloads WHERE first < ?1",
                ] {
                    transaction
                        .prepare_cached(sql)?
                        .execute([to_sql(tail.get())])?;
                }
                Ok(())
            })?;
            // Estimate of the WAL bytes that a trim writes.
            self.wal_bytes += CHECKPOINT_BYTES / 8;
            self.window.trim_to(tail);
            self.published.publish(&self.state, Vec::new());
        }
        Ok(Trimmed {
            record_count: tail.since(old_tail),
            tail,
        })
    }

    /// Returns the state after one step of a trim.
    ///
    /// Damaged blocks are dropped together with the next good block. Damaged blocks without a next
    /// good block are treated as one block with the newest commit time.
    fn state_after(&self, trim: &Trim) -> rusqlite::Result<LogState> {
        let mut state = self.state;
        let mut block_count = 0;
        let mut statement = self.connection.prepare_cached(ALL_HEADERS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let tail = state.bounds.tail;
            let Some(header) = header(row).filter(|header| header.info.end() > tail) else {
                continue;
            };
            let dropped_bytes = self.state.stored_bytes.saturating_sub(state.stored_bytes);
            let is_full = block_count >= MAX_TRIM_BLOCKS || dropped_bytes >= MAX_TRIM_BYTES;
            if is_full || !trim.drops(&header.info, state.stored_bytes) {
                return Ok(state);
            }
            block_count += 1;
            state.bounds.tail = header.info.end();
            state.stored_bytes = state.stored_bytes.saturating_sub(header.stored_bytes);
        }
        let damaged_rest = BlockInfo {
            start: state.bounds.tail,
            count: state.bounds.head.since(state.bounds.tail),
            appended_at: state.appended_at,
            event_types: Vec::new(),
        };
        if damaged_rest.count == 0 || trim.drops(&damaged_rest, state.stored_bytes) {
            state.bounds.tail = state.bounds.head;
            state.stored_bytes = 0;
        }
        Ok(state)
    }

    /// Runs `change` and saves `state` in one transaction.
    ///
    /// After a failed commit, all further writes are refused. An error before the commit rolls the
    /// transaction back, so that the next transaction can begin.
    fn write(
        &mut self,
        state: LogState,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        change(&transaction)?;
        state.save(&transaction)?;
        transaction.commit().inspect_err(|error| {
            self.published.refuse(error);
        })?;
        self.state = state;
        self.wal_bytes += TRANSACTION_BYTES;
        Ok(())
    }

    fn count_duplicates(&self, answers: &[Vec<Appended>], stored_count: u64) {
        let record_count = answers.iter().map(Vec::len).sum::<usize>() as u64;
        let count = record_count.saturating_sub(stored_count);
        self.published
            .duplicate_count
            .fetch_add(count, Ordering::Relaxed);
        count_duplicates(count);
    }

    fn checkpoint_if_due(&mut self) {
        if self.wal_bytes < CHECKPOINT_BYTES || self.published.refusal().is_some() {
            return;
        }
        self.wal_bytes = 0;
        let result = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = result {
            self.published.refuse(&error);
        }
    }
}

/// Sends an answer. Ignores that the caller may have stopped waiting.
fn answer<T, E>(reply: Reply<T, E>, result: Result<T, E>) {
    drop(reply.send(result));
}

fn insert(connection: &Connection, blocks: &[EncodedBlock]) -> rusqlite::Result<()> {
    let mut block =
        connection.prepare_cached("INSERT INTO blocks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut payload = connection.prepare_cached("INSERT INTO payloads VALUES (?1, ?2)")?;
    for EncodedBlock {
        columns,
        checksum,
        ids,
        data,
    } in blocks
    {
        block.execute((
            columns.first,
            columns.count,
            columns.appended_at,
            columns.stored_bytes,
            &columns.event_types,
            columns.digest,
            checksum,
            ids,
        ))?;
        payload.execute((columns.first, data))?;
    }
    Ok(())
}

/// Rebuilds the duplicate window from the stored ids. The window is shorter if damage hides ids.
///
/// The ids are not validated: a changed id matches no record.
fn fill_window(connection: &Connection, max: usize) -> rusqlite::Result<DuplicateWindow> {
    let mut newest_first = Vec::new();
    match newest_ids(connection, max, &mut newest_first) {
        Err(error) if is_damage(&error) => {
            warn!(%error, "damaged data shortens the duplicate window");
        }
        result => result?,
    }
    let mut window = DuplicateWindow::new(max);
    for (id, offset) in newest_first.into_iter().rev() {
        window.find_or_insert(id, offset);
    }
    Ok(window)
}
