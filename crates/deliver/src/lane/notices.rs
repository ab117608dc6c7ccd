//! What a lane tells operators.
//!
//! A subscription that receives operator events causes none about itself: two whose endpoints fail
//! would keep each other busy.

use std::time::Duration;

use easel_catalog::OperatorEvent;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Lane;

/// The shortest time between two holds that are reported.
const HOLDS_EVERY: Duration = Duration::from_mins(1);

/// So many dead letters within this time are reported, once in this time.
const MANY: u64 = 100;
const MANY_WITHIN: Duration = Duration::from_hours(1);

/// What a lane has reported to operators.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// When a hold was last reported.
    hold_reported_at: Option<Instant>,
    /// When the hold began that was reported and is not over.
    reported_hold_since: Option<Timestamp>,
    dead: Dead,
}

/// Dead letters since counting began.
#[derive(Debug, Default)]
struct Dead {
    since: Option<(Instant, Timestamp)>,
    count: u64,
    is_reported: bool,
}

impl Notices {
    /// Whether to report a hold.
    fn may_report_hold(&mut self, since: Timestamp) -> bool {
        let is_early = |reported_at: Instant| reported_at.elapsed() < HOLDS_EVERY;
        if self.reported_hold_since.is_some() || self.hold_reported_at.is_some_and(is_early) {
            return false;
        }
        self.hold_reported_at = Some(Instant::now());
        self.reported_hold_since = Some(since);
        true
    }

    /// Counts a dead letter. Returns how many there are, and since when, if that is to be reported.
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
    /// Tells operators that the lane holds.
    pub(super) fn tell_held(&mut self, reason: &str) {
        let since = self.subscription.live.account().held_since();
        let Some(since) = since.filter(|since| self.notices.may_report_hold(*since)) else {
            return;
        };
        self.tell(OperatorEvent::SubscriptionHeld {
            subscription: self.subscription.spec.name.to_string(),
            reach: self.subscription.reach.clone(),
            reason: reason.to_owned(),
            since,
        });
    }

    /// Tells operators that the hold is over, if it was reported.
    pub(super) fn tell_resumed(&mut self) {
        if let Some(since) = self.notices.reported_hold_since.take() {
            self.tell(OperatorEvent::SubscriptionResumed {
                subscription: self.subscription.spec.name.to_string(),
                reach: self.subscription.reach.clone(),
                since,
            });
        }
    }

    /// Tells operators that the subscription is deactivated.
    pub(super) fn tell_deactivated(&self, reason: &str, since: Timestamp) {
        self.tell(OperatorEvent::SubscriptionDeactivated {
            subscription: self.subscription.spec.name.to_string(),
            reach: self.subscription.reach.clone(),
            reason: reason.to_owned(),
            since,
        });
    }

    /// Counts a dead letter, and tells operators when these are many.
    pub(super) fn note_dead(&mut self) {
        self.counts.died();
        let now = self.rooms.clock.now();
        if let Some((dead_letter_count, since)) = self.notices.count_dead(now) {
            self.tell(OperatorEvent::ManyDeadLetters {
                subscription: self.subscription.spec.name.to_string(),
                reach: self.subscription.reach.clone(),
                dead_letter_count,
                since,
            });
        }
    }

    fn tell(&self, event: OperatorEvent) {
        if !self.subscription.spec.wants_operator_events() {
            self.rooms.tell_operator.tell(event);
        }
    }
}
