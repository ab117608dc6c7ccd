//! The log in one SQLite file: the embedded backend.
//!
//! It gives the guarantees of [`easel_log::Log`] and one more: after a failed write, it refuses all
//! writes until it is opened again. After a failed write, the data on disk is unknown, and a later
//! successful fsync proves nothing about the failed one. Reads continue.
//!
//! Only one process writes a file, through one [`SqliteLog`]. A second writer would fail, because the
//! first writer has already used its offsets. The server prevents this: it locks the data folder
//! before it opens a log.
//!
//! ```
//! use std::sync::Arc;
//!
//! use easel_log::{Log, LogOptions, NewRecord, Offset, Read, RecordFacts, SystemClock};
//! use easel_log_sqlite::SqliteLog;
//! use uuid::Uuid;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("log.db");
//! let options = LogOptions::default();
//! let log = SqliteLog::open(&path, options, Arc::new(SystemClock), RecordFacts::none)?;
//! log.append(vec![NewRecord::new(Uuid::from_u128(7), "course_created", "{}")]).await?;
//! log.close().await;
//! drop(log);
//!
//! let log = SqliteLog::open(&path, options, Arc::new(SystemClock), RecordFacts::none)?;
//! assert_eq!(log.bounds().borrow().head, Offset::new(1));
//! assert!(matches!(log.read(Offset::ZERO).await?, Read::Block(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod log;

mod blocks;
mod connections;
mod file;
mod published;
mod state;
mod writer;

pub use file::OpenLogError;
pub use log::SqliteLog;

#[cfg(test)]
mod tests;
