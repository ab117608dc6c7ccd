//! The operator events of a lane.
//!
//! A subscription that receives operator events causes no operator events about itself. Otherwise two
//! such subscriptions with failing endpoints would trigger each other forever.

use std::time::Duration;

use easel_catalog::OperatorEvent;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Lane;

/// The minimum time between two reported holds.
const HOLDS_EVERY: Duration = Duration::from_mins(1);

/// This many dead letters within this time are reported, once in this time.
const MANY: u64 = 100;
const MANY_WITHIN: Duration = Duration::from_hours(1);

/// The reports that a lane has sent to operators.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// When a hold was last reported.
    hold_reported_at: Option<Instant>,
    /// The start of the reported hold, while it lasts.
    reported_hold_since: Option<Timestamp>,
    dead: Dead,
}

/// The number of dead letters in the current period.
#[derive(Debug, Default)]
struct Dead {
    since: Option<(Instant, Timestamp)>,
    count: u64,
    is_reported: bool,
}

impl Notices {
    /// True if a hold must be reported. Records the report.
    fn may_report_hold(&mut self, since: Timestamp) -> bool {
        let is_early = |reported_at: Instant| reported_at.elapsed() < HOLDS_EVERY;
        if self.reported_hold_since.is_some() || self.hold_reported_at.is_some_and(is_early) {
            return false;
        }
        self.hold_reported_at = Some(Instant::now());
        self.reported_hold_since = Some(since);
        true
    }

    /// Counts a dead letter. Returns the count and the start of the period if they must be reported.
    fn count_dead(&mut self, now: Timestamp) -> Option<(u64, Timestamp)> {
        let is_over = |(began, _): (Instant, Timestamp)| began.elapsed() >= MANY_WITHIN;
        if self.dead.since.is_none_or(is_over) {
            self.dead = Dead {
                since: Some((Instant::now(), now)),
                ..Dead::default()
            };
        }
        self.dead.count += 1;
        if self.dead.count < MANY || self.dead.is_reported {
            return None;
        }
        self.dead.is_reported = true;
        let (_, since) = self.dead.since?;
        Some((self.dead.count, since))
    }
}

impl Lane {
    /// Reports that the lane holds.
    pub(super) fn report_held(&mut self, reason: &str) {
        let since = self.subscription.live.account().held_since();
        let Some(since) = since.filter(|since| self.notices.may_report_hold(*since)) else {
            return;
        };
        self.report(OperatorEvent::SubscriptionHeld {
            subscription: self.subscription.spec.name.to_string(),
            reach: self.subscription.reach.clone(),
            reason: reason.to_owned(),
            since,
        });
    }

    /// Reports the end of the hold, if the hold was reported.
    pub(super) fn report_resumed(&mut self) {
        if let Some(since) = self.notices.reported_hold_since.take() {
            self.report(OperatorEvent::SubscriptionResumed {
                subscription: self.subscription.spec.name.to_string(),
                reach: self.subscription.reach.clone(),
                since,
            });
        }
    }

    /// Reports that the subscription is deactivated.
    pub(super) fn report_deactivated(&self, reason: &str, since: Timestamp) {
        self.report(OperatorEvent::SubscriptionDeactivated {
            subscription: self.subscription.spec.name.to_string(),
            reach: self.subscription.reach.clone(),
            reason: reason.to_owned(),
            since,
        });
    }

    /// Counts a dead letter, and reports to operators if there are many.
    pub(super) fn count_dead_letter(&mut self) {
        self.counts.died();
        let now = self.context.clock.now();
        if let Some((dead_letter_count, since)) = self.notices.count_dead(now) {
            self.report(OperatorEvent::ManyDeadLetters {
                subscription: self.subscription.spec.name.to_string(),
                reach: self.subscription.reach.clone(),
                dead_letter_count,
                since,
            });
        }
    }

    fn report(&self, event: OperatorEvent) {
        if !self.subscription.spec.wants_operator_events() {
            self.context.tell_operator.tell(event);
        }
    }
}
