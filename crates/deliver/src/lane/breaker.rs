//! The circuit breaker of a lane.
//!
//! A few failures among many successes do not open the breaker. The breaker opens if:
//!
//! - 10 attempts fail in a row, or
//! - at least half of the attempts within 30 s fail because of the endpoint, or
//! - more than half of the attempts within 30 s are rejected because of their event, since so many
//!   events are unlikely to be at fault, or
//! - the endpoint asks for a pause.
//!
//! The two rules for 30 s require at least 20 attempts.
//!
//! An open breaker allows one probe at a time, with pauses that grow from 5 s to 5 min. After a
//! successful probe, the lane may have one batch in flight, then two, then four, up to its limit.

use std::time::Duration;

use easel_subscriptions::clamp_retry_after;
use tokio::time::Instant;

use super::window::AttemptWindow;
use crate::backoff::Backoff;

/// The number of consecutive failures that open the breaker.
const MAX_CONSECUTIVE: u32 = 10;

/// The circuit breaker of a lane.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: BreakerState,
    window: AttemptWindow,
    consecutive_count: u32,
    backoff: Backoff,
    /// True if the breaker opened because too many events were rejected. A probe whose event is rejected then
    /// does not close it.
    is_open_for_rejections: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BreakerState {
    /// The lane may send up to its limits.
    #[default]
    Closed,
    /// The lane may have at most `limit` batches in flight, after a hold. The limit doubles after `limit` successes.
    Ramp { limit: usize, success_count: usize },
    /// The lane sends nothing until this time; `None` if an operator must act.
    Open { until: Option<Instant> },
    /// One batch is in flight, to check whether the endpoint is back.
    Probing,
}

impl Breaker {
    /// Creates an open breaker that is due for a probe.
    pub(super) fn due_for_probe() -> Self {
        Self {
            state: BreakerState::Open {
                until: Some(Instant::now()),
            },
            ..Self::default()
        }
    }

