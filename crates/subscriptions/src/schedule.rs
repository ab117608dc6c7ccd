//! When a delivery that failed is tried again, and when it is given up.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use thiserror::Error;

/// The pauses of the default schedule: 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, then every 12 h
/// as long as the sum stays within 3 days. That is 13 attempts.
static DEFAULT: LazyLock<Arc<[Duration]>> = LazyLock::new(|| {
    let mut pauses: Vec<_> = [5, 30, 120, 600, 1_800, 7_200, 21_600]
        .map(Duration::from_secs)
        .into();
    let every = Duration::from_hours(12);
    while pauses.iter().sum::<Duration>() + every <= Duration::from_hours(72) {
        pauses.push(every);
    }
    pauses.into()
});

/// The pauses of the hosted service: 4 attempts within 10 to 20 minutes.
static HOSTED: LazyLock<Arc<[Duration]>> =
    LazyLock::new(|| [120, 240, 480].map(Duration::from_secs).into());

/// The shortest and the longest pause that an endpoint may ask for (`Retry-After`); what lies
/// beyond is taken for the limit.
const SHORTEST_ASKED: Duration = Duration::from_secs(1);
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// How far a pause may be shorter or longer, so that deliveries that failed together do not all come
/// back together.
const JITTER: f64 = 0.2;

/// The pauses between the attempts of one delivery. After the last pause and one more failure, the
/// delivery is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    name: ScheduleName,
    pauses: Arc<[Duration]>,
}

/// How a schedule is called in a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScheduleName {
    Default,
    Hosted,
    /// It is a list of pauses.
    Own,
}

/// Why a schedule was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// It is no known name.
    #[error(
        "a schedule is `default`, `hosted`, or a list of pauses such as [\"5s\", \"1m\"]; {name:?} is not"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// A pause is no length of time, or too short or too long.
    #[error("a pause of a schedule is 1s to 7d; {pause:?} is not")]
    Pause {
        /// What was given.
        pause: String,
    },
    /// There are too many pauses.
    #[error(
        "a schedule has at most {} pauses; this one has {count}",
        Schedule::MAX_PAUSES
    )]
    TooMany {
        /// How many were given.
        count: usize,
    },
}

impl Schedule {
    /// Pauses of one schedule, at most.
    pub const MAX_PAUSES: usize = 50;

    /// The schedule with these pauses, as people write them (`5s`, `1m`). Without any, a delivery is
    /// given up after its first failure.
    pub fn own(pauses: &[String]) -> Result<Self, ScheduleError> {
        let limits = Duration::from_secs(1)..=Duration::from_hours(7 * 24);
        if pauses.len() > Self::MAX_PAUSES {
            let count = pauses.len();
            return Err(ScheduleError::TooMany { count });
        }
        let pauses = pauses.iter().map(|pause| {
            let parsed = humantime::parse_duration(pause).ok();
            let parsed = parsed.filter(|parsed| limits.contains(parsed));
            parsed.ok_or_else(|| ScheduleError::Pause {
                pause: pause.clone(),
            })
        });
        Ok(Self {
            name: ScheduleName::Own,
            pauses: pauses.collect::<Result<_, _>>()?,
        })
    }

    /// The name of the schedule, unless it is a list of pauses.
    pub const fn name(&self) -> Option<&'static str> {
        match self.name {
            ScheduleName::Default => Some("default"),
            ScheduleName::Hosted => Some("hosted"),
            ScheduleName::Own => None,
        }
    }

    /// Its pauses.
    pub fn pauses(&self) -> &[Duration] {
        &self.pauses
    }

    /// The pause after so many failures, from 1; `None` when the delivery is to be given up.
    ///
    /// `asked` is what the endpoint asked for: it makes the pause longer, never shorter, and counts
    /// for no less than 1 s and no more than 24 h. `chance` is a random number from 0 to 1.
    pub fn pause_after(
        &self,
        failure_count: u32,
        asked: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        let place = usize::try_from(failure_count).ok()?.checked_sub(1)?;
        let pause = self.pauses.get(place)?;
        let jittered = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance);
        Some(std::cmp::max(
            jittered,
            asked.map_or(Duration::ZERO, clamp_asked),
        ))
    }
}

