//! The audit of a running server.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use easel_keys::Sealer;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;
use tracing::{error, warn};

use crate::ChainPoint;
use crate::audit_entry::{AuditActor, AuditEntry, NewAuditEntry};
use crate::audit_head::{AuditHead, FoundHead};
use crate::audit_query::{AuditQuery, find};
use crate::audit_store::{AuditError, AuditStore, head_path};
use crate::audit_writer::{AuditState, AuditThread, AuditUnavailable, AuditWriter, ChainCommand};
use crate::chain_fault::{ChainFault, Verification};
use crate::chain_key::ChainKey;
use crate::declared_setting::DeclaredSetting;
use crate::looks::{AuditLook, Looks, Recorded};
use crate::metrics::{describe, set_failing};
use crate::shown_events::{ShownEvents, StreamTally};
use crate::verifier::{FAULT, Verifier};

/// The most commands that wait for the writer.
const MAX_QUEUED: usize = 1_024;
/// The interval at which sums are written, and entries that could not be written are written again.
const UPKEEP: Duration = Duration::from_secs(5);
/// Entries that are too old are removed at every such upkeep.
const UPKEEPS_PER_TRIM: u64 = 720;

/// Returns the current time.
pub type AuditClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The audit of a running server.
pub struct Audit {
    path: PathBuf,
    key: ChainKey,
    clock: AuditClock,
    max_age: Option<Duration>,
    state: Arc<AuditState>,
    commands: mpsc::Sender<ChainCommand>,
    looks: Mutex<Looks>,
    reader: Arc<Mutex<AuditStore>>,
    found_at_start: Vec<ChainFault>,
    /// Declared last, so that the commands are closed before its end is awaited.
    thread: Mutex<Option<AuditThread>>,
}

