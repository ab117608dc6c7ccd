//! Drift: incoming data that the catalogue does not know, counted and saved.
//!
//! The [`DriftScanner`] reads the log in the background and validates each event once against the
//! catalogue. It keeps one [`DriftRecord`] for all occurrences of the same drift, not one for each event.
//! It delays nothing: no sender and no lane waits for it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use easel_catalog::Catalog;
//! use easel_drift::DriftScanner;
//! use easel_log::{LogOptions, MemoryLog, NewRecord, SharedLog};
//! use easel_testkit::{FakeClock, event};
//! # use tokio_util::sync::CancellationToken;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let clock = Arc::new(FakeClock::default());
//! let log: SharedLog = Arc::new(MemoryLog::new(LogOptions::default(), clock));
//! let id = uuid::Uuid::from_u128(1);
//! log.append(vec![NewRecord::new(id, "brand_new", event("brand_new", 1))]).await?;
//!
//! let folder = tempfile::tempdir()?;
//! let catalog = Arc::new(Catalog::built_in());
//! let scanner = DriftScanner::open(&folder.path().join("drift.db"), log, catalog)?;
//! # let stop = CancellationToken::new();
//! # let scanned = async {
//! #     while scanner.report().cursor.get() < 1 {
//! #         tokio::task::yield_now().await;
//! #     }
//! #     stop.cancel();
//! # };
//! # let run = async { tokio::join!(scanner.run(stop.clone()), scanned) };
//! run.await; // runs the scanner until it has read the event
//! let report = scanner.report();
//! assert_eq!(report.records[0].drift().code(), "unknown_event_type");
//! assert_eq!(report.records[0].event_type(), "brand_new");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod drift_record;
mod drift_records;
mod drift_scanner;
mod new_findings;
mod store;

mod metrics;

pub use drift_record::{DriftRecord, Example};
pub use drift_scanner::{DriftError, DriftScanner, Report};
pub use store::{DRIFT_LAYOUT, DriftStoreError};
