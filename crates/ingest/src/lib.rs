//! The doors: requests in, admitted events on the log.
//!
//! What every door promises: an event is answered for only once it is on stable storage; a
//! request's bytes count against one budget for all doors; who finds no room, or a log that is
//! busy, is held for a while and then told so.
//! Not here: what an event is (`easel-catalog`), and what becomes of it after the log.

mod doors;
mod intake;

mod body;
mod body_part;
mod budget;
mod metrics;
mod record;
mod request_framing;
mod sent_body;
mod work;

mod native;

mod changes;

mod kinesis;
mod retry;
mod sigv4;

pub use doors::{document, routes};
pub use intake::{Intake, IntakeOptions};
pub use kinesis::{Kinesis, KinesisAccess, KinesisAuth, KinesisKeys};
pub use record::event_facts;
