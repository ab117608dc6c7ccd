//! A delivery that failed and waits, on disk, for its next attempt.

use std::sync::Arc;

use easel_catalog::OrderKey;
use easel_log::Offset;

use super::{Attempt, LaneTime};

/// A delivery that failed and waits for its next attempt. The cursor has passed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The first offset of the batch that it was sent in. Those of one batch are sent together
    /// again, so that the receiver knows the batch by its id.
    pub batch: Offset,
    /// How many failures count for its schedule.
    pub failure_count: u32,
    /// When it is to be sent again.
    pub due: Due,
    /// What it is kept in order by. `None` if nothing waits for it.
    pub key: Option<OrderKey>,
    /// Why it waits.
    pub reason: Arc<str>,
    /// The latest attempts, the oldest first.
    pub attempts: Vec<Attempt>,
    /// How many attempts were made in all.
    pub attempt_count: u32,
}

/// When a parked delivery is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At this time on the lane's clock.
    At(LaneTime),
    /// When the earlier deliveries with its key have ended.
    AfterKey,
    /// When an operator says so.
    Never,
}

/// What has happened to a parked delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedNews {
    /// A command made it due.
    Due {
        /// Its offset.
        offset: Offset,
    },
    /// It is no longer parked, so that the next one with its key may be sent.
    Left {
        /// Its offset.
        offset: Offset,
        /// Its key.
        key: OrderKey,
    },
}

impl Parked {
    /// Attempts that are remembered of one delivery.
    pub const MAX_ATTEMPTS: usize = 20;

    /// A delivery that was not sent yet and waits behind an earlier one with the same key.
    pub fn behind(offset: Offset, key: OrderKey, reason: &Arc<str>) -> Self {
        Self {
            batch: offset,
            failure_count: 0,
            due: Due::AfterKey,
            key: Some(key),
            reason: Arc::clone(reason),
            attempts: Vec::new(),
            attempt_count: 0,
        }
    }
}
