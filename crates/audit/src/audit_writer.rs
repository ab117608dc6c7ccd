//! The only thread that writes the audit.
//!
//! It commits all waiting entries in one transaction, replaces the head file, and answers only then. If a
//! write fails, the entries stay in memory and are written as soon as possible, because what they say has
//! happened. Whoever waits gets an error.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

use crate::audit_entry::{AuditActor, NewAuditEntry};
use crate::audit_head::AuditHead;
use crate::audit_store::{AuditStore, SettingRow};
use crate::chain_key::ChainKey;
use crate::declared_setting::{DeclaredSetting, changes, rows_of};
use crate::metrics::{count_entries, set_failing};
use crate::stored_entry::{StoredEntry, mac_of};
use crate::verifier::TRIM;
use crate::{ChainPoint, EntryMac};

/// The most entries of one commit, and the most that wait for a working disk.
const MAX_ENTRIES: usize = 4_096;
/// The most entries that retention removes in one transaction.
const MAX_TRIMMED: i64 = 10_000;

/// The audit cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("write the audit")]
pub struct AuditUnavailable;

/// A channel for the answer to a command.
pub(crate) type Answer = oneshot::Sender<Result<(), AuditUnavailable>>;

/// A command for the writer.
#[derive(Debug)]
pub(crate) enum ChainCommand {
    Record(Vec<NewAuditEntry>, Answer),
    /// Records how the settings differ from those that were declared before.
    Declare(Vec<DeclaredSetting>, Timestamp, Answer),
    /// Removes entries that are older than the first time. The second one is the current time.
    Trim(Timestamp, Timestamp, Answer),
    Close,
}

/// What the writer shares with readers.
#[derive(Debug)]
pub(crate) struct AuditState {
    head: Mutex<AuditHead>,
    is_failing: AtomicBool,
}

/// The writer's side of the audit.
#[derive(Debug)]
pub(crate) struct AuditWriter {
    pub(crate) store: AuditStore,
    pub(crate) key: ChainKey,
    pub(crate) head_path: PathBuf,
    pub(crate) state: Arc<AuditState>,
    pub(crate) queue: mpsc::Receiver<ChainCommand>,
    /// Entries that could not be written yet.
    pub(crate) backlog: Vec<NewAuditEntry>,
    /// Whether the head file is behind the entries.
    pub(crate) is_head_behind: bool,
}

/// The running writer. Dropping it waits until the writer ends.
#[derive(Debug)]
pub(crate) struct AuditThread(Option<thread::JoinHandle<()>>);

impl AuditState {
    pub(crate) const fn new(head: AuditHead) -> Self {
        Self {
            head: Mutex::new(head),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Returns the lock of the head. While somebody holds it, no entry is committed.
    // A panic under this lock leaves the head valid, so a poisoned lock is ignored.
    pub(crate) fn lock_head(&self) -> MutexGuard<'_, AuditHead> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Acquire)
    }
}

impl AuditThread {
    pub(crate) fn start(mut writer: AuditWriter) -> io::Result<Self> {
        let builder = thread::Builder::new().name(String::from("easel-audit"));
        Ok(Self(Some(builder.spawn(move || writer.run())?)))
    }
}

impl Drop for AuditThread {
    fn drop(&mut self) {
        if self.0.take().is_some_and(|thread| thread.join().is_err()) {
            error!("thread of the audit panicked");
        }
    }
}

impl AuditWriter {
    fn run(&mut self) {
        let mut is_closing = false;
        while !is_closing && let Some(command) = self.queue.blocking_recv() {
            let mut entries = Vec::new();
            let mut answers = Vec::new();
            let mut others = Vec::new();
            let mut next = Some(command);
            while let Some(command) = next {
                match command {
                    ChainCommand::Record(more, answer) => {
                        entries.extend(more);
                        answers.push(answer);
                    }
                    ChainCommand::Close => is_closing = true,
                    other @ (ChainCommand::Declare(..) | ChainCommand::Trim(..)) => {
                        others.push(other);
                    }
                }
                let is_full = entries.len() >= MAX_ENTRIES || !others.is_empty() || is_closing;
                next = if is_full {
                    None
                } else {
                    self.queue.try_recv().ok()
                };
            }
            let has_work = !entries.is_empty() || !self.backlog.is_empty() || self.is_head_behind;
            let written = if has_work {
                self.write(entries, None, None)
            } else {
                Ok(())
            };
            for waiting in answers {
                answer(waiting, written);
            }
            for command in others {
                match command {
                    ChainCommand::Declare(settings, at, waiting) => {
                        let written = self.declare(&settings, at);
                        answer(waiting, written);
                    }
                    ChainCommand::Trim(before, now, waiting) => {
                        let written = self.trim(before, now);
                        answer(waiting, written);
                    }
                    ChainCommand::Record(..) | ChainCommand::Close => (),
                }
            }
        }
        if let Err(error) = self.store.checkpoint() {
            warn!(%error, "checkpoint of the audit failed, the next start repeats it");
        }
    }

