//! Stand-ins for tests: clocks, receivers, events, failing logs.
//!
//! A dev-dependency only, so what cannot go on panics. Nothing here sleeps or polls: whoever
//! waits is woken by what it waits for.

mod batch;
mod clock;
mod events;
mod log;
mod receiver;
mod report;
mod sink;

mod arrivals;
mod barrier;

pub use batch::batch;
pub use clock::{FakeClock, TokioClock};
pub use events::{attributes_form, event};
pub use log::FailingLog;
pub use receiver::{Received, Receiver};
pub use report::left_out;
pub use sink::RecordingSink;
