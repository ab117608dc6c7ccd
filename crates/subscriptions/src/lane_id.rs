//! The ids of subscriptions and lanes.

use std::fmt;
use std::num::NonZeroU32;

/// The number of a subscription. It is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(i64);

/// The id of a lane: the live lane of a subscription, or the lane of one replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The number of the replay within its subscription; `None` for the live lane.
    pub replay: Option<NonZeroU32>,
}

impl SubscriptionId {
    /// Creates the id with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl LaneId {
    /// Returns the id of a subscription's live lane.
    pub const fn live(subscription: SubscriptionId) -> Self {
        Self {
            subscription,
            replay: None,
        }
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
