//! The metrics of this crate.

use metrics::{counter, describe_counter};

const EXPIRED: &str = "easel_events_expired_undelivered_total";

/// Describes each metric and starts it at 0. Repeated calls change nothing.
pub(crate) fn describe() {
    describe_counter!(
        EXPIRED,
        "Events lost before delivery because the log dropped or could not read them, counted for each subscription."
    );
    expired(0);
}

/// Counts events that can no longer be delivered to a subscription.
pub(crate) fn expired(count: u64) {
    counter!(EXPIRED).increment(count);
}