/// The pause that an endpoint asked for, within the limits.
pub fn clamp_asked(asked: Duration) -> Duration {
    asked.clamp(SHORTEST_ASKED, LONGEST_ASKED)
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            name: ScheduleName::Default,
            pauses: Arc::clone(&DEFAULT),
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(name: &str) -> Result<Self, ScheduleError> {
        match name {
            "default" => Ok(Self::default()),
            "hosted" => Ok(Self {
                name: ScheduleName::Hosted,
                pauses: Arc::clone(&HOSTED),
            }),
            _ => Err(ScheduleError::Name {
                name: name.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the whole life of a delivery that always fails.
    #[track_caller]
    fn check(schedule: &Schedule, seconds: &[u64]) {
        for (failure_count, seconds) in (1..).zip(seconds) {
            let pause = |chance| schedule.pause_after(failure_count, None, chance).unwrap();
            let secs = pause(0.5).as_secs_f64();
            let wanted = Duration::from_secs(*seconds).as_secs_f64();
            assert!((secs - wanted).abs() < 1e-6, "{failure_count}: {secs}");
            let (shortest, longest) = (pause(0.0).as_secs_f64(), pause(1.0).as_secs_f64());
            assert!((shortest / wanted - 0.8).abs() < 1e-6, "{shortest}");
            assert!((longest / wanted - 1.2).abs() < 1e-6, "{longest}");
        }
        let after_last = u32::try_from(seconds.len()).unwrap() + 1;
        assert_eq!(schedule.pause_after(after_last, None, 0.5), None);
    }

    #[test]
    fn the_default_schedule_ends_within_three_days() {
        let hours = |hours: u64| hours * 3_600;
        let every = hours(12);
        let pauses = [
            5,
            30,
            120,
            600,
            1_800,
            hours(2),
            hours(6),
            every,
            every,
            every,
            every,
            every,
        ];
        check(&Schedule::default(), &pauses);
    }

    #[test]
    fn the_hosted_schedule_makes_four_attempts_within_20_minutes() {
        let hosted: Schedule = "hosted".parse().unwrap();
        check(&hosted, &[120, 240, 480]);
        let longest: Duration = hosted.pauses().iter().sum();
        assert!(longest.mul_f64(1.0 + JITTER) <= Duration::from_mins(20));
        assert!(longest.mul_f64(1.0 - JITTER) >= Duration::from_mins(10));
    }

    #[test]
    fn an_own_schedule_has_the_pauses_that_it_lists() {
        let own = |pauses: &[&str]| {
            let pauses: Vec<_> = pauses.iter().map(|it| (*it).to_owned()).collect();
            Schedule::own(&pauses)
        };
        check(&own(&["1s", "1m 30s"]).unwrap(), &[1, 90]);
        check(&own(&[]).unwrap(), &[]);
        for pause in ["", "0s", "999ms", "8d", "soon"] {
            assert!(
                matches!(own(&[pause]), Err(ScheduleError::Pause { .. })),
                "{pause}"
            );
        }
        assert!(matches!(
            own(&["1s"; 51]),
            Err(ScheduleError::TooMany { count: 51 })
        ));
    }

    #[test]
    fn an_endpoint_may_ask_for_a_longer_pause_within_limits() {
        let schedule = Schedule::default();
        let pause = |asked| schedule.pause_after(1, Some(asked), 0.5).unwrap();
        assert_eq!(pause(Duration::from_mins(1)), Duration::from_mins(1));
        assert_eq!(pause(Duration::ZERO), Duration::from_secs(5));
        assert_eq!(pause(Duration::MAX), Duration::from_hours(24));
    }
}
