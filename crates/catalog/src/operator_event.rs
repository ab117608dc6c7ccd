//! Events of Easel itself, which notify operators of problems.
//!
//! They are in the same log as all other events and have the same structure as Canvas events. They
//! are not in the catalogue, and [`Catalog::check`](crate::Catalog::check) skips them, so they cause
//! no drift. Their event types begin with `easel.`. [`admit`](crate::admit) rejects these types, so
//! no sender can forge one.
//!
//! Other rooms decide when such an event is sent, and append it to the log.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event_type::OPERATOR_PREFIX;
use crate::timestamp::event_time;
use crate::{Drift, Event, EventShape, Reach, RootAccount, event_id};

/// The producer of these events.
const PRODUCER: &str = "easel";

/// Returns true if an event type, or a pattern of event types, begins with `easel.`.
pub fn is_operator_event(event_type: &str) -> bool {
    event_type.starts_with(OPERATOR_PREFIX)
}

/// A notification for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorEvent {
    /// A subscription is on hold, because its endpoint fails.
    SubscriptionHeld {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// The error of the latest attempt.
        reason: String,
        /// The start of the hold.
        since: Timestamp,
    },
    /// A subscription is no longer on hold.
    SubscriptionResumed {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// The start of the hold.
        since: Timestamp,
    },
    /// A subscription is no longer served until an operator activates it.
    SubscriptionDeactivated {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// The reason for the deactivation.
        reason: String,
        /// The start of the hold that led to the deactivation.
        since: Timestamp,
    },
    /// A subscription has many dead letters.
    ManyDeadLetters {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// The number of deliveries that became dead letters since `since`.
        dead_letter_count: u64,
        /// The start of the count.
        since: Timestamp,
    },
    /// Events had event types or fields that the catalogue does not know.
    DriftFound {
        /// The unknown event types and fields, at most 100.
        found: Vec<FoundDrift>,
        /// The total number of unknown event types and fields.
        found_count: u64,
    },
    /// The disk of the data folder is nearly full.
    DiskLow {
        /// The free space in bytes.
        free_bytes: u64,
        /// The size of the disk in bytes.
        total_bytes: u64,
        /// The threshold in bytes. The disk is low if less space is free.
        low_below_bytes: u64,
    },
    /// The log dropped events before a subscription received them.
    TrimmedPastCursor {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// The number of events that the subscription lost.
        event_count: u64,
        /// The offsets of the lost events. Other events can lie between them.
        offsets: Range<u64>,
    },
    /// Deliveries of a source fail so often that hosted Canvas will switch the stream off.
    SourceFailing {
        /// The name of the source.
        source: String,
        /// How they fail: `time_outs` or `errors`.
        kind: &'static str,
        /// The number of failed deliveries in the last 24 hours.
        failure_count: u64,
        /// After about this many in 24 hours, hosted Canvas switches the stream off.
        limit: u64,
    },
}

/// An event type or a field that the catalogue does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDrift {
    /// The kind of drift.
    pub drift: Drift,
    /// The event type.
    pub event_type: String,
    /// The JSON pointer to the field, with `*` for every index. Empty for the event type itself.
    pub path: String,
}

impl OperatorEvent {
    /// Every event type.
    pub const TYPES: [&str; 8] = [
        "easel.subscription.held",
        "easel.subscription.resumed",
        "easel.subscription.deactivated",
        "easel.dead_letters.many",
        "easel.drift.found",
        "easel.disk.low",
        "easel.log.trimmed_past_cursor",
        "easel.source.failing",
    ];

