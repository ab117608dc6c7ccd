//! Pauses that grow with each failure.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(5);

/// Pauses that double from 5 s to 5 min, each with a jitter of 20 %. Because of the jitter, lanes that
/// failed together do not all retry together.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failure_count: u32,
}

impl Backoff {
    /// Records a failure and returns the pause after it. The pause is at least `retry_after`, which is limited
    /// to 5 min.
    pub(crate) fn fail(&mut self, retry_after: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failure_count));
        let pause = std::cmp::min(doubled, LONGEST).mul_f64(0.8 + 0.4 * fastrand::f64());
        self.failure_count = self.failure_count.saturating_add(1);
        std::cmp::max(
            pause,
            std::cmp::min(retry_after.unwrap_or_default(), LONGEST),
        )
    }

    /// Resets to the shortest pause.
    pub(crate) fn succeed(&mut self) {
        self.failure_count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failure_count: u32, retry_after_secs: Option<u64>, shortest: f64, longest: f64) {
        for _ in 0..200 {
            let retry_after = retry_after_secs.map(Duration::from_secs);
            let pause = Backoff { failure_count }.fail(retry_after);
            let secs = pause.as_secs_f64();
            assert!(
                (shortest..=longest).contains(&secs),
                "{secs} after {failure_count}"
            );
        }
    }

    #[test]
    fn pauses_grow_from_five_seconds_to_five_minutes_with_jitter() {
        check(0, None, 4.0, 6.0);
        check(1, None, 8.0, 12.0);
        check(5, None, 128.0, 192.0);
        check(6, None, 240.0, 360.0);
        check(u32::MAX, None, 240.0, 360.0);
    }

    #[test]
    fn retry_after_is_respected_up_to_the_longest_pause() {
        check(0, Some(60), 60.0, 60.0);
        check(0, Some(1), 4.0, 6.0);
        check(0, Some(86_400), 300.0, 300.0);
    }

    #[test]
    fn a_success_resets_the_pause() {
        let mut backoff = Backoff { failure_count: 7 };
        backoff.succeed();
        assert!(backoff.fail(None) <= Duration::from_secs(6));
    }
}
