//! A lookout over a log in memory.

use std::sync::Arc;
use std::time::Duration;

use easel_catalog::{Catalog, EventOrigin, Limits, admit};
use easel_drift::{DriftRecord, DriftScanner, Report};
use easel_log::{Clock, LogOptions, MemoryLog, NewRecord, Provenance, SharedLog};
use easel_testkit::FakeClock;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Fixture {
    pub(crate) log: SharedLog,
    pub(crate) clock: Arc<FakeClock>,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(FakeClock::default());
        let options = LogOptions {
            duplicate_window: 0,
            ..LogOptions::default()
        };
        let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        Self {
            log: Arc::new(MemoryLog::new(options, shared)),
            clock,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A lookout that goes on where the last one saved.
    pub(crate) fn lookout(&self, log: &SharedLog) -> DriftScanner {
        self.open("drift.db", log)
    }

    /// A lookout that knows nothing of the others.
    pub(crate) fn lookout_anew(&self) -> DriftScanner {
        self.open("anew.db", &self.log)
    }

    fn open(&self, file: &str, log: &SharedLog) -> DriftScanner {
        let catalog = Arc::new(Catalog::built_in());
        DriftScanner::open(&self.folder.path().join(file), Arc::clone(log), catalog).unwrap()
    }

    pub(crate) async fn append(&self, events: &[String]) {
        let records = events.iter().map(|text| {
            let event = admit(text.as_bytes(), &Limits::default()).unwrap();
            NewRecord {
                provenance: Arc::new(Provenance {
                    root_account_id: event.root_account_id,
                    ..Provenance::default()
                }),
                ..NewRecord::new(event.id, event.event_type, event.bytes)
            }
        });
        self.log.append(records.collect()).await.unwrap();
    }

    /// What a lookout has seen once it has looked at everything, and saved it.
    pub(crate) async fn report(&self, lookout: &DriftScanner) -> Report {
        let stop = CancellationToken::new();
        let head = self.log.bounds().borrow().head;
        let level = async {
            while lookout.report().cursor < head {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(lookout.run(stop.clone()), level) };
        tokio::time::timeout(PATIENCE, both).await.unwrap();
        lookout.report()
    }
}

/// The catalogue's example of an event type, with the first part that reads like the one replaced
/// by the other.
pub(crate) fn event(name: &str, replace: &str, with: &str) -> String {
    let catalog = Catalog::built_in();
    let example = catalog.example(
        catalog.get(name).unwrap(),
        EventOrigin::Request,
        Timestamp::UNIX_EPOCH,
    );
    assert!(example.contains(replace), "{replace} is not in {example}");
    example.replacen(replace, with, 1)
}

/// A sighting in a line.
pub(crate) fn line(it: &DriftRecord) -> String {
    format!(
        "{} {} {} {}→{} ×{}",
        it.event_type(),
        it.drift().code(),
        it.path(),
        it.declared.as_deref().unwrap_or("-"),
        it.found,
        it.count
    )
}
