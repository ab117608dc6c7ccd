//! A drift scanner on a log in memory.

use std::sync::Arc;
use std::time::Duration;

use easel_catalog::{Catalog, EventOrigin, Limits, admit};
use easel_drift::{DriftRecord, DriftScanner, Report};
use easel_log::{Clock, LogOptions, MemoryLog, NewRecord, Provenance, SharedLog};
use easel_testkit::FakeClock;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The timeout of a scan. No scan of a test takes this long.
const TIMEOUT: Duration = Duration::from_secs(30);

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
        let log_clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        Self {
            log: Arc::new(MemoryLog::new(options, log_clock)),
            clock,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Opens a scanner that continues where the last one saved.
    pub(crate) fn scanner(&self, log: &SharedLog) -> DriftScanner {
        self.open("drift.db", log)
    }

    /// Opens a scanner with a new file.
    pub(crate) fn new_scanner(&self) -> DriftScanner {
        self.open("new.db", &self.log)
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

    /// Runs a scanner until it has read everything and saved it. Returns its report.
    pub(crate) async fn report(&self, scanner: &DriftScanner) -> Report {
        let stop = CancellationToken::new();
        let head = self.log.bounds().borrow().head;
        let stop_at_end = async {
            while scanner.report().cursor < head {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(scanner.run(stop.clone()), stop_at_end) };
        tokio::time::timeout(TIMEOUT, both).await.unwrap();
        scanner.report()
    }
}

/// Returns the catalogue's example of an event type, with the first `replace` replaced by `with`.
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

/// Formats a drift record as one line.
pub(crate) fn line(record: &DriftRecord) -> String {
    format!(
        "{} {} {} {}→{} ×{}",
        record.event_type(),
        record.drift().code(),
        record.path(),
        record.declared.as_deref().unwrap_or("-"),
        record.found,
        record.count
    )
}
