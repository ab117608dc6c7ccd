//! The one thread that writes.
//!
//! It takes all that is queued, up to a bound, and commits it in one transaction. Only what was
//! committed is published and answered. A failed write ends its writing for good: what reached the
//! disk is then not known, and a second sync that succeeds would prove nothing. The same holds for
//! moving the write-ahead log into the database, which is therefore done here and nowhere else.
//!
//! A trim that meets damage before its commit is another matter: it is taken back and the disk holds
//! what it held. Were it to end the writing too, no later start could get past the same damage.
//!
//! A duplicate is reported after the commit its original is in; when that fails, both fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{io, thread};

use easel_log::backend::{
    BlockBuilder, DuplicateWindow, Encoded, Trim, column, committed, duplicates, encode, stamp,
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

/// Records after which a commit takes no further append.
const MAX_COMMIT_RECORDS: usize = 16_384;
/// Record bytes after which a commit takes no further append.
const MAX_COMMIT_BYTES: usize = 16 << 20;
/// Blocks dropped in one transaction; appends go on between two.
const MAX_TRIM_BLOCKS: u64 = 1_024;
/// Bytes of blocks dropped in one transaction.
const MAX_TRIM_BYTES: u64 = 64 << 20;
/// Bytes written after which the write-ahead log is moved into the database.
const CHECKPOINT_BYTES: u64 = 4 << 20;
/// About what a transaction writes besides its blocks.
const TRANSACTION_BYTES: u64 = 16 << 10;

/// Where an answer goes.
pub(crate) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum WriterCommand {
    Append(Append),
    /// Makes one step of this trim; the trim is done when a step drops nothing.
    Trim(Trim, Reply<Trimmed, TrimError>),
    Close,
}

/// Records to store.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) records: Vec<NewRecord>,
    pub(crate) reply: Reply<Vec<Appended>, AppendError>,
    /// The records' share of the budget, given back when they are answered.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// The running writer; dropping it waits for its end.
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
            // Whoever waits for an answer or for the end learns of it only now.
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
            error!("the log's writer died");
        }
    }
}

