//! The progress of one subscription, and what blocks it.

use std::time::Duration;

use easel_access::Caller;
use easel_log::Offset;
use easel_subscriptions::{Balance, Due, GuardState, State, Subscription, Term};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::AcceptTimes;
use crate::Api;
use crate::caller_name::shown_name;

/// An active subscription is behind when its oldest pending event waits longer than this.
const BEHIND_AFTER: Duration = Duration::from_mins(1);

/// The progress of a subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = LaneStatus)]
pub(crate) struct LaneJson {
    pub(super) subscription: String,
    /// The system that manages the subscription, such as `canvas`. Absent for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) owner: Option<&'static str>,
    /// `active`, `paused` or `deactivated`.
    pub(super) state: &'static str,
    /// Whether the subscription is behind: events are pending although it is not served or is on
    /// hold, or the oldest pending event has waited for more than a minute.
    pub(super) behind: bool,
    /// Events that are not settled yet.
    pub(super) pending: u64,
    /// Failed deliveries that wait for their next attempt.
    pub(super) parked: u64,
    /// Parked deliveries that wait for an operator.
    pub(super) waits_for_operator: u64,
    /// Dead letters that were neither redelivered nor discarded, including those of replays.
    pub(super) dead_letters: u64,
    /// Events that were gone from the log before they could be delivered.
    pub(super) expired: u64,
    /// Events that the subscription wants, but that cannot be sent in its format.
    pub(super) other_format: u64,
    /// Whether the balance adds up. It always must.
    pub(super) adds_up: bool,
    /// True if the subscription is older than the address guard, and the guard does not apply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) unguarded: bool,
    /// When the oldest pending event was accepted. Absent if no event is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) pending_since: Option<Timestamp>,
    /// Why the subscription is not served or is on hold. Absent without a known reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// When the hold began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) held_since: Option<Timestamp>,
    /// When the next attempt of a hold is due. Absent while the hold waits for an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) next_attempt_at: Option<Timestamp>,
    /// When the log drops the oldest pending or parked event because of its age. Absent without a
    /// limit on age. A limit on size can drop the event sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) loses_events_at: Option<Timestamp>,
}

impl LaneJson {
    pub(super) async fn new(
        api: &Api,
        (caller, subscription): (&Caller, &Subscription),
        now: Timestamp,
        times: &mut AcceptTimes,
    ) -> Self {
        let balance = api.balance(caller, subscription);
        let pending = balance.get(Term::Pending);
        let pending_since = match balance.oldest_pending {
            None => None,
            Some(oldest) => times.accepted_at(api, oldest).await,
        };
        let (first_parked, waits_for_operator) = parked_summary(subscription);
        let oldest_open = [balance.oldest_pending, first_parked];
        let oldest_open = oldest_open.into_iter().flatten().min();
        let open_since = match oldest_open {
            None => None,
            Some(oldest) => times.accepted_at(api, oldest).await,
        };
        let replays = api.subscriptions.replays(subscription);
        let replays = replays
            .iter()
            .map(|replay| open_dead_count(&api.subscriptions.balance(replay)));
        let dead_letters = open_dead_count(&balance) + replays.sum::<u64>();
        let hold = subscription.shared.hold();
        let (state, paused_for) = match &subscription.state {
            State::Active => ("active", None),
            State::Paused { reason } => ("paused", reason.clone()),
            State::Deactivated { reason } => ("deactivated", reason.clone()),
        };
        let waits_long =
            pending_since.is_some_and(|since| now.duration_since(since) > duration(BEHIND_AFTER));
        let is_blocked = state != "active" || hold.is_some();
        let loses_events_at = open_since
            .zip(api.server.max_age)
            .and_then(|(since, max_age)| since.checked_add(duration(max_age)).ok());
        Self {
            subscription: shown_name(caller, subscription),
            state,
            behind: pending > 0 && (is_blocked || waits_long),
            pending,
            parked: balance.get(Term::Parked),
            waits_for_operator,
            dead_letters,
            expired: balance.get(Term::Expired),
            other_format: balance.get(Term::OtherFormat),
            adds_up: balance.adds_up(),
            owner: subscription
                .owner
                .as_ref()
                .map(|owner| owner.system.as_str()),
            unguarded: subscription.guard == GuardState::Reported,
            pending_since,
            held_since: hold.as_ref().map(|hold| hold.since),
            next_attempt_at: hold.as_ref().and_then(|hold| hold.until),
            reason: hold.map(|hold| hold.reason).or(paused_for),
            loses_events_at,
        }
    }

    /// Returns how long the oldest pending event has waited.
    pub(super) fn waiting_time(&self, now: Timestamp) -> SignedDuration {
        self.pending_since
            .map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }
}

/// Returns the first parked offset, and the number of parked deliveries that wait for an operator.
fn parked_summary(subscription: &Subscription) -> (Option<Offset>, u64) {
    let account = subscription.shared.account();
    let mut first = None;
    let mut waits_for_operator = 0;
    for (offset, parked) in account.all_parked(Offset::ZERO) {
        first.get_or_insert(offset);
        waits_for_operator += u64::from(parked.due == Due::OnCommand);
    }
    (first, waits_for_operator)
}

/// Counts the dead letters that were not discarded.
fn open_dead_count(balance: &Balance) -> u64 {
    balance
        .get(Term::Dead)
        .saturating_sub(balance.get(Term::Discarded))
}

/// Converts a duration. A duration that is too long becomes the maximum.
pub(super) fn duration(length: Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}
