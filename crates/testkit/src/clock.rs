//! A clock that stands still until it is told otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use easel_log::Clock;
use jiff::Timestamp;

/// A clock that shows what it was set to; its clones are the same clock.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<Timestamp>>);

impl FakeClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Shows `now` from here on, earlier or later than before.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves on by `step`.
    pub fn advance(&self, step: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += step;
    }
}

/// A spring morning, 2025-03-03T08:00:00Z.
impl Default for FakeClock {
    fn default() -> Self {
        Self::new(Timestamp::constant(1_740_988_800, 0))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that goes with tokio's, so that it stands still and moves on where that does: on a spring
/// morning, 2025-03-03T08:00:00Z, when it was made.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock(tokio::time::Instant);

impl TokioClock {
    /// A clock that begins now. It needs a runtime, as tokio's own does.
    pub fn new() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::constant(1_740_988_800, 0) + self.0.elapsed()
    }
}
