//! How freely a lane sends.
//!
//! The breaker opens when the endpoint is at fault, never for a few failures among many successes:
//!
//! - 10 attempts fail one after another, or
//! - of at least 20 attempts within 30 s, half fail because of the endpoint, or
//! - of at least 20 attempts within 30 s, more than half are refused because of the event: so many
//!   events are not at fault, or
//! - the endpoint asks to be sent nothing for a while.
//!
//! An open breaker lets out one probe at a time, with pauses that grow from 5 s to 5 min. After a
//! probe that succeeds, the lane may have one batch under way, then two, then four, up to its limit.

use std::time::Duration;

use easel_subscriptions::clamp_asked;
use tokio::time::Instant;

use super::window::AttemptWindow;
use crate::backoff::Backoff;

/// Failures one after another that open the breaker.
const MAX_CONSECUTIVE: u32 = 10;

/// How freely a lane sends.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: BreakerState,
    window: AttemptWindow,
    consecutive_count: u32,
    backoff: Backoff,
    /// True if it opened because so many events were refused: then a refusal does not close it.
    is_open_for_refusals: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BreakerState {
    /// As much as the limits allow.
    #[default]
    Closed,
    /// So many batches at once, after a hold. It grows after as many successes.
    Ramp { limit: usize, success_count: usize },
    /// Nothing until then; `None` while an operator must act.
    Open { until: Option<Instant> },
    /// One batch, to see whether the endpoint is back.
    Probing,
}

impl Breaker {
    /// A breaker that is open, and due for a probe.
    pub(super) fn due_for_probe() -> Self {
        Self {
            state: BreakerState::Open {
                until: Some(Instant::now()),
            },
            ..Self::default()
        }
    }

    /// Whether batches may be sent beside a probe.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, BreakerState::Closed | BreakerState::Ramp { .. })
    }

    /// How many batches may be under way, given the limit of the sink.
    pub(super) fn max_in_flight(&self, limit: usize) -> usize {
        match self.state {
            BreakerState::Closed => limit,
            BreakerState::Ramp { limit: ramp, .. } => std::cmp::min(ramp, limit),
            BreakerState::Open { .. } | BreakerState::Probing => 0,
        }
    }

    /// When a probe is due, if the breaker is open.
    pub(super) const fn probe_due(&self) -> Option<Instant> {
        match self.state {
            BreakerState::Open { until } => until,
            BreakerState::Closed | BreakerState::Ramp { .. } | BreakerState::Probing => None,
        }
    }

    /// Whether an operator must act before anything is sent.
    pub(super) fn waits_for_operator(&self) -> bool {
        self.state == BreakerState::Open { until: None }
    }

    /// Lets one batch out.
    pub(super) const fn probe(&mut self) {
        self.state = BreakerState::Probing;
    }

    /// An attempt succeeded; `true` if that ends a hold.
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
                self.release();
                true
            }
            // It was under way when the breaker opened.
            BreakerState::Open { .. } => false,
        }
    }

    /// An attempt failed because of the endpoint; `true` if the endpoint is at fault by that.
    pub(super) fn fail(&mut self) -> bool {
        self.consecutive_count = self.consecutive_count.saturating_add(1);
        self.window.fail();
        self.consecutive_count >= MAX_CONSECUTIVE
            || self.window.is_endpoint_at_fault()
            || self.state == BreakerState::Probing
    }

    /// An attempt was refused because of its event; `true` if so many were that the endpoint is at
    /// fault.
    pub(super) fn refuse(&mut self) -> bool {
        self.window.refuse();
        self.is_open_for_refusals |= self.window.is_refusing();
        self.is_open_for_refusals || !self.may_blame_events()
    }

    /// Whether a refusal may be the fault of an event.
    pub(super) fn may_blame_events(&self) -> bool {
        self.is_closed() || self.is_probing() && !self.is_open_for_refusals
    }

    /// Whether one batch is out, to see whether the endpoint is back.
    pub(super) fn is_probing(&self) -> bool {
        self.state == BreakerState::Probing
    }

    /// Opens it after a failure, unless it is open already; the pause, if it was opened.
    pub(super) fn open(&mut self) -> Option<Duration> {
        if matches!(self.state, BreakerState::Open { .. }) {
            return None;
        }
        let pause = self.backoff.fail(None);
        Some(self.open_for(pause))
    }

    /// Opens it because the endpoint asks to be sent nothing for so long; the pause, unless it is open
    /// for longer, or an operator must act first.
    pub(super) fn pause(&mut self, asked: Duration) -> Option<Duration> {
        let asked = clamp_asked(asked);
        let is_longer = |until: Instant| until > Instant::now() + asked;
        if self.waits_for_operator() || self.probe_due().is_some_and(is_longer) {
            return None;
        }
        Some(self.open_for(asked))
    }

    /// Opens it for so long.
    pub(super) fn open_for(&mut self, pause: Duration) -> Duration {
        self.state = BreakerState::Open {
            until: Some(Instant::now() + pause),
        };
        pause
    }

    /// Opens it until an operator acts.
    pub(super) const fn open_for_operator(&mut self) {
        self.state = BreakerState::Open { until: None };
    }

    /// Ends a hold: the lane begins with one batch.
    pub(super) fn release(&mut self) {
        self.state = BreakerState::Ramp {
            limit: 1,
            success_count: 0,
        };
        self.consecutive_count = 0;
        self.window = AttemptWindow::default();
        self.is_open_for_refusals = false;
        self.backoff.succeed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn a_few_failures_among_many_successes_do_not_open_it() {
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
    async fn ten_failures_in_a_row_or_half_of_twenty_open_it() {
        let mut breaker = Breaker::default();
        let faults: Vec<_> = (0..10).map(|_| breaker.fail()).collect();
        assert_eq!(faults.iter().position(|is_at_fault| *is_at_fault), Some(9));

        let mut breaker = Breaker::default();
        for number in 0..9 {
            assert!(!breaker.succeed(LIMIT));
            assert!(!breaker.fail(), "{number}");
        }
        assert!(!breaker.succeed(LIMIT));
        assert!(breaker.fail(), "ten of twenty");
    }

    #[tokio::test(start_paused = true)]
    async fn what_lies_longer_back_does_not_count() {
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
    async fn an_endpoint_that_refuses_more_than_half_is_at_fault() {
        let mut breaker = Breaker::default();
        let at_fault = (1..100).find(|_| breaker.refuse());
        assert_eq!(at_fault, Some(20));
        let mut breaker = Breaker::default();
        for _ in 0..50 {
            breaker.succeed(LIMIT);
            assert!(!breaker.refuse());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_hold_it_lets_out_one_then_two_then_four() {
        let mut breaker = Breaker::default();
        assert!(breaker.open().is_some());
        assert_eq!(breaker.open(), None, "it is open already");
        breaker.probe();
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
    async fn pauses_grow_and_the_endpoint_may_ask_for_longer_ones() {
        let mut breaker = Breaker::default();
        let mut longest = Duration::ZERO;
        for _ in 0..8 {
            longest = breaker.open().unwrap();
            breaker.probe();
            assert!(breaker.fail());
        }
        assert!(longest >= Duration::from_mins(4), "{longest:?}");
        breaker.probe();
        assert_eq!(breaker.pause(Duration::ZERO), Some(Duration::from_secs(1)));
        assert_eq!(breaker.pause(Duration::MAX), Some(Duration::from_hours(24)));
        assert_eq!(breaker.pause(Duration::ZERO), None, "the longer one counts");
        breaker.open_for_operator();
        assert_eq!(breaker.pause(Duration::MAX), None);
    }
}
