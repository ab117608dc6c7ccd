//! The log: accepted events in order, on stable storage.
//!
//! [`Log`] lists the guarantees, and the promises suite tests them on every backend. A [`Reader`]
//! reads a log. [`backend`] has the parts of a backend. The log does not know what an event looks
//! like: a record is bytes with an id, an event type and the facts that its door adds.
//!
//! ```
//! use std::sync::Arc;
//!
//! use easel_log::{
//!     Appended, Found, LogOptions, MemoryLog, NewRecord, Offset, Reader, SharedLog, SystemClock,
//! };
//! use uuid::Uuid;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let log: SharedLog = Arc::new(MemoryLog::new(LogOptions::default(), Arc::new(SystemClock)));
//! let record = NewRecord::new(Uuid::from_u128(7), "course_created", "{}");
//! let appended = log.append(vec![record.clone(), record]).await?;
//! let first = Offset::ZERO;
//! assert_eq!(appended, [Appended::Stored(first), Appended::Duplicate(first)]);
//!
//! let mut reader = Reader::new(log, first);
//! let found = reader.try_next().await?;
//! assert!(matches!(found, Some(Found::Block { block, .. }) if block.len() == 1));
//! assert!(reader.try_next().await?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod clock;
mod offset;
mod record;

mod log;
mod options;
mod reader;
mod record_reader;
mod retention;
mod run_blocking;
mod want;

mod cache;
mod codec;
mod damage;
mod memory;
mod metrics;
mod slab;
mod times;
mod window;

pub mod backend;

#[cfg(any(test, feature = "fake-clock"))]
mod fake_clock;
#[cfg(any(test, feature = "promises"))]
pub mod promises;

pub use block::{Block, BlockInfo};
pub use clock::{Clock, SystemClock};
#[cfg(any(test, feature = "fake-clock"))]
pub use fake_clock::FakeClock;
pub use log::{
    AppendError, Appended, Bounds, Log, LogStats, Read, ReadError, SharedLog, TrimError, WantedRead,
};
pub use memory::MemoryLog;
pub use offset::Offset;
pub use options::{LogName, LogOptions};
pub use reader::{Found, Reader};
pub use record::{Arrival, ExtractFacts, NewRecord, Provenance, Record, RecordFacts, Shape};
pub use record_reader::RecordReader;
pub use retention::{Retention, Trimmed};
pub use run_blocking::run_blocking;
pub use want::Want;
