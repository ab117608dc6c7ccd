//! What a replay serves again: a range of offsets, or a part of it.

use std::num::NonZeroU32;

use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Conditions, EventGlob, Journal, MaxRate, Parked};

/// The number of a replay among those of its subscription, from 1.
pub type ReplayNumber = NonZeroU32;

/// What a replay serves again. The subscription's own filter applies besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaySpec {
    /// The first offset.
    pub from: Offset,
    /// The offset after the last one.
    pub to: Offset,
    /// The event types; one match is enough.
    pub events: Vec<EventGlob>,
    /// What an event's metadata must say besides.
    pub conditions: Conditions,
    /// Events a second at most.
    pub max_rate: Option<MaxRate>,
}

/// A replay as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayEntry {
    /// Its number.
    pub number: ReplayNumber,
    /// What it serves.
    pub spec: ReplaySpec,
    /// When it was started.
    pub created_at: Timestamp,
    /// The latest journal of its lane.
    pub journal: Journal,
    /// Its parked deliveries.
    pub parked: Vec<(Offset, Parked)>,
}

impl ReplaySpec {
    /// A replay of a whole range.
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
