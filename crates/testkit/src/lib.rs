//! Stand-ins for tests: clocks, receivers, events, failing logs.
//!
//! Other crates use this one only as a dev-dependency, so it panics instead of returning errors.
//! Nothing here sleeps or polls: each wait ends with a notification.
//!
//! ```
//! use easel_sinks::{SendError, Sink};
//! use easel_testkit::{RecordingSink, batch, event};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let sink = RecordingSink::new();
//! sink.answer_in_order([Err(SendError::TimedOut)]);
//! let sample = batch(event("course_created", 1));
//! assert!(sink.send(&sample).await.result(0).is_err());
//! assert!(sink.send(&sample).await.result(0).is_ok());
//! assert_eq!(sink.received().len(), 2);
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "certificates")]
#[expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_debug_implementations,
    reason = "a test must end if it cannot have certificates"
)]
mod authority;
mod batch;
mod clock;
#[cfg(feature = "postgres")]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test must end if its proxy cannot work"
)]
mod cut_proxy;
mod events;
mod log;
mod page;
#[cfg(feature = "postgres")]
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test must end if its server cannot work"
)]
mod postgres;
mod receiver;
mod report;
mod sink;

mod arrivals;
mod barrier;

#[cfg(feature = "certificates")]
pub use authority::{Authority, Issued};
pub use batch::batch;
pub use clock::TokioClock;
#[cfg(feature = "postgres")]
pub use cut_proxy::{Cut, CutProxy};
pub use easel_log::FakeClock;
pub use events::{event, with_attributes_key};
pub use log::FailingLog;
pub use page::check_page;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresSync, TableReader, url_through};
pub use receiver::{Received, Receiver};
pub use report::{report_missing, report_skipped};
pub use sink::RecordingSink;
