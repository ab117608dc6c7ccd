//! The operator events of a lane.
//!
//! A subscription that receives operator events causes no operator events about itself. Otherwise, the
//! operator events of two such subscriptions with failing endpoints would cause each other forever.

use std::time::Duration;

use easel_catalog::OperatorEvent;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Lane;

/// The minimum time between two reported holds.
const REPORT_HOLDS_EVERY: Duration = Duration::from_mins(1);

/// If a lane has this many dead letters in one period, it reports them once in the period.
const MANY_DEAD_LETTERS: u64 = 100;
const DEAD_LETTER_PERIOD: Duration = Duration::from_hours(1);

/// The reports that a lane has sent to operators.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// When a hold was last reported.
    hold_reported_at: Option<Instant>,
    /// The start of the reported hold, while it lasts.
    reported_hold_since: Option<Timestamp>,
    dead: DeadLetterCount,
}

/// The number of dead letters in the current period.
#[derive(Debug, Default)]
struct DeadLetterCount {
    since: Option<(Instant, Timestamp)>,
    count: u64,
    is_reported: bool,
}

impl Notices {
    /// True if a hold must be reported now. In that case, records the report.
    fn begin_hold_report(&mut self, since: Timestamp) -> bool {
        let is_early = |reported_at: Instant| reported_at.elapsed() < REPORT_HOLDS_EVERY;
        if self.reported_hold_since.is_some() || self.hold_reported_at.is_some_and(is_early) {
            return false;
        }
        self.hold_reported_at = Some(Instant::now());
        self.reported_hold_since = Some(since);
        true
    }

    /// Counts a dead letter. Returns the count and the start of the period if the dead letters must be
    /// reported now.
    fn count_dead(&mut self, now: Timestamp) -> Option<(u64, Timestamp)> {
        let is_over = |(began, _): (Instant, Timestamp)| began.elapsed() >= DEAD_LETTER_PERIOD;
        if self.dead.since.is_none_or(is_over) {
            self.dead = DeadLetterCount {
                since: Some((Instant::now(), now)),
                ..DeadLetterCount::default()
            };
        }
        self.dead.count += 1;
        if self.dead.count < MANY_DEAD_LETTERS || self.dead.is_reported {
            return None;
        }
        self.dead.is_reported = true;
        let (_, since) = self.dead.since?;
        Some((self.dead.count, since))
    }
}

impl Lane {
    /// Reports that the lane is on hold.
    pub(super) fn report_held(&mut self, reason: &str) {
        let since = self.subscription.shared.account().held_since();
        let Some(since) = since.filter(|since| self.notices.begin_hold_report(*since)) else {
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
