//! When things happen: by day rather than by night, and shortly before they are due.

use jiff::{SignedDuration, Timestamp};

use crate::rng::Rng;

/// How much of a day's work is done in each hour of it.
const HOURS: [u32; 24] = [
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

    /// So many days and seconds into the term.
    pub(crate) fn at(self, day: u32, seconds: i64) -> Timestamp {
        let since = SignedDuration::from_secs(i64::from(day) * 86_400 + seconds);
        self.begins.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// Whether a day is a Saturday or a Sunday.
    pub(crate) fn is_weekend(self, day: u32) -> bool {
        // The first day of 1970 was a Thursday.
        let weekday = (self.at(day, 0).as_second().div_euclid(86_400) + 3).rem_euclid(7);
        weekday >= 5
    }

    /// The first day from this one on that is neither.
    pub(crate) fn working_day(self, day: u32) -> u32 {
        (day..day + 3)
            .find(|it| !self.is_weekend(*it))
            .unwrap_or(day)
    }

    /// Some moment of a day, when people are awake rather than not.
    pub(crate) fn awake(self, day: u32, chance: &mut Rng) -> Timestamp {
        let all: u32 = HOURS.iter().sum();
        let mut rest = chance.between(0, i64::from(all) - 1);
        let mut hour = 0;
        for (number, share) in (0..).zip(HOURS) {
            hour = number;
            rest -= i64::from(share);
            if rest < 0 {
                break;
            }
        }
        self.within(day, hour, 1, chance)
    }

    /// Some moment of office hours.
    pub(crate) fn at_work(self, day: u32, chance: &mut Rng) -> Timestamp {
        self.within(day, 8, 8, chance)
    }

    /// The moment at which what is due on a day is due: a second before midnight.
    pub(crate) fn due(self, day: u32) -> Timestamp {
        self.at(day, 86_399)
    }

    /// Some moment of the day on which something is due; the closer to that the likelier.
    pub(crate) fn before_due(self, day: u32, chance: &mut Rng) -> Timestamp {
        // The square of a fraction is small more often than not.
        let early = chance.fraction() * chance.fraction();
        #[expect(clippy::cast_possible_truncation, reason = "less than a day")]
        let early = (early * 80_000.0) as i64;
        soon(self.at(day, 86_390 - early), chance)
    }

    fn within(self, day: u32, first_hour: i64, hours: i64, chance: &mut Rng) -> Timestamp {
        let seconds = chance.between(first_hour * 3600, (first_hour + hours) * 3600 - 1);
        soon(self.at(day, seconds), chance)
    }
}

/// Some milliseconds later.
fn soon(at: Timestamp, chance: &mut Rng) -> Timestamp {
    let millis = SignedDuration::from_millis(chance.between(0, 999));
    at.checked_add(millis).unwrap_or(at)
}

/// A moment as a column has it: to the second.
pub(crate) fn column(at: Timestamp) -> String {
    easel_catalog::body_time(at)
}

/// Some seconds later.
pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(at)
}
