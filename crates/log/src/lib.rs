//! The log: accepted events in order, on stable storage.
//!
//! What it promises is written at [`Log`] and tested by the promises suite on every backend. Who
//! reads a log does so through a [`Reader`]; who writes a backend finds its parts in [`backend`].
//! The log does not know what an event looks like: a record is bytes and what its door says of them.

mod block;
mod clock;
mod offset;
mod record;

mod log;
mod options;
mod reader;
mod record_reader;
mod retention;
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

#[cfg(any(test, feature = "promises"))]
pub mod promises;

pub use block::{Block, BlockInfo};
pub use clock::{Clock, SystemClock};
pub use log::{
    AppendError, Appended, Bounds, Log, LogStats, Read, ReadError, ReadIf, SharedLog, TrimError,
};
pub use memory::MemoryLog;
pub use offset::Offset;
pub use options::{LogName, LogOptions};
pub use reader::{Found, Reader};
pub use record::{Arrival, NewRecord, Provenance, ReadFacts, Record, RecordFacts, Shape};
pub use record_reader::RecordReader;
pub use retention::{Retention, Trimmed};
pub use want::Want;
