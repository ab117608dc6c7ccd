//! The clock of a lane's retry schedule. It stops while the lane sends nothing.

use std::time::Duration;

use jiff::Timestamp;

/// A time on a lane's clock, in milliseconds. It is the real time minus all the time for which the
/// clock was stopped, so a pause or an outage brings no retry nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneTime(pub i64);

impl LaneTime {
    /// Returns the time that is `pause` later.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Returns the time from `earlier` to this time, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// The clock of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneClock {
    /// For how many milliseconds the clock was stopped, up to the latest call of [`start`](Self::start).
    pub stopped_millis: i64,
    /// Since when the clock is stopped; `None` while it runs.
    pub stopped_since: Option<Timestamp>,
}

impl LaneClock {
    /// Returns the time on the clock at the real time `now`.
    pub fn at(&self, now: Timestamp) -> LaneTime {
        let now = self.stopped_since.unwrap_or(now).as_millisecond();
        LaneTime(now.saturating_sub(self.stopped_millis))
    }

    /// Returns the real time at which the clock reaches `time`, if the clock does not stop before.
    pub fn real_time_at(&self, time: LaneTime) -> Option<Timestamp> {
        Timestamp::from_millisecond(time.0.saturating_add(self.stopped_millis)).ok()
    }

    /// Stops the clock, unless it is stopped already.
    pub fn stop(&mut self, now: Timestamp) {
        self.stopped_since.get_or_insert(now);
    }

    /// Starts the clock again.
    pub fn start(&mut self, now: Timestamp) {
        if let Some(since) = self.stopped_since.take() {
            let stopped = now.as_millisecond() - since.as_millisecond();
            self.stopped_millis += std::cmp::max(stopped, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_which_the_clock_was_stopped_does_not_count() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let mut clock = LaneClock::default();
        let due = clock.at(at(100)).after(Duration::from_secs(30));
        clock.stop(at(110));
        clock.stop(at(115));
        assert_eq!(clock.at(at(5_000)), clock.at(at(110)));
        clock.start(at(1_110));
        clock.start(at(1_120));
        assert_eq!(due.since(clock.at(at(1_120))), Duration::from_secs(10));
        assert_eq!(clock.real_time_at(due), Some(at(1_130)));
        // If the real time jumps back, nothing becomes due earlier.
        clock.stop(at(1_120));
        clock.start(at(1_000));
        assert_eq!(clock.stopped_millis, 1_000_000);
    }
}
