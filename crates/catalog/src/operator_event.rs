//! Events of Easel itself, which tell operators that something needs them.
//!
//! They are in the same log as all other events and have the shape of Canvas events. They are not in
//! the catalogue: [`Catalog::check`](crate::Catalog::check) finds nothing in them, so they cause no
//! drift. Their event types begin with `easel.`. [`admit`](crate::admit) refuses such a type, so no
//! sender can forge one.
//! Not here: when an event is sent, and how it gets onto the log.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event_type::OPERATOR_PREFIX;
use crate::timestamp::event_time;
use crate::{Drift, Event, Reach, event_id};

/// The producer of these events.
const PRODUCER: &str = "easel";

/// Whether an event type, or a pattern of event types, begins as those of operator events do.
pub fn is_operator_event(event_type: &str) -> bool {
    event_type.starts_with(OPERATOR_PREFIX)
}

/// Something that operators are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorEvent {
    /// A subscription is held: its endpoint fails.
    SubscriptionHeld {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// What the latest attempt failed with.
        reason: String,
        /// When the hold began.
        since: Timestamp,
    },
    /// A subscription that was held is served again.
    SubscriptionResumed {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// When the hold began.
        since: Timestamp,
    },
    /// A subscription is no longer served until an operator activates it.
    SubscriptionDeactivated {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// Why.
        reason: String,
        /// When the hold began that led to this.
        since: Timestamp,
    },
    /// A subscription has many dead letters.
    ManyDeadLetters {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// How many deliveries became dead letters since then.
        dead_letter_count: u64,
        /// When counting began.
        since: Timestamp,
    },
    /// Event types or fields came that the catalogue does not know.
    DriftFound {
        /// What came, at most 100 of it.
        found: Vec<FoundDrift>,
        /// How much came in all.
        found_count: u64,
    },
    /// The disk of the data folder is nearly full.
    DiskLow {
        /// Bytes that can still be written.
        free_bytes: u64,
        /// Bytes there are in all.
        total_bytes: u64,
        /// The disk is low when fewer bytes are free.
        low_below_bytes: u64,
    },
    /// The log dropped events before a subscription had them.
    TrimmedPastCursor {
        /// The name of the subscription.
        subscription: String,
        /// The reach of the subscription.
        reach: Reach,
        /// How many events the subscription lost.
        event_count: u64,
        /// Where they were. Events that the subscription did not lose may lie between them.
        offsets: Range<u64>,
    },
}

/// An event type or a field that the catalogue does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDrift {
    /// What kind of drift it is.
    pub drift: Drift,
    /// The event type.
    pub event_type: String,
    /// The JSON pointer to the field, with `*` for every index; empty for the event type itself.
    pub path: String,
}

impl OperatorEvent {
    /// Every event type.
    pub const TYPES: [&str; 7] = [
        "easel.subscription.held",
        "easel.subscription.resumed",
        "easel.subscription.deactivated",
        "easel.dead_letters.many",
        "easel.drift.found",
        "easel.disk.low",
        "easel.log.trimmed_past_cursor",
    ];

    /// Its event type.
    pub const fn event_type(&self) -> &'static str {
        let [held, resumed, deactivated, dead, drift, disk, trimmed] = Self::TYPES;
        match self {
            Self::SubscriptionHeld { .. } => held,
            Self::SubscriptionResumed { .. } => resumed,
            Self::SubscriptionDeactivated { .. } => deactivated,
            Self::ManyDeadLetters { .. } => dead,
            Self::DriftFound { .. } => drift,
            Self::DiskLow { .. } => disk,
            Self::TrimmedPastCursor { .. } => trimmed,
        }
    }

    /// The event of what happened at `time`, of which milliseconds are kept.
    pub fn event(&self, time: Timestamp) -> Event {
        let root_account_id = match self.reach() {
            Some(Reach::RootAccount(id)) => Some(id.as_str()),
            Some(Reach::Everything) | None => None,
        };
        // `serde_json` sorts keys unless one of its features keeps their order. They are sorted here, so
        // the bytes are the same either way.
        let mut metadata = json!({
            "event_name": self.event_type(),
            "event_time": event_time(time),
            "producer": PRODUCER,
        });
        if let (Some(id), Some(members)) = (root_account_id, metadata.as_object_mut()) {
            members.insert("root_account_id".to_owned(), id.into());
        }
        let bytes = format!(r#"{{"metadata":{metadata},"body":{}}}"#, self.body());
        Event {
            id: event_id(bytes.as_bytes()),
            event_type: self.event_type().into(),
            occurred_at: Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time),
            root_account_id: root_account_id.map(Arc::from),
            root_account_uuid: None,
            bytes: Bytes::from(bytes),
        }
    }

    /// The reach of the subscription that this event is about, if it is about one.
    const fn reach(&self) -> Option<&Reach> {
        match self {
            Self::SubscriptionHeld { reach, .. }
            | Self::SubscriptionResumed { reach, .. }
            | Self::SubscriptionDeactivated { reach, .. }
            | Self::ManyDeadLetters { reach, .. }
            | Self::TrimmedPastCursor { reach, .. } => Some(reach),
            Self::DriftFound { .. } | Self::DiskLow { .. } => None,
        }
    }

    /// The body, with sorted keys.
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

/// Sends operator events. It never waits, and a caller does not learn whether the event was stored.
#[derive(Clone)]
pub struct TellOperator(Arc<dyn Fn(OperatorEvent) + Send + Sync>);

impl TellOperator {
    /// Hands every event to `take`, which must not wait.
    pub fn new(take: impl Fn(OperatorEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
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
