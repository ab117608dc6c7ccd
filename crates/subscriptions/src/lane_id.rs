//! The names of subscriptions and lanes inside the program.

use std::fmt;
use std::num::NonZeroU32;

/// A subscription's number, never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(i64);

/// Which lane it is: the one that serves a subscription's live events, or one of its replays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The number of the replay among those of its subscription; `None` for the live lane.
    pub replay: Option<NonZeroU32>,
}

impl SubscriptionId {
    /// The id with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl LaneId {
    /// The lane that serves a subscription's live events.
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
