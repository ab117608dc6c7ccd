//! The time that a lane's schedule goes by: it stands still while the lane sends nothing.

use std::time::Duration;

use jiff::Timestamp;

/// A moment on a lane's clock, in milliseconds. It is the time of day less all the time for which
/// the clock has stood still, so a pause or an outage brings no retry nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneTime(pub i64);

impl LaneTime {
    /// So much later.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long it is from `earlier` to this moment; zero if this one is earlier.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// The clock of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneClock {
    /// For how many milliseconds it has stood still by now.
    pub stood_millis: i64,
    /// Since when it stands still, if it does.
    pub stands_since: Option<Timestamp>,
}

impl LaneClock {
    /// What it shows at this time of day.
    pub fn at(&self, now: Timestamp) -> LaneTime {
        let now = self.stands_since.unwrap_or(now).as_millisecond();
        LaneTime(now.saturating_sub(self.stood_millis))
    }

    /// The time of day at which it will show `time`, if it does not stand still until then.
    pub fn time_of_day(&self, time: LaneTime) -> Option<Timestamp> {
        Timestamp::from_millisecond(time.0.saturating_add(self.stood_millis)).ok()
    }

    /// Stops it, unless it stands still already.
    pub fn stop(&mut self, now: Timestamp) {
        self.stands_since.get_or_insert(now);
    }

    /// Lets it go on.
    pub fn go(&mut self, now: Timestamp) {
        if let Some(since) = self.stands_since.take() {
            let stood = now.as_millisecond() - since.as_millisecond();
            self.stood_millis += std::cmp::max(stood, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_which_it_stood_still_does_not_count() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let mut clock = LaneClock::default();
        let due = clock.at(at(100)).after(Duration::from_secs(30));
        clock.stop(at(110));
        clock.stop(at(115));
        assert_eq!(clock.at(at(5_000)), clock.at(at(110)));
        clock.go(at(1_110));
        clock.go(at(1_120));
        assert_eq!(due.since(clock.at(at(1_120))), Duration::from_secs(10));
        assert_eq!(clock.time_of_day(due), Some(at(1_130)));
        // A clock that was set back makes nothing due earlier.
        clock.stop(at(1_120));
        clock.go(at(1_000));
        assert_eq!(clock.stood_millis, 1_000_000);
    }
}
