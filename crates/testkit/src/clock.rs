//! A clock that follows tokio's clock.

use easel_log::Clock;
use jiff::Timestamp;

/// A clock that follows tokio's clock, so a test can pause and advance it. It starts at
/// 2025-03-03T08:00:00Z.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock(tokio::time::Instant);

impl TokioClock {
    /// Creates a clock that starts now. Requires a tokio runtime.
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
