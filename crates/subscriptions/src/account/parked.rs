//! A failed delivery that waits, on disk, for its next attempt.

use std::sync::Arc;

use easel_catalog::OrderKey;
use easel_log::Offset;

use super::{Attempt, LaneTime};

/// A failed delivery that waits for its next attempt. The cursor moves past a parked delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The first offset of the delivery's batch. The deliveries of one batch are sent together again,
    /// so that the receiver recognises the batch by its id.
    pub batch_offset: Offset,
    /// How many failures count for the retry schedule.
    pub failure_count: u32,
    /// When the delivery is sent again.
    pub due: Due,
    /// The order key: later deliveries with this key wait for this one. `None` if none wait.
    pub key: Option<OrderKey>,
    /// Why the delivery waits.
    pub reason: Arc<str>,
    /// The latest attempts, the oldest first.
    pub attempts: Vec<Attempt>,
    /// The number of all attempts.
    pub attempt_count: u32,
}

/// When a parked delivery is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At this time on the lane's clock.
    At(LaneTime),
    /// When the earlier deliveries with the same key have ended.
    AfterKey,
    /// Only after a command of an operator.
    OnCommand,
}

/// A change of a parked delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedChange {
    /// A command made the delivery due.
    Due {
        /// The offset of the delivery.
        offset: Offset,
    },
    /// The delivery is no longer parked, so the next one with the same key may be sent.
    Left {
        /// The offset of the delivery.
        offset: Offset,
        /// The key of the delivery.
        key: OrderKey,
    },
}

impl Parked {
    /// The most attempts stored for one delivery.
    pub const MAX_ATTEMPTS: usize = 20;

    /// Creates the row of an unsent delivery that waits for an earlier one with the same key.
    pub fn behind(offset: Offset, key: OrderKey, reason: &Arc<str>) -> Self {
        Self {
            batch_offset: offset,
            failure_count: 0,
            due: Due::AfterKey,
            key: Some(key),
            reason: Arc::clone(reason),
            attempts: Vec::new(),
            attempt_count: 0,
        }
    }
}
