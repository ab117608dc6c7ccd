//! Replays: all or some events of a range of offsets are sent again.

use std::num::NonZeroU32;

use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Conditions, EventGlob, Journal, MaxRate, Parked};

/// The number of a replay within its subscription, from 1.
pub type ReplayNumber = NonZeroU32;

/// The events that a replay sends again. The subscription's own filter applies too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaySpec {
    /// The first offset.
    pub from: Offset,
    /// The offset after the last one.
    pub to: Offset,
    /// The patterns of event types. An event must match one of them.
    pub events: Vec<EventGlob>,
    /// The conditions on an event's metadata.
    pub conditions: Conditions,
    /// The most events per second.
    pub max_rate: Option<MaxRate>,
}

/// A stored replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReplay {
    /// The number of the replay.
    pub number: ReplayNumber,
    /// The events to send again.
    pub spec: ReplaySpec,
    /// When the replay was started.
    pub created_at: Timestamp,
    /// The latest journal of the replay's lane.
    pub journal: Journal,
    /// The parked deliveries of the replay.
    pub parked: Vec<(Offset, Parked)>,
}

impl ReplaySpec {
    /// Creates the spec of a replay of all events in a range, except operator events.
    pub fn of_range(from: Offset, to: Offset) -> Self {
        Self {
            from,
            to,
            events: EventGlob::all(),
            conditions: Conditions::default(),
            max_rate: None,
        }
    }
}