    /// True if the lane may send batches that are not probes.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, BreakerState::Closed | BreakerState::Ramp { .. })
    }

    /// Returns the maximum number of batches in flight. `limit` is the limit of the sink.
    pub(super) fn max_in_flight(&self, limit: usize) -> usize {
        match self.state {
            BreakerState::Closed => limit,
            BreakerState::Ramp { limit: ramp, .. } => std::cmp::min(ramp, limit),
            BreakerState::Open { .. } | BreakerState::Probing => 0,
        }
    }

    /// Returns when a probe is due, if the breaker is open.
    pub(super) const fn probe_due(&self) -> Option<Instant> {
        match self.state {
            BreakerState::Open { until } => until,
            BreakerState::Closed | BreakerState::Ramp { .. } | BreakerState::Probing => None,
        }
    }

    /// True if an operator must act before the lane sends again.
    pub(super) fn waits_for_operator(&self) -> bool {
        self.state == BreakerState::Open { until: None }
    }

    /// Allows one batch as a probe.
    pub(super) const fn begin_probe(&mut self) {
        self.state = BreakerState::Probing;
    }

    /// Records a successful attempt. Returns `true` if the success ends a hold.
    pub(super) fn succeed(&mut self, max_in_flight: usize) -> bool {
        self.consecutive_count = 0;
        self.window.succeed();
        match &mut self.state {
            BreakerState::Closed => false,
            BreakerState::Ramp {
                limit,
                success_count,
            } => {
                *success_count += 1;
                if success_count >= limit {
                    *limit *= 2;
                    *success_count = 0;
                }
                if *limit >= max_in_flight {
                    self.state = BreakerState::Closed;
                }
                false
            }
            BreakerState::Probing => {
                self.close();
                true
            }
            // The attempt was in flight when the breaker opened.
            BreakerState::Open { .. } => false,
        }
    }

    /// Records an attempt that failed because of the endpoint. Returns `true` if the breaker must open.
    pub(super) fn fail(&mut self) -> bool {
        self.consecutive_count = self.consecutive_count.saturating_add(1);
        self.window.fail();
        self.consecutive_count >= MAX_CONSECUTIVE
            || self.window.is_endpoint_at_fault()
            || self.state == BreakerState::Probing
    }

    /// Records an attempt that was rejected because of its event. Returns `true` if so many attempts were
    /// rejected that the endpoint is at fault.
    pub(super) fn reject(&mut self) -> bool {
        self.window.reject();
        self.is_open_for_rejections |= self.window.is_mostly_rejected();
        self.is_open_for_rejections || !self.may_blame_events()
    }

    /// True if a rejection may be the fault of an event.
    pub(super) fn may_blame_events(&self) -> bool {
        self.is_closed() || self.is_probing() && !self.is_open_for_rejections
    }

    /// True while a probe is in flight.
    pub(super) fn is_probing(&self) -> bool {
        self.state == BreakerState::Probing
    }

    /// Opens the breaker after a failure. Returns the pause; `None` if the breaker was open already.
    pub(super) fn open(&mut self) -> Option<Duration> {
        if matches!(self.state, BreakerState::Open { .. }) {
            return None;
        }
        let pause = self.backoff.fail(None);
        Some(self.open_for(pause))
    }

    /// Opens the breaker because the endpoint asks for a pause. Returns the pause; `None` if the breaker is open
    /// for longer already, or if an operator must act.
    pub(super) fn open_for_retry_after(&mut self, retry_after: Duration) -> Option<Duration> {
        let pause = clamp_retry_after(retry_after);
        let is_longer = |until: Instant| until > Instant::now() + pause;
        if self.waits_for_operator() || self.probe_due().is_some_and(is_longer) {
            return None;
        }
        Some(self.open_for(pause))
    }

    /// Opens the breaker for `pause`.
    pub(super) fn open_for(&mut self, pause: Duration) -> Duration {
        self.state = BreakerState::Open {
            until: Some(Instant::now() + pause),
        };
        pause
    }

    /// Opens the breaker until an operator acts.
    pub(super) const fn open_for_operator(&mut self) {
        self.state = BreakerState::Open { until: None };
    }

    /// Closes the breaker after a hold. The lane starts with one batch in flight.
    pub(super) fn close(&mut self) {
        self.state = BreakerState::Ramp {
            limit: 1,
            success_count: 0,
        };
        self.consecutive_count = 0;
        self.window = AttemptWindow::default();
        self.is_open_for_rejections = false;
        self.backoff.succeed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn a_few_failures_among_many_successes_do_not_open_the_breaker() {
        let mut breaker = Breaker::default();
        for number in 0..10_000 {
            if number % 10 == 0 {
                assert!(!breaker.fail(), "{number}");
            } else {
                assert!(!breaker.succeed(LIMIT));
            }
        }
        assert_eq!(breaker.max_in_flight(LIMIT), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_failures_in_a_row_or_half_of_twenty_attempts_open_the_breaker() {
        let mut breaker = Breaker::default();
        let faults: Vec<_> = (0..10).map(|_| breaker.fail()).collect();
        assert_eq!(faults.iter().position(|is_at_fault| *is_at_fault), Some(9));

        let mut breaker = Breaker::default();
        for number in 0..9 {
            assert!(!breaker.succeed(LIMIT));
            assert!(!breaker.fail(), "{number}");
        }
        assert!(!breaker.succeed(LIMIT));
        assert!(breaker.fail(), "ten of twenty attempts failed");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_older_than_thirty_seconds_do_not_count() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.fail();
        }
        breaker.succeed(LIMIT);
        tokio::time::advance(Duration::from_secs(31)).await;
        for _ in 0..9 {
            assert!(!breaker.fail());
            assert!(!breaker.succeed(LIMIT));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_rejects_more_than_half_is_at_fault() {
        let mut breaker = Breaker::default();
        let at_fault = (1..100).find(|_| breaker.reject());
        assert_eq!(at_fault, Some(20));
        let mut breaker = Breaker::default();
        for _ in 0..50 {
            breaker.succeed(LIMIT);
            assert!(!breaker.reject());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_hold_the_limit_is_one_then_two_then_four() {
        let mut breaker = Breaker::default();
        assert!(breaker.open().is_some());
        assert_eq!(breaker.open(), None, "the breaker is open already");
        breaker.begin_probe();
        assert_eq!(breaker.max_in_flight(LIMIT), 0);
        assert!(breaker.succeed(LIMIT));
        let mut limits = Vec::new();
        while limits.last() != Some(&LIMIT) {
            limits.push(breaker.max_in_flight(LIMIT));
            breaker.succeed(LIMIT);
        }
        limits.dedup();
        assert_eq!(limits, [1, 2, 4, 8, 16]);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_the_endpoint_can_ask_for_longer_pauses() {
        let mut breaker = Breaker::default();
        let mut longest = Duration::ZERO;
        for _ in 0..8 {
            longest = breaker.open().unwrap();
            breaker.begin_probe();
            assert!(breaker.fail());
        }
        assert!(longest >= Duration::from_mins(4), "{longest:?}");
        breaker.begin_probe();
        assert_eq!(
            breaker.open_for_retry_after(Duration::ZERO),
            Some(Duration::from_secs(1))
        );
        assert_eq!(
            breaker.open_for_retry_after(Duration::MAX),
            Some(Duration::from_hours(24))
        );
        assert_eq!(
            breaker.open_for_retry_after(Duration::ZERO),
            None,
            "the longer pause counts"
        );
        breaker.open_for_operator();
        assert_eq!(breaker.open_for_retry_after(Duration::MAX), None);
    }
}
