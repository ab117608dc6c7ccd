//! How fast a simulation goes.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

/// How fast it goes.
#[derive(Debug)]
pub(in crate::commands) struct Pace {
    started: Instant,
    begins: Timestamp,
    speed: Option<u32>,
    rate: Option<u32>,
    events: u64,
}

impl Pace {
    /// `speed` is seconds of the campus in one here, `rate` events a second at most.
    pub(in crate::commands) fn new(
        begins: Timestamp,
        speed: Option<u32>,
        rate: Option<u32>,
    ) -> Self {
        Self {
            started: Instant::now(),
            begins,
            speed,
            rate,
            events: 0,
        }
    }

    /// Notes that so many events go out.
    pub(in crate::commands) fn add(&mut self, events: usize) {
        self.events += events as u64;
    }

    /// Whether what happens at `at` is not due yet.
    pub(in crate::commands) fn is_ahead(&self, at: Timestamp) -> bool {
        self.due(at) > Instant::now()
    }

    /// Waits until that is due.
    pub(in crate::commands) async fn wait(&self, at: Timestamp) {
        sleep_until(self.due(at)).await;
    }

    fn due(&self, at: Timestamp) -> Instant {
        let since = at.duration_since(self.begins).unsigned_abs();
        let by_speed = self.speed.map_or(Duration::ZERO, |speed| since / speed);
        #[expect(clippy::cast_precision_loss, reason = "so many events are never sent")]
        let by_rate = self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(self.events as f64 / f64::from(rate))
        });
        self.started + std::cmp::max(by_speed, by_rate)
    }
}