/// The writer's side of the log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// Declared before `queue`: whoever waits for the end of that finds the file closed.
    connection: Connection,
    queue: mpsc::Receiver<WriterCommand>,
    clock: Arc<dyn Clock>,
    window: DuplicateWindow,
    /// As committed.
    state: LogState,
    published: Arc<Published>,
    name: LogName,
    /// Whether it was told that damage keeps the log from being trimmed.
    told_untrimmed: bool,
    /// About how much the write-ahead log holds.
    unmoved_bytes: u64,
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
            told_untrimmed: false,
            // What an earlier process left is due.
            unmoved_bytes: CHECKPOINT_BYTES,
        })
    }

    /// What this writer tells everyone.
    pub(crate) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// Writes until it is told to close or nobody can ask any more.
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
            self.move_when_due();
        }
        if self.published.refusal().is_none()
            && let Err(error) =
                self.connection
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            warn!(%error, "the write-ahead log is left to the next start");
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

    /// Stores what is new of the appends, whole or not at all.
    fn commit(&mut self, appends: &[Append]) -> Result<Vec<Vec<Appended>>, AppendError> {
        let started = Instant::now();
        let appended_at = stamp(&*self.clock, self.state.appended_at);
        let mut builder = BlockBuilder::new(self.state.bounds.head, appended_at);
        let answers: Vec<Vec<Appended>> = appends
            .iter()
            .map(|it| self.window.admit(&it.records, &mut builder))
            .collect();
        let head = builder.next();
        let record_count = head.since(self.state.bounds.head);
        if record_count > 0 {
            let blocks = builder.finish();
            let encoded: Vec<Encoded> = blocks.iter().map(encode).collect();
            let bytes = encoded
                .iter()
                .map(|it| (it.ids.len() + it.data.len()) as u64)
                .sum();
            let mut state = self.state;
            state.bounds.head = head;
            state.appended_at = appended_at;
            state.stored_bytes += bytes;
            self.write(state, |transaction| insert(transaction, &encoded))
                .map_err(|error| AppendError::Failed {
                    reason: self.published.refuse(&error),
                })?;
            committed(self.name, record_count, bytes, started.elapsed());
            self.unmoved_bytes += bytes;
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
            Err(error) if is_damage(&error) => Err(self.leave_untrimmed(&error)),
            result => result.map_err(|error| TrimError::Failed {
                reason: self.published.refuse(&error),
            }),
        }
    }

    /// Tells, once, that damage keeps the log from being trimmed.
    fn leave_untrimmed(&mut self, error: &rusqlite::Error) -> TrimError {
        if !std::mem::replace(&mut self.told_untrimmed, true) {
            error!(%error, "damage keeps the log from being trimmed");
        }
        TrimError::Damaged {
            reason: error.to_string(),
        }
    }

    fn drop_blocks(&mut self, trim: &Trim) -> rusqlite::Result<Trimmed> {
        let before = self.state.bounds.tail;
        let state = self.state_after(trim)?;
        let tail = state.bounds.tail;
        if tail > before {
            self.write(state, |transaction| {
                for sql in [
                    "DELETE FROM blocks WHERE first < ?1",
                    "DELETE FROM payloads WHERE first < ?1",
                ] {
                    transaction
                        .prepare_cached(sql)?
                        .execute([column(tail.get())])?;
                }
                Ok(())
            })?;
            // About what it writes to shorten the tables.
            self.unmoved_bytes += CHECKPOINT_BYTES / 8;
            self.window.trim_to(tail);
            self.published.publish(&self.state, Vec::new());
        }
        Ok(Trimmed {
            record_count: tail.since(before),
            tail,
        })
    }

    /// The state after one step of a trim. Damaged blocks go along with a good one behind them; at
    /// the very end they count as the newest.
    fn state_after(&self, trim: &Trim) -> rusqlite::Result<LogState> {
        let mut state = self.state;
        let mut block_count = 0;
        let mut statement = self.connection.prepare_cached(ALL_HEADERS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(header) = header(row).filter(|it| it.info.next() > state.bounds.tail) else {
                continue;
            };
            let dropped_bytes = self.state.stored_bytes.saturating_sub(state.stored_bytes);
            let is_long = block_count >= MAX_TRIM_BLOCKS || dropped_bytes >= MAX_TRIM_BYTES;
            if is_long || !trim.drops(&header.info, state.stored_bytes) {
                return Ok(state);
            }
            block_count += 1;
            state.bounds.tail = header.info.next();
            state.stored_bytes = state.stored_bytes.saturating_sub(header.stored_bytes);
        }
        let rest = BlockInfo {
            first: state.bounds.tail,
            count: state.bounds.head.since(state.bounds.tail),
            appended_at: state.appended_at,
            event_types: Vec::new(),
        };
        if rest.count == 0 || trim.drops(&rest, state.stored_bytes) {
            state.bounds.tail = state.bounds.head;
            state.stored_bytes = 0;
        }
        Ok(state)
    }

    /// Commits a change that leads to `state`. A commit that fails ends the writing; what fails
    /// before it is taken back, without which no other transaction can begin.
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
        self.unmoved_bytes += TRANSACTION_BYTES;
        Ok(())
    }

    fn count_duplicates(&self, answers: &[Vec<Appended>], stored_count: u64) {
        let all = answers.iter().map(Vec::len).sum::<usize>() as u64;
        let count = all.saturating_sub(stored_count);
        self.published
            .duplicate_count
            .fetch_add(count, Ordering::Relaxed);
        duplicates(count);
    }

    fn move_when_due(&mut self) {
        if self.unmoved_bytes < CHECKPOINT_BYTES || self.published.refusal().is_some() {
            return;
        }
        self.unmoved_bytes = 0;
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = moved {
            self.published.refuse(&error);
        }
    }
}

/// Answers; who does not wait any more is not told.
fn answer<T, E>(reply: Reply<T, E>, result: Result<T, E>) {
    drop(reply.send(result));
}

fn insert(connection: &Connection, blocks: &[Encoded]) -> rusqlite::Result<()> {
    let mut block =
        connection.prepare_cached("INSERT INTO blocks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut payload = connection.prepare_cached("INSERT INTO payloads VALUES (?1, ?2)")?;
    for Encoded {
        columns: it,
        checksum,
        ids,
        data,
    } in blocks
    {
        block.execute((
            it.first,
            it.count,
            it.appended_at,
            it.stored_bytes,
            &it.event_types,
            it.digest,
            checksum,
            ids,
        ))?;
        payload.execute((it.first, data))?;
    }
    Ok(())
}

/// The window as it was when the log was closed; shorter where damage hides ids. The ids are not
/// checked for damage: a changed one is found to equal nothing.
fn fill_window(connection: &Connection, max: usize) -> rusqlite::Result<DuplicateWindow> {
    let mut newest_first = Vec::new();
    match newest_ids(connection, max, &mut newest_first) {
        Err(error) if is_damage(&error) => {
            warn!(%error, "damage in the log makes the duplicate window shorter");
        }
        result => result?,
    }
    let mut window = DuplicateWindow::new(max);
    for (id, offset) in newest_first.into_iter().rev() {
        window.find_or_insert(id, offset);
    }
    Ok(window)
}
