//! The speed of a simulation.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

/// The speed and rate limit of a simulation.
#[derive(Debug)]
pub(in crate::commands) struct Pace {
    started: Instant,
    begins: Timestamp,
    speed: Option<u32>,
    rate: Option<u32>,
    /// The earliest time of the next event according to `rate`.
    next_event_at: Instant,
}

impl Pace {
    /// Creates a pace. `speed` is simulated seconds per real second, `rate` the maximum of events per second.
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
            next_event_at: started,
        }
    }

    /// Counts sent events for the rate limit. A time with fewer events does not allow a higher rate later.
    pub(in crate::commands) fn add(&mut self, events: usize) {
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        if let Some(rate) = self.rate {
            let pause = Duration::from_secs(1) * events / rate;
            self.next_event_at = std::cmp::max(self.next_event_at, Instant::now()) + pause;
        }
    }

    /// Returns whether a change at `at` is not due yet.
    pub(in crate::commands) fn is_ahead(&self, at: Timestamp) -> bool {
        self.due(at) > Instant::now()
    }

    /// Waits until a change at `at` is due.
    pub(in crate::commands) async fn wait(&self, at: Timestamp) {
        sleep_until(self.due(at)).await;
    }

    fn due(&self, at: Timestamp) -> Instant {
        let simulated = at.duration_since(self.begins).unsigned_abs();
        let by_speed = self.speed.map_or(Duration::ZERO, |speed| simulated / speed);
        std::cmp::max(self.started + by_speed, self.next_event_at)
    }
}