    /// Returns the event type.
    pub const fn event_type(&self) -> &'static str {
        let [
            held,
            resumed,
            deactivated,
            dead,
            drift,
            disk,
            trimmed,
            failing,
        ] = Self::TYPES;
        match self {
            Self::SubscriptionHeld { .. } => held,
            Self::SubscriptionResumed { .. } => resumed,
            Self::SubscriptionDeactivated { .. } => deactivated,
            Self::ManyDeadLetters { .. } => dead,
            Self::DriftFound { .. } => drift,
            Self::DiskLow { .. } => disk,
            Self::TrimmedPastCursor { .. } => trimmed,
            Self::SourceFailing { .. } => failing,
        }
    }

    /// Returns the event, with the time `time` cut to milliseconds.
    pub fn event(&self, time: Timestamp) -> Event {
        let account = self.reach().and_then(Reach::root_account);
        let is_id = account.is_some_and(RootAccount::is_id);
        let account = account.map(RootAccount::as_str);
        // `serde_json` sorts keys, unless its feature `preserve_order` is active. The keys below are
        // sorted, so the bytes are the same in both cases.
        let mut metadata = json!({
            "event_name": self.event_type(),
            "event_time": event_time(time),
            "producer": PRODUCER,
        });
        if let (Some(account), Some(members)) = (account, metadata.as_object_mut()) {
            let name = if is_id {
                "root_account_id"
            } else {
                "root_account_uuid"
            };
            members.insert(name.to_owned(), account.into());
        }
        let bytes = format!(r#"{{"metadata":{metadata},"body":{}}}"#, self.body());
        Event {
            id: event_id(bytes.as_bytes()),
            event_type: self.event_type().into(),
            occurred_at: Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time),
            root_account_id: account.filter(|_| is_id).map(Arc::from),
            root_account_uuid: account.filter(|_| !is_id).map(Arc::from),
            shape: EventShape::Canvas,
            bytes: Bytes::from(bytes),
        }
    }

    /// Returns the reach of the event's subscription, if it has one.
    const fn reach(&self) -> Option<&Reach> {
        match self {
            Self::SubscriptionHeld { reach, .. }
            | Self::SubscriptionResumed { reach, .. }
            | Self::SubscriptionDeactivated { reach, .. }
            | Self::ManyDeadLetters { reach, .. }
            | Self::TrimmedPastCursor { reach, .. } => Some(reach),
            Self::DriftFound { .. } | Self::DiskLow { .. } | Self::SourceFailing { .. } => None,
        }
    }

    /// Returns the body, with sorted keys.
    fn body(&self) -> Value {
        match self {
            Self::SubscriptionHeld {
                subscription,
                reason,
                since,
                ..
            }
            | Self::SubscriptionDeactivated {
                subscription,
                reason,
                since,
                ..
            } => json!({
                "reason": reason,
                "since": event_time(*since),
                "subscription": subscription,
            }),
            Self::SubscriptionResumed {
                subscription,
                since,
                ..
            } => json!({
                "since": event_time(*since),
                "subscription": subscription,
            }),
            Self::ManyDeadLetters {
                subscription,
                dead_letter_count,
                since,
                ..
            } => json!({
                "dead_letter_count": dead_letter_count,
                "since": event_time(*since),
                "subscription": subscription,
            }),
            Self::DriftFound { found, found_count } => json!({
                "found": found.iter().map(FoundDrift::json).collect::<Vec<_>>(),
                "found_count": found_count,
            }),
            Self::DiskLow {
                free_bytes,
                total_bytes,
                low_below_bytes,
            } => json!({
                "free_bytes": free_bytes,
                "low_below_bytes": low_below_bytes,
                "total_bytes": total_bytes,
            }),
            Self::TrimmedPastCursor {
                subscription,
                event_count,
                offsets,
                ..
            } => json!({
                "event_count": event_count,
                "first_offset": offsets.start,
                "last_offset": offsets.end.saturating_sub(1),
                "subscription": subscription,
            }),
            Self::SourceFailing {
                source,
                kind,
                failure_count,
                limit,
            } => json!({
                "failure_count": failure_count,
                "kind": kind,
                "limit": limit,
                "source": source,
            }),
        }
    }
}

impl FoundDrift {
    fn json(&self) -> Value {
        json!({
            "drift": self.drift.code(),
            "event_type": self.event_type,
            "path": self.path,
        })
    }
}

/// A callback that notifies operators. It never waits. The caller does not learn whether the event was
/// stored.
#[derive(Clone)]
pub struct TellOperator(Arc<dyn Fn(OperatorEvent) + Send + Sync>);

impl TellOperator {
    /// Returns a callback that passes every event to `send`. `send` must not wait.
    pub fn new(send: impl Fn(OperatorEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Sends `event`.
    pub fn tell(&self, event: OperatorEvent) {
        (self.0)(event);
    }
}

/// Drops every event.
impl Default for TellOperator {
    fn default() -> Self {
        Self::new(drop)
    }
}

impl fmt::Debug for TellOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TellOperator")
    }
}

#[cfg(test)]
mod tests;
