//! How freely a lane sends.

use std::sync::Arc;
use std::time::Duration;

use easel_log::Clock;
use easel_subscriptions::{Hold, Subscription};
use tokio::time::Instant;
use tracing::{debug, info};

use crate::backoff::Backoff;

/// How freely a lane sends.
#[derive(Debug)]
pub(super) struct Pace {
    state: State,
    backoff: Backoff,
    latest_success: Option<Instant>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As much as the limits allow.
    Flowing,
    /// Nothing until then.
    Holding { until: Instant },
    /// One batch, to see whether the endpoint is back.
    Probing,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: State::Flowing,
            backoff: Backoff::default(),
            latest_success: None,
            clock,
        }
    }

    /// Whether batches may be sent.
    pub(super) fn is_flowing(&self) -> bool {
        self.state == State::Flowing
    }

    /// When the pause is over, if the lane holds.
    pub(super) const fn probe_due(&self) -> Option<Instant> {
        match self.state {
            State::Holding { until } => Some(until),
            State::Flowing | State::Probing => None,
        }
    }

    /// Lets one batch out.
    pub(super) const fn probe(&mut self) {
        self.state = State::Probing;
    }

    /// Whether an attempt has succeeded after `time`. One at that very moment does not count: a sink
    /// with order begins the next attempt when the one before succeeds.
    pub(super) fn has_succeeded_after(&self, time: Instant) -> bool {
        self.latest_success.is_some_and(|success| success > time)
    }

    /// An attempt succeeded.
    pub(super) fn succeed(&mut self, subscription: &Subscription) {
        self.latest_success = Some(Instant::now());
        match self.state {
            State::Flowing => self.backoff.succeed(),
            State::Probing => self.release(subscription),
            // It was under way when the lane began to hold.
            State::Holding { .. } => (),
        }
    }

    /// An attempt failed; whether the lane holds because of that.
    pub(super) fn fail(
        &mut self,
        subscription: &Subscription,
        retry_after: Option<Duration>,
        reason: String,
    ) -> bool {
        match self.state {
            State::Flowing | State::Probing => {
                let pause = self.backoff.fail(retry_after);
                self.hold(subscription, pause, reason);
                true
            }
            // It was under way when the lane began to hold, and says nothing new.
            State::Holding { .. } => false,
        }
    }

    /// Holds the lane for this long.
    pub(super) fn hold(&mut self, subscription: &Subscription, pause: Duration, reason: String) {
        debug!(subscription = %subscription.spec.name, ?pause, "lane holds");
        self.state = State::Holding {
            until: Instant::now() + pause,
        };
        let until = self.clock.now() + pause;
        subscription.live.set_hold(Some(Hold { until, reason }));
    }

    /// Ends a hold, if there is one.
    pub(super) fn release(&mut self, subscription: &Subscription) {
        if self.state != State::Flowing {
            info!(subscription = %subscription.spec.name, "lane goes on");
        }
        self.state = State::Flowing;
        self.backoff.succeed();
        subscription.live.set_hold(None);
    }
}
