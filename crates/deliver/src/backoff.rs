//! How long a lane holds after an attempt has failed.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(5);

/// Pauses that double from 5 s to 5 min, each up to a fifth shorter or longer, so that lanes
/// that failed together do not come back together.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failure_count: u32,
}

impl Backoff {
    /// The pause after one more failure; at least what the endpoint asked for, if it asked for no
    /// more than the longest pause.
    pub(crate) fn fail(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failure_count));
        let pause = std::cmp::min(doubled, LONGEST).mul_f64(0.8 + 0.4 * fastrand::f64());
        self.failure_count = self.failure_count.saturating_add(1);
        std::cmp::max(pause, std::cmp::min(asked.unwrap_or_default(), LONGEST))
    }

    /// Starts again from the shortest pause.
    pub(crate) fn succeed(&mut self) {
        self.failure_count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failure_count: u32, asked_secs: Option<u64>, shortest: f64, longest: f64) {
        for _ in 0..200 {
            let pause = Backoff { failure_count }.fail(asked_secs.map(Duration::from_secs));
            let secs = pause.as_secs_f64();
            assert!(
                (shortest..=longest).contains(&secs),
                "{secs} after {failure_count}"
            );
        }
    }

    #[test]
    fn pauses_grow_from_five_seconds_to_five_minutes_with_a_fifth_of_jitter() {
        check(0, None, 4.0, 6.0);
        check(1, None, 8.0, 12.0);
        check(5, None, 128.0, 192.0);
        check(6, None, 240.0, 360.0);
        check(u32::MAX, None, 240.0, 360.0);
    }

    #[test]
    fn what_the_endpoint_asks_for_is_honoured_up_to_the_longest_pause() {
        check(0, Some(60), 60.0, 60.0);
        check(0, Some(1), 4.0, 6.0);
        check(0, Some(86_400), 300.0, 300.0);
    }

    #[test]
    fn a_success_starts_the_pauses_again() {
        let mut backoff = Backoff { failure_count: 7 };
        backoff.succeed();
        assert!(backoff.fail(None) <= Duration::from_secs(6));
    }
}
