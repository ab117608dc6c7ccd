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
    /// When the rate lets the next event go.
    next: Instant,
}

impl Pace {
    /// `speed` is seconds of the campus in one here, `rate` events a second at most.
    pub(in crate::commands) fn new(
        begins: Timestamp,
        speed: Option<u32>,
        rate: Option<u32>,
    ) -> Self {
        let started = Instant::now();
        Self {
            started,
            begins,
            speed,
            rate,
            next: started,
        }
    }

    /// Notes that so many events go out. What was not sent before is not made up for.
    pub(in crate::commands) fn add(&mut self, events: usize) {
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        if let Some(rate) = self.rate {
            let long = Duration::from_secs(1) * events / rate;
            self.next = std::cmp::max(self.next, Instant::now()) + long;
        }
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
        std::cmp::max(self.started + by_speed, self.next)
    }
}
