//! The source of the current time.
//!
//! All code that stamps a time takes a [`Clock`], so a test can set the time.
//! A clock cannot wait: code that waits uses `tokio::time`, which a test can pause.

use std::fmt::Debug;

use jiff::Timestamp;

/// A source of the current time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the current time.
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

/// Returns the time to stamp on a commit: the current time in whole microseconds, or `newest` if the
/// current time is earlier. `newest` is the time of the newest commit.
pub fn stamp(clock: &dyn Clock, newest: Timestamp) -> Timestamp {
    let now = Timestamp::from_microsecond(clock.now().as_microsecond());
    now.map_or(newest, |now| std::cmp::max(now, newest))
}
