//! How far one subscription is, and what keeps it.

use std::time::Duration;

use easel_subscriptions::{State, Subscription, Term};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::AcceptTimes;
use crate::Api;

/// An active subscription is behind when its oldest pending event waits longer than this.
const BEHIND_AFTER: Duration = Duration::from_mins(1);

/// How far a subscription is.
#[derive(Serialize, ToSchema)]
#[schema(as = LaneStatus)]
pub(crate) struct LaneJson {
    pub(super) subscription: String,
    /// `active`, `paused` or `deactivated`.
    pub(super) state: &'static str,
    /// Whether it is behind: it is not served or on hold while events are pending, or the oldest of
    /// them has waited for more than a minute.
    pub(super) behind: bool,
    /// Events it has not settled.
    pub(super) pending: u64,
    /// Events that were gone from the log before they could be delivered.
    pub(super) expired: u64,
    /// Whether its balance adds up, as it always must.
    pub(super) adds_up: bool,
    /// When the oldest pending event was accepted; absent when none is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) pending_since: Option<Timestamp>,
    /// Why it is not served, or what its last attempt failed with; absent when neither is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// When the next attempt is due, while it is on hold after a failed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) next_attempt_at: Option<Timestamp>,
    /// When the log drops its oldest pending event because of the event's age; absent without a
    /// bound on age. A bound on size may drop it sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) loses_events_at: Option<Timestamp>,
}

impl LaneJson {
    pub(super) async fn new(
        api: &Api,
        subscription: &Subscription,
        now: Timestamp,
        times: &mut AcceptTimes,
    ) -> Self {
        let balance = api.subscriptions.balance(subscription);
        let pending = balance.get(Term::Pending);
        let pending_since = match pending {
            0 => None,
            _ => times.accepted_at(api, balance.cursor).await,
        };
        let hold = subscription.live.hold();
        let (state, paused_for) = match &subscription.state {
            State::Active => ("active", None),
            State::Paused { reason } => ("paused", reason.clone()),
            State::Deactivated { reason } => ("deactivated", reason.clone()),
        };
        let waits_long =
            pending_since.is_some_and(|since| now.duration_since(since) > duration(BEHIND_AFTER));
        let is_kept = state != "active" || hold.is_some();
        let loses_events_at = pending_since
            .zip(api.host.max_age)
            .and_then(|(since, max_age)| since.checked_add(duration(max_age)).ok());
        Self {
            subscription: subscription.spec.name.to_string(),
            state,
            behind: pending > 0 && (is_kept || waits_long),
            pending,
            expired: balance.get(Term::Expired),
            adds_up: balance.adds_up(),
            pending_since,
            next_attempt_at: hold.as_ref().and_then(|hold| hold.until),
            reason: hold.map(|hold| hold.reason).or(paused_for),
            loses_events_at,
        }
    }

    /// How long the oldest pending event has waited.
    pub(super) fn waits(&self, now: Timestamp) -> SignedDuration {
        self.pending_since
            .map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }
}

/// A length of time that may be longer than a time can be apart from another.
pub(super) fn duration(length: Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}
