//! Scans the log in the background for data that the catalogue does not know.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use easel_catalog::{Catalog, Drift, OperatorEvent, ReachRules, TellOperator};
use easel_log::{Found, Offset, Reader, SharedLog};
use thiserror::Error;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::drift_record::DriftRecord;
use crate::drift_records::DriftRecords;
use crate::metrics;
use crate::store::{DriftStoreError, Store};

/// The minimum time between two saves.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// The maximum time between two measurements of the lag. A gauge that is not set for a minute disappears.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Scans every event once, and records what the catalogue does not know.
///
/// It saves its cursor and its records together, about once a second. After a crash it continues from
/// the saved cursor, so every finding is counted exactly once.
#[derive(Debug)]
pub struct DriftScanner {
    log: SharedLog,
    catalog: Arc<Catalog>,
    state: Arc<DriftState>,
    tell_operator: TellOperator,
}

/// The records in memory and the store on disk. Code that locks both must lock the store first.
#[derive(Debug)]
struct DriftState {
    store: Mutex<Store>,
    records: Mutex<DriftRecords>,
}

/// Why the drift records could not be removed.
#[derive(Debug, Error)]
pub enum DriftError {
    /// The file could not be written.
    #[error(transparent)]
    Store(#[from] DriftStoreError),
    /// The thread that writes the file panicked.
    #[error("use the drift store")]
    Thread(#[from] JoinError),
}

/// The drift found in the scanned part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The drift records, the latest first.
    pub records: Vec<DriftRecord>,
    /// Everything before this offset was scanned.
    pub cursor: Offset,
    /// Number of events that were trimmed or unreadable before they were scanned.
    pub missed: u64,
    /// Findings without a record because there were too many records, by kind of drift.
    pub dropped: Vec<(Drift, u64)>,
}

impl DriftScanner {
    /// Opens the file of drift records, and continues where it ends.
    pub fn open(
        path: &Path,
        log: SharedLog,
        catalog: Arc<Catalog>,
    ) -> Result<Self, DriftStoreError> {
        metrics::describe();
        let store = Store::open(path)?;
        let records = store.load()?;
        Ok(Self {
            log,
            catalog,
            state: Arc::new(DriftState {
                store: Mutex::new(store),
                records: Mutex::new(records),
            }),
            tell_operator: TellOperator::default(),
        })
    }

    /// Reports new event types and fields to operators through `tell_operator`.
    #[must_use]
    pub fn with_operator(self, tell_operator: TellOperator) -> Self {
        Self {
            tell_operator,
            ..self
        }
    }

    /// Sets the rules about events whose root account is not certain.
    #[must_use]
    pub fn with_reach_rules(self, reach_rules: ReachRules) -> Self {
        self.records().reach_rules = reach_rules;
        self
    }

    /// Returns the drift found so far.
    pub fn report(&self) -> Report {
        let records = self.records();
        let mut sorted: Vec<_> = records.all.values().cloned().collect();
        sorted.sort_by(|a, b| (b.last_seen, &a.key).cmp(&(a.last_seen, &b.key)));
        let dropped = records.progress.dropped.each();
        Report {
            records: sorted,
            cursor: records.progress.cursor,
            missed: records.progress.missed,
            dropped: dropped.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Removes all drift records, and returns how many there were. Drift that arrives again is recorded
    /// again.
    pub async fn clear(&self) -> Result<u64, DriftError> {
        let state = Arc::clone(&self.state);
        let clearing = move || -> Result<u64, DriftStoreError> {
            // Both locks are held, so no save runs between the two removals.
            let mut store = locked(&state.store);
            let mut records = locked(&state.records);
            store.clear(records.cleared_progress())?;
            Ok(records.clear())
        };
        Ok(tokio::task::spawn_blocking(clearing).await??)
    }

    /// Removes the records of one root account. Returns how many there were.
    pub async fn clear_of(&self, root_account: &str) -> Result<u64, DriftError> {
        let (state, root_account) = (Arc::clone(&self.state), root_account.to_owned());
        let clearing = move || -> Result<u64, DriftStoreError> {
            let mut store = locked(&state.store);
            let mut records = locked(&state.records);
            store.clear_of(&root_account)?;
            Ok(records.clear_of(&root_account))
        };
        Ok(tokio::task::spawn_blocking(clearing).await??)
    }

    /// Scans new events until `stop` is cancelled, then saves.
    pub async fn run(&self, stop: CancellationToken) {
        let bounds = self.log.bounds();
        let mut reader = Reader::new(Arc::clone(&self.log), self.records().progress.cursor);
        let mut save_at = Instant::now() + SAVE_EVERY;
        while !stop.is_cancelled() {
            let (cursor, is_unsaved) = {
                let records = self.records();
                (records.progress.cursor, records.is_unsaved())
            };
            self.notify_operator(self.records().new_findings.take_due(Instant::now()));
            metrics::set_lag(bounds.borrow().head.since(cursor));
            // If the scan of a block failed, the reader reads this block again.
            reader.seek(cursor);
            if is_unsaved && Instant::now() >= save_at {
                self.save().await;
                save_at = Instant::now() + SAVE_EVERY;
            } else {
                let found = tokio::select! {
                    found = reader.next() => found,
                    () = sleep_until(save_at), if is_unsaved => continue,
                    () = sleep(MEASURE_EVERY) => continue,
                    () = stop.cancelled() => break,
                };
                match found {
                    Ok(Some(found)) => tokio::select! {
                        () = self.scan(found) => (),
                        () = stop.cancelled() => (),
                    },
                    Ok(None) => break,
                    Err(error) => error!(%error, "drift scan cannot read the log"),
                }
            }
        }
        self.save().await;
        self.notify_operator(self.records().new_findings.take(Instant::now()));
    }

    fn notify_operator(&self, event: Option<OperatorEvent>) {
        if let Some(event) = event {
            self.tell_operator.tell(event);
        }
    }

    /// Scans a block. Counts trimmed and unreadable events as missed.
    async fn scan(&self, found: Found) {
        let block = match found {
            Found::Block { block, .. } => block,
            Found::Trimmed(range) | Found::Damaged(range) | Found::Skipped(range) => {
                self.records().mark_missed(range.end);
                return;
            }
        };
        // The scan needs CPU time, so it must not block the runtime's threads.
        let (state, catalog) = (Arc::clone(&self.state), Arc::clone(&self.catalog));
        let scan = move || locked(&state.records).scan_block(&block, &catalog);
        match tokio::task::spawn_blocking(scan).await {
            Ok(counts) => metrics::count(counts),
            Err(error) => {
                error!(%error, "drift scan failed");
                sleep(Reader::PAUSE).await;
            }
        }
    }

    async fn save(&self) {
        let state = Arc::clone(&self.state);
        if let Err(error) = tokio::task::spawn_blocking(move || state.save()).await {
            error!(%error, "drift not saved");
        }
    }

    fn records(&self) -> MutexGuard<'_, DriftRecords> {
        locked(&self.state.records)
    }
}

impl DriftState {
    fn save(&self) {
        let mut store = locked(&self.store);
        let unsaved = locked(&self.records).take_unsaved();
        if let Err(error) = store.save(&unsaved) {
            error!(%error, "drift not saved");
            locked(&self.records).mark_unsaved(&unsaved);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
