//! Random times for actions: mostly by day, and often shortly before a due time.

use jiff::{SignedDuration, Timestamp};

use crate::rng::Rng;

/// The relative amount of activity in each hour of a day.
const HOURLY_ACTIVITY: [u32; 24] = [
    2, 1, 1, 1, 1, 1, 2, 5, 9, 10, 10, 9, 7, 9, 10, 9, 8, 7, 7, 8, 9, 9, 7, 4,
];

/// The days of a term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar {
    begins: Timestamp,
}

impl Calendar {
    pub(crate) const fn new(begins: Timestamp) -> Self {
        Self { begins }
    }

    /// Returns the time `day` days and `seconds` seconds after the start of the term.
    pub(crate) fn at(self, day: u32, seconds: i64) -> Timestamp {
        let elapsed = SignedDuration::from_secs(i64::from(day) * 86_400 + seconds);
        self.begins.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Returns whether a day is a Saturday or a Sunday.
    pub(crate) fn is_weekend(self, day: u32) -> bool {
        // The first day of 1970 was a Thursday.
        let weekday = (self.at(day, 0).as_second().div_euclid(86_400) + 3).rem_euclid(7);
        weekday >= 5
    }

    /// Returns the first working day on or after this day.
    pub(crate) fn working_day(self, day: u32) -> u32 {
        (day..day + 3)
            .find(|candidate| !self.is_weekend(*candidate))
            .unwrap_or(day)
    }

    /// Returns a random time of a day, more likely in hours of high activity.
    pub(crate) fn waking_time(self, day: u32, rng: &mut Rng) -> Timestamp {
        let total: u32 = HOURLY_ACTIVITY.iter().sum();
        let mut rest = rng.between(0, i64::from(total) - 1);
        let mut hour = 0;
        for (number, share) in (0..).zip(HOURLY_ACTIVITY) {
            hour = number;
            rest -= i64::from(share);
            if rest < 0 {
                break;
            }
        }
        self.time_in_hours(day, hour, 1, rng)
    }

    /// Returns a random time in office hours.
    pub(crate) fn working_time(self, day: u32, rng: &mut Rng) -> Timestamp {
        self.time_in_hours(day, 8, 8, rng)
    }

    /// Returns the due time on a day: one second before midnight.
    pub(crate) fn due_time(self, day: u32) -> Timestamp {
        self.at(day, 86_399)
    }

    /// Returns a random time on a due day. Times close to the due time are more likely.
    pub(crate) fn time_before_due(self, day: u32, rng: &mut Rng) -> Timestamp {
        // The product of two fractions is mostly small.
        let earliness = rng.fraction() * rng.fraction();
        #[expect(clippy::cast_possible_truncation, reason = "less than a day")]
        let early_seconds = (earliness * 80_000.0) as i64;
        add_random_millis(self.at(day, 86_390 - early_seconds), rng)
    }

    fn time_in_hours(self, day: u32, first_hour: i64, hours: i64, rng: &mut Rng) -> Timestamp {
        let seconds = rng.between(first_hour * 3600, (first_hour + hours) * 3600 - 1);
        add_random_millis(self.at(day, seconds), rng)
    }
}

/// Adds a random number of milliseconds.
fn add_random_millis(at: Timestamp, rng: &mut Rng) -> Timestamp {
    let millis = SignedDuration::from_millis(rng.between(0, 999));
    at.checked_add(millis).unwrap_or(at)
}

/// Formats a time for a column, in whole seconds.
pub(crate) fn to_column(at: Timestamp) -> String {
    easel_catalog::body_time(at)
}

/// Returns the time `seconds` seconds later.
pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(at)
}
