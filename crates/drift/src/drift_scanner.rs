//! Reads the log behind everybody's back, for what the catalogue does not know.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use easel_catalog::{Catalog, Drift, OperatorEvent, TellOperator};
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

/// Pause between two saves at least.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How often the lag is measured at least; a gauge that nobody sets for a minute is taken for gone.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Looks at every event once, and keeps what the catalogue does not know.
///
/// How far it is and what it found are saved together about once a second; after a crash it goes
/// on from there, so that every finding is counted exactly once.
#[derive(Debug)]
pub struct DriftScanner {
    log: SharedLog,
    catalog: Arc<Catalog>,
    kept: Arc<DriftState>,
    tell_operator: TellOperator,
}

/// What is in memory and what is on disk. The store is locked first where both are.
#[derive(Debug)]
struct DriftState {
    store: Mutex<Store>,
    sightings: Mutex<DriftRecords>,
}

/// Why drift could not be saved.
#[derive(Debug, Error)]
pub enum DriftError {
    /// The file could not be written.
    #[error(transparent)]
    Store(#[from] DriftStoreError),
    /// The thread that was to write it died.
    #[error("use the drift store")]
    Thread(#[from] JoinError),
}

/// What was seen, as far as the log was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was seen: the latest first.
    pub sightings: Vec<DriftRecord>,
    /// Everything before this offset was looked at.
    pub cursor: Offset,
    /// Events that were gone from the log, or could not be read, before they were looked at.
    pub missed: u64,
    /// How often something came that is not among the sightings, since there were too many.
    pub untold: Vec<(Drift, u64)>,
}

impl DriftScanner {
    /// Opens the file of sightings, to go on where it ends.
    pub fn open(
        path: &Path,
        log: SharedLog,
        catalog: Arc<Catalog>,
    ) -> Result<Self, DriftStoreError> {
        metrics::describe();
        let store = Store::open(path)?;
        let sightings = store.load()?;
        Ok(Self {
            log,
            catalog,
            kept: Arc::new(DriftState {
                store: Mutex::new(store),
                sightings: Mutex::new(sightings),
            }),
            tell_operator: TellOperator::default(),
        })
    }

    /// Reports event types and fields that came for the first time through `tell_operator`.
    #[must_use]
    pub fn with_operator(self, tell_operator: TellOperator) -> Self {
        Self {
            tell_operator,
            ..self
        }
    }

    /// What was seen so far.
    pub fn report(&self) -> Report {
        let sightings = self.sightings();
        let mut all: Vec<_> = sightings.all.values().cloned().collect();
        all.sort_by(|a, b| (b.last_seen, &a.key).cmp(&(a.last_seen, &b.key)));
        let untold = sightings.progress.untold.each();
        Report {
            sightings: all,
            cursor: sightings.progress.cursor,
            missed: sightings.progress.missed,
            untold: untold.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Forgets every sighting, and says how many there were; what comes again is seen again.
    pub async fn clear(&self) -> Result<u64, DriftError> {
        let kept = Arc::clone(&self.kept);
        let clearing = move || -> Result<u64, DriftStoreError> {
            // Nothing can be saved in between.
            let mut store = locked(&kept.store);
            let mut sightings = locked(&kept.sightings);
            store.clear(sightings.cleared())?;
            Ok(sightings.clear())
        };
        Ok(tokio::task::spawn_blocking(clearing).await??)
    }

    /// Looks at new events until told to stop, then saves.
    pub async fn run(&self, stop: CancellationToken) {
        let bounds = self.log.bounds();
        let mut reader = Reader::new(Arc::clone(&self.log), self.sightings().progress.cursor);
        let mut save_at = Instant::now() + SAVE_EVERY;
        while !stop.is_cancelled() {
            let (cursor, is_unsaved) = {
                let sightings = self.sightings();
                (sightings.progress.cursor, sightings.is_unsaved())
            };
            self.tell(self.sightings().new_findings.take_due(Instant::now()));
            metrics::lagging(bounds.borrow().head.since(cursor));
            // What could not be looked at is read again.
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
                        () = self.look_at(found) => (),
                        () = stop.cancelled() => (),
                    },
                    Ok(None) => break,
                    Err(error) => error!(%error, "drift cannot be looked for"),
                }
            }
        }
        self.save().await;
        self.tell(self.sightings().new_findings.take(Instant::now()));
    }

    fn tell(&self, event: Option<OperatorEvent>) {
        if let Some(event) = event {
            self.tell_operator.tell(event);
        }
    }

    /// Looks at what the log holds next.
    async fn look_at(&self, found: Found) {
        let block = match found {
            Found::Block { block, .. } => block,
            Found::Trimmed(range) | Found::Damaged(range) | Found::Skipped(range) => {
                self.sightings().miss(range.end);
                return;
            }
        };
        // On a thread where nobody else waits to be served.
        let (kept, catalog) = (Arc::clone(&self.kept), Arc::clone(&self.catalog));
        let looking = move || locked(&kept.sightings).look_at(&block, &catalog);
        match tokio::task::spawn_blocking(looking).await {
            Ok(found) => metrics::found(found),
            Err(error) => {
                error!(%error, "drift cannot be looked for");
                sleep(Reader::PAUSE).await;
            }
        }
    }

    async fn save(&self) {
        let kept = Arc::clone(&self.kept);
        if let Err(error) = tokio::task::spawn_blocking(move || kept.save()).await {
            error!(%error, "drift could not be saved");
        }
    }

    fn sightings(&self) -> MutexGuard<'_, DriftRecords> {
        locked(&self.kept.sightings)
    }
}

impl DriftState {
    fn save(&self) {
        let mut store = locked(&self.store);
        let unsaved = locked(&self.sightings).take_unsaved();
        if let Err(error) = store.save(&unsaved) {
            error!(%error, "drift could not be saved");
            locked(&self.sightings).give_back(&unsaved);
        }
    }
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
