//! Retry schedules: when a failed delivery is retried, and when it is given up.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use thiserror::Error;

/// The pauses of the default schedule: 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, then every 12 h
/// while the sum stays within 3 days. That is 13 attempts.
static DEFAULT: LazyLock<Arc<[Duration]>> = LazyLock::new(|| {
    let mut pauses: Vec<_> = [5, 30, 120, 600, 1_800, 7_200, 21_600]
        .map(Duration::from_secs)
        .into();
    let half_day = Duration::from_hours(12);
    while pauses.iter().sum::<Duration>() + half_day <= Duration::from_hours(72) {
        pauses.push(half_day);
    }
    pauses.into()
});

/// The pauses that the hosted Canvas service uses: 4 attempts within 10 to 20 minutes.
static HOSTED: LazyLock<Arc<[Duration]>> =
    LazyLock::new(|| [120, 240, 480].map(Duration::from_secs).into());

/// The limits of a pause that an endpoint requests with `Retry-After`.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The jitter of a pause, as a part of the pause. Deliveries that failed together are not all retried
/// together.
const JITTER: f64 = 0.2;

/// The pauses between the attempts of one delivery. If the attempt after the last pause fails, the
/// delivery is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    name: ScheduleName,
    pauses: Arc<[Duration]>,
}

/// The name of a schedule in a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScheduleName {
    Default,
    Hosted,
    /// No name: a list of pauses.
    Custom,
}

/// Why a schedule was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The name is unknown.
    #[error(
        "retry must be `default`, `hosted`, or a list of pauses such as [\"5s\", \"1m\"], not {name:?}"
    )]
    Name {
        /// The invalid name.
        name: String,
    },
    /// A pause is invalid, too short or too long.
    #[error("a pause must be 1s to 7d, not {pause:?}")]
    Pause {
        /// The invalid pause.
        pause: String,
    },
    /// The list has too many pauses.
    #[error("retry must have at most {} pauses, not {count}", Schedule::MAX_PAUSES)]
    TooMany {
        /// The number of pauses.
        count: usize,
    },
}

impl Schedule {
    /// The most pauses of one schedule.
    pub const MAX_PAUSES: usize = 50;

    /// Parses a list of pauses such as `5s` or `1m`. With an empty list, a delivery is given up after
    /// its first failure.
    pub fn from_pauses(pauses: &[String]) -> Result<Self, ScheduleError> {
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
            name: ScheduleName::Custom,
            pauses: pauses.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the name of the schedule, or `None` for a list of pauses.
    pub const fn name(&self) -> Option<&'static str> {
        match self.name {
            ScheduleName::Default => Some("default"),
            ScheduleName::Hosted => Some("hosted"),
            ScheduleName::Custom => None,
        }
    }

    /// Returns the pauses.
    pub fn pauses(&self) -> &[Duration] {
        &self.pauses
    }

    /// Returns the pause after `failure_count` failures, or `None` if the delivery must be given up.
    ///
    /// `retry_after` is the pause that the endpoint requested. It is clamped to 1 s to 24 h, and
    /// it never makes the pause shorter. `random` is a random number from 0 to 1, for the jitter.
    pub fn pause_after(
        &self,
        failure_count: u32,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        let index = usize::try_from(failure_count).ok()?.checked_sub(1)?;
        let pause = self.pauses.get(index)?;
        let jittered = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * random);
        Some(std::cmp::max(
            jittered,
            retry_after.map_or(Duration::ZERO, clamp_retry_after),
        ))
    }
}

/// Clamps a pause that an endpoint requested with `Retry-After` to 1 s to 24 h.
pub fn clamp_retry_after(pause: Duration) -> Duration {
    pause.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
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

    /// Checks all pauses of a delivery that always fails.
    #[track_caller]
    fn check(schedule: &Schedule, seconds: &[u64]) {
        for (failure_count, seconds) in (1..).zip(seconds) {
            let pause = |random| schedule.pause_after(failure_count, None, random).unwrap();
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
    fn the_default_schedule_has_thirteen_attempts() {
        let hours = |count: u64| count * 3_600;
        let half_day = hours(12);
        let pauses = [
            5,
            30,
            120,
            600,
            1_800,
            hours(2),
            hours(6),
            half_day,
            half_day,
            half_day,
            half_day,
            half_day,
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
    fn a_custom_schedule_has_the_listed_pauses() {
        let custom = |pauses: &[&str]| {
            let pauses: Vec<_> = pauses.iter().map(|pause| (*pause).to_owned()).collect();
            Schedule::from_pauses(&pauses)
        };
        check(&custom(&["1s", "1m 30s"]).unwrap(), &[1, 90]);
        check(&custom(&[]).unwrap(), &[]);
        for pause in ["", "0s", "999ms", "8d", "soon"] {
            assert!(
                matches!(custom(&[pause]), Err(ScheduleError::Pause { .. })),
                "{pause}"
            );
        }
        assert!(matches!(
            custom(&["1s"; 51]),
            Err(ScheduleError::TooMany { count: 51 })
        ));
    }

    #[test]
    fn an_endpoint_may_request_a_longer_pause_within_limits() {
        let schedule = Schedule::default();
        let pause = |retry_after| schedule.pause_after(1, Some(retry_after), 0.5).unwrap();
        assert_eq!(pause(Duration::from_mins(1)), Duration::from_mins(1));
        assert_eq!(pause(Duration::ZERO), Duration::from_secs(5));
        assert_eq!(pause(Duration::MAX), Duration::from_hours(24));
    }
}
