//! Where the time of day comes from.
//!
//! Everything that stamps a time takes a [`Clock`], so a test decides what time it is.
//! Not here: waiting. That is `tokio::time`, which a test can pause.

use std::fmt::Debug;

use jiff::Timestamp;

/// A source of the time of day.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The time to stamp what is appended now with: whole microseconds, and not before `newest`.
pub fn stamp(clock: &dyn Clock, newest: Timestamp) -> Timestamp {
    let now = Timestamp::from_microsecond(clock.now().as_microsecond());
    now.map_or(newest, |now| std::cmp::max(now, newest))
}
