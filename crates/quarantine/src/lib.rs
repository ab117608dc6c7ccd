//! The quarantine: the invalid records that the doors took in.
//!
//! It has its own log, with all guarantees of a log. Its records stay until an operator empties it.
//! They never reach a lane.
//!
//! ```
//! use std::sync::Arc;
//!
//! use easel_log::{Clock, LogOptions, MemoryLog, Offset, SystemClock};
//! use easel_quarantine::{NewQuarantined, Quarantine};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let clock: Arc<dyn Clock> = Arc::new(SystemClock);
//! let options = LogOptions { duplicate_window: 0, ..LogOptions::default() };
//! let log = Arc::new(MemoryLog::new(options, Arc::clone(&clock)));
//! let quarantine = Quarantine::new(log, clock);
//! let item = NewQuarantined {
//!     door: "kinesis",
//!     code: String::from("not_json"),
//!     detail: String::from("the record is not JSON"),
//!     source: None,
//!     reach: None,
//!     event_name: None,
//!     message_id: None,
//!     bytes: "{".into(),
//! };
//! let offsets = quarantine.put(vec![item]).await?;
//! let listed = quarantine.list(Offset::ZERO, 10).await?;
//! assert_eq!((listed[0].offset, &*listed[0].code), (offsets[0], "not_json"));
//!
//! assert_eq!(quarantine.empty(offsets[0].next()).await?, 1);
//! assert_eq!(quarantine.count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod mark;
mod quarantine;
mod quarantined;

pub use quarantine::{Quarantine, QuarantinePage};
pub use quarantined::{NewQuarantined, Quarantined};