    fn declare(
        &mut self,
        settings: &[DeclaredSetting],
        at: Timestamp,
    ) -> Result<(), AuditUnavailable> {
        let new = rows_of(&self.key, settings);
        let old = self.store.settings();
        let old = old.map_err(|error| self.failed(&error))?;
        let entries = changes(&old, &new, at);
        if entries.is_empty() && old.len() == new.len() && !old.is_empty() {
            return Ok(());
        }
        self.write(entries, None, Some(&new))
    }

    /// Removes the entries that are older than `before`, and writes an entry about it.
    fn trim(&mut self, before: Timestamp, now: Timestamp) -> Result<(), AuditUnavailable> {
        loop {
            let old = self
                .store
                .oldest_before(before.as_microsecond(), MAX_TRIMMED);
            let old = old.map_err(|error| self.failed(&error))?;
            let (Some((first, _)), Some((last, mac))) = (old.first(), old.last()) else {
                return Ok(());
            };
            let anchor = ChainPoint {
                number: last.unsigned_abs(),
                mac: mac_of(mac).unwrap_or(EntryMac::NONE),
            };
            let mut details = Map::new();
            details.insert("first".to_owned(), first.unsigned_abs().into());
            details.insert("last".to_owned(), anchor.number.into());
            details.insert("count".to_owned(), old.len().into());
            details.insert("mac".to_owned(), Value::String(anchor.mac.to_string()));
            let entry = NewAuditEntry {
                at: now,
                actor: AuditActor::server(),
                action: TRIM.to_owned(),
                object: String::new(),
                details,
            };
            self.write(vec![entry], Some(anchor), None)?;
            info!(count = old.len(), "old entries of the audit removed");
        }
    }

    /// Commits entries, after those that could not be written before. `anchor` is the last entry to remove.
    pub(crate) fn write(
        &mut self,
        entries: Vec<NewAuditEntry>,
        anchor: Option<ChainPoint>,
        settings: Option<&[SettingRow]>,
    ) -> Result<(), AuditUnavailable> {
        let state = Arc::clone(&self.state);
        let mut head = state.lock_head();
        let mut all = std::mem::take(&mut self.backlog);
        // A retention and a comparison of settings are repeated as a whole.
        let keep_count = if anchor.is_some() || settings.is_some() {
            all.len()
        } else {
            all.len() + entries.len()
        };
        all.extend(entries);
        let rows = self.rows(&head, &all);
        let newest = rows.last().map(|row| ChainPoint {
            number: row.number.unsigned_abs(),
            mac: mac_of(&row.mac).unwrap_or(EntryMac::NONE),
        });
        let next = AuditHead {
            newest: newest.unwrap_or(head.newest),
            anchor: anchor.unwrap_or(head.anchor),
        };
        if self.is_head_behind {
            // Otherwise the head could fall behind by more than one commit.
            let written = head.write(&self.head_path, &self.key);
            if let Err(error) = written {
                self.keep_for_later(all, keep_count);
                return Err(self.failed(&error));
            }
            self.is_head_behind = false;
        }
        if !rows.is_empty() || settings.is_some() {
            let trim_to = anchor.map(|anchor| i64::try_from(anchor.number).unwrap_or(i64::MAX));
            if let Err(error) = self.store.commit(&rows, trim_to, settings) {
                self.keep_for_later(all, keep_count);
                return Err(self.failed(&error));
            }
            *head = next;
            count_entries(rows.len());
            if !rows.is_empty()
                && let Err(error) = head.write(&self.head_path, &self.key)
            {
                self.is_head_behind = true;
                return Err(self.failed(&error));
            }
        }
        if self.state.is_failing.swap(false, Ordering::AcqRel) {
            info!("audit can be written again");
            set_failing(0.0);
        }
        Ok(())
    }

    /// Keeps the first `count` entries, which could not be written.
    fn keep_for_later(&mut self, mut all: Vec<NewAuditEntry>, count: usize) {
        all.truncate(count);
        let too_many = all.len().saturating_sub(2 * MAX_ENTRIES);
        if too_many > 0 {
            error!(count = too_many, "entries of the audit dropped");
            all.truncate(2 * MAX_ENTRIES);
        }
        self.backlog = all;
    }

    fn rows(&self, head: &AuditHead, entries: &[NewAuditEntry]) -> Vec<StoredEntry> {
        let first = i64::try_from(head.newest.number).unwrap_or(i64::MAX - 1) + 1;
        let mut previous = head.newest.mac;
        let numbers = first..;
        let rows = numbers.zip(entries).map(|(number, entry)| {
            let row = StoredEntry::new(&self.key, (number, first), entry, &previous);
            previous = mac_of(&row.mac).unwrap_or(EntryMac::NONE);
            row
        });
        rows.collect()
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> AuditUnavailable {
        if !self.state.is_failing.swap(true, Ordering::AcqRel) {
            error!(error, "audit cannot be written");
            set_failing(1.0);
        }
        AuditUnavailable
    }
}

fn answer(waiting: Answer, written: Result<(), AuditUnavailable>) {
    if waiting.send(written).is_err() {
        debug!("nobody waits for an entry of the audit any more");
    }
}