impl Audit {
    /// Opens the audit at `path`, or creates it, and compares its end with the head file. If the audit is damaged, this
    /// writes an entry about it and continues, so that the server works and the damage stays visible.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be used, or if its key cannot be opened.
    pub fn open(
        path: &Path,
        sealer: &Sealer,
        max_age: Option<Duration>,
        clock: AuditClock,
    ) -> Result<Self, AuditError> {
        describe();
        let store = AuditStore::open(path)?;
        let key = store.key_or_new(sealer)?;
        let head_path = head_path(path);
        let found = FoundHead::read(&head_path, &key);
        let found = found.map_err(|source| AuditError::Head {
            path: head_path.clone(),
            source,
        })?;
        let (head, found_at_start) = continue_at(&store, &key, found);
        // After damage, the head file stays as it is until the entry about the damage is on disk.
        if found_at_start.is_empty() {
            let written = head.write(&head_path, &key);
            written.map_err(|source| AuditError::Head {
                path: head_path.clone(),
                source,
            })?;
        }
        let now = clock();
        let backlog = found_at_start
            .first()
            .map(|_| fault_entry(&found_at_start, now));
        let state = Arc::new(AuditState::new(head));
        let (commands, queue) = mpsc::channel(MAX_QUEUED);
        let writer = AuditWriter {
            store,
            key: key.clone(),
            head_path,
            state: Arc::clone(&state),
            queue,
            backlog: backlog.into_iter().collect(),
            is_head_behind: false,
        };
        let reader = AuditStore::open(path)?;
        let thread = AuditThread::start(writer).map_err(AuditError::Thread)?;
        for fault in &found_at_start {
            error!(%fault, "audit damaged");
        }
        Ok(Self {
            path: path.to_owned(),
            key,
            clock,
            max_age,
            state,
            commands,
            looks: Mutex::default(),
            reader: Arc::new(Mutex::new(reader)),
            found_at_start,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Returns the current time of the audit's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Returns true if the latest write failed. Then nothing should be changed or shown that needs an entry.
    pub fn is_failing(&self) -> bool {
        self.state.is_failing()
    }

    /// Returns what the start found damaged.
    pub fn found_at_start(&self) -> &[ChainFault] {
        &self.found_at_start
    }

    /// Stores an entry. It is on stable storage when this returns.
    ///
    /// # Errors
    ///
    /// Fails if the entry cannot be written now. It is written as soon as possible.
    pub async fn record(&self, entry: NewAuditEntry) -> Result<(), AuditUnavailable> {
        self.record_all(vec![entry]).await
    }

    async fn record_all(&self, entries: Vec<NewAuditEntry>) -> Result<(), AuditUnavailable> {
        self.command(|answer| ChainCommand::Record(entries, answer))
            .await
    }

    /// Stores that an actor is about to be shown events: at once for the first look within a minute, in a sum for
    /// further ones.
    ///
    /// # Errors
    ///
    /// Fails if the audit cannot be written. Then the events must not be shown.
    pub async fn look(&self, look: AuditLook, shown: &ShownEvents) -> Result<(), AuditUnavailable> {
        let now = self.now();
        if self.looks().add(&look, shown, now) {
            return Ok(());
        }
        let recorded = self.record(look.clone().entry(shown, now)).await;
        let is_recorded = match recorded {
            Ok(()) => Recorded::Yes,
            Err(AuditUnavailable) => Recorded::No,
        };
        self.looks().opened(&look, is_recorded);
        recorded
    }

    /// Stores that a stream begins. The events of `tally` are summed up every minute, and at the end of the
    /// stream, which is when nobody else has the tally any more.
    ///
    /// # Errors
    ///
    /// Fails if the audit cannot be written. Then the stream must not begin.
    pub async fn begin_stream(
        &self,
        look: AuditLook,
        tally: Arc<StreamTally>,
    ) -> Result<(), AuditUnavailable> {
        let now = self.now();
        let mut entry = look.clone().entry(&ShownEvents::default(), now);
        entry.details = Map::from_iter([("stream".to_owned(), Value::from("begun"))]);
        self.record(entry).await?;
        self.looks().add_stream(look, tally, now);
        Ok(())
    }

    /// Stores how the settings differ from those that were declared before.
    pub async fn declare(&self, settings: Vec<DeclaredSetting>) -> Result<(), AuditUnavailable> {
        let now = self.now();
        self.command(|answer| ChainCommand::Declare(settings, now, answer))
            .await
    }

    /// Removes entries that are older than the maximum age.
    pub async fn trim(&self) -> Result<(), AuditUnavailable> {
        let now = self.now();
        let age = self.max_age.map(SignedDuration::try_from);
        let Some(Ok(age)) = age else {
            return Ok(());
        };
        let before = now.checked_sub(age).unwrap_or(Timestamp::MIN);
        self.command(|answer| ChainCommand::Trim(before, now, answer))
            .await
    }

    /// Writes the sums whose minute is over, and what could not be written before.
    pub async fn write_due(&self) -> Result<(), AuditUnavailable> {
        let now = self.now();
        let due = self.looks().due(now);
        self.record_all(due).await
    }

    /// Writes sums when they are due, and removes old entries, until this future is dropped.
    pub async fn run(&self) -> Infallible {
        let mut tick = interval(UPKEEP);
        let mut count = 0_u64;
        loop {
            tick.tick().await;
            set_failing(if self.is_failing() { 1.0 } else { 0.0 });
            // The writer logs a failure, and the next upkeep tries again.
            let mut written = self.write_due().await;
            if count.is_multiple_of(UPKEEPS_PER_TRIM) && written.is_ok() {
                written = self.trim().await;
            }
            if written.is_ok() {
                count += 1;
            }
        }
    }

    /// Writes all sums, and closes the audit. Nothing can be recorded afterwards.
    pub async fn close(&self) {
        let now = self.now();
        let all = self.looks().all(now);
        if self.record_all(all).await.is_err() {
            warn!("last entries of the audit not written");
        }
        if self.commands.send(ChainCommand::Close).await.is_err() {
            warn!("audit was closed before");
        }
        let thread = self.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        let joined = tokio::task::spawn_blocking(move || drop(thread)).await;
        if joined.is_err() {
            error!("thread of the audit panicked");
        }
    }

    /// Returns the wanted entries, oldest first, and the number from which the next query continues.
    pub async fn list(&self, query: AuditQuery) -> Result<(Vec<AuditEntry>, u64), AuditError> {
        let reader = Arc::clone(&self.reader);
        let read = move || {
            let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            find(reader.connection(), &query)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(found) => Ok(found?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Checks the whole chain, and whether it has the entry `expected`.
    pub async fn verify(&self, expected: Option<ChainPoint>) -> Result<Verification, AuditError> {
        let (path, key) = (self.path.clone(), self.key.clone());
        let state = Arc::clone(&self.state);
        let check = move || {
            let store = AuditStore::open(&path)?;
            // No commit comes between the head and the entries.
            let head = state.lock_head();
            let found = read_head(&path, &key)?;
            store.begin_snapshot()?;
            drop(head);
            let verification = verify(&store, &key, found, expected);
            store.end_snapshot()?;
            Ok(verification)
        };
        match tokio::task::spawn_blocking(check).await {
            Ok(verification) => verification,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn command(
        &self,
        command: impl FnOnce(crate::audit_writer::Answer) -> ChainCommand,
    ) -> Result<(), AuditUnavailable> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(command(answer)).await;
        sent.map_err(|_closed| AuditUnavailable)?;
        answered.await.map_err(|_closed| AuditUnavailable)?
    }

    // A panic under this lock leaves the sums valid, so a poisoned lock is ignored.
    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Checks the audit at `path`, which no process writes to. Returns `None` if it does not exist.
///
/// # Errors
///
/// Fails if the file cannot be read, or if its key cannot be opened.
pub fn verify_at_rest(
    path: &Path,
    sealer: &Sealer,
    expected: Option<ChainPoint>,
) -> Result<Option<Verification>, AuditError> {
    let Some(store) = AuditStore::open_at_rest(path)? else {
        return Ok(None);
    };
    // A new file has no key yet. Then it has no entries, and any key finds that.
    let key = match store.key(sealer)? {
        Some(key) => key,
        None => ChainKey::generate()?,
    };
    let found = read_head(path, &key)?;
    Ok(Some(verify(&store, &key, found, expected)))
}

/// Stores an entry in the audit at `path`, which no server uses.
///
/// # Errors
///
/// Fails if the audit cannot be used or written.
pub fn record_at_rest(
    path: &Path,
    sealer: &Sealer,
    entry: NewAuditEntry,
) -> Result<(), AuditError> {
    let store = AuditStore::open(path)?;
    let key = store.key_or_new(sealer)?;
    let (head, faults) = continue_at(&store, &key, read_head(path, &key)?);
    let backlog = faults.first().map(|_| fault_entry(&faults, entry.at));
    let (_commands, queue) = mpsc::channel(1);
    let mut writer = AuditWriter {
        store,
        key,
        head_path: head_path(path),
        state: Arc::new(AuditState::new(head)),
        queue,
        backlog: backlog.into_iter().collect(),
        is_head_behind: false,
    };
    let written = writer.write(vec![entry], None, None);
    written.map_err(|AuditUnavailable| AuditError::Write)
}

fn read_head(path: &Path, key: &ChainKey) -> Result<FoundHead, AuditError> {
    let path = head_path(path);
    FoundHead::read(&path, key).map_err(|source| AuditError::Head { path, source })
}

fn verify(
    store: &AuditStore,
    key: &ChainKey,
    head: FoundHead,
    expected: Option<ChainPoint>,
) -> Verification {
    let mut verifier = Verifier::new(key, head).expecting(expected);
    if let Err(error) = store.for_each(0, &mut |row| verifier.check(row)) {
        verifier.unreadable(&error.to_string());
    }
    verifier.finish()
}

/// Returns the head from which a start continues the chain, and what it found damaged. After a crash, the head
/// file can be behind by one commit.
fn continue_at(
    store: &AuditStore,
    key: &ChainKey,
    found: FoundHead,
) -> (AuditHead, Vec<ChainFault>) {
    let (mut verifier, from, known) = match found {
        FoundHead::Authentic(head) if head.newest.number > head.anchor.number => {
            let from = i64::try_from(head.newest.number).unwrap_or(i64::MAX);
            (Verifier::from_newest(key, &head), from, head)
        }
        FoundHead::Authentic(head) => (Verifier::new(key, found), 0, head),
        FoundHead::Missing | FoundHead::Changed => (Verifier::new(key, found), 0, AuditHead::START),
    };
    if let Err(error) = store.for_each(from, &mut |row| verifier.check(row)) {
        verifier.unreadable(&error.to_string());
    }
    let Verification {
        newest,
        anchor,
        faults,
        ..
    } = verifier.finish();
    // A number that was used once is never used again.
    let newest = if newest.number >= known.newest.number {
        newest
    } else {
        known.newest
    };
    (AuditHead { newest, anchor }, faults)
}

/// Returns the entry that says what a start found damaged.
fn fault_entry(faults: &[ChainFault], at: Timestamp) -> NewAuditEntry {
    let found: Vec<_> = faults.iter().take(20).map(ToString::to_string).collect();
    NewAuditEntry {
        at,
        actor: AuditActor::server(),
        action: FAULT.to_owned(),
        object: String::new(),
        details: Map::from_iter([("found".to_owned(), found.into())]),
    }
}
