//! The names of what this room measures.

use metrics::{counter, describe_counter};

const EXPIRED: &str = "easel_events_expired_undelivered_total";

/// Says what each of them means, and has each begin at 0; to say it again changes nothing.
pub(crate) fn describe() {
    describe_counter!(
        EXPIRED,
        "Events that were gone from the log before a subscription had them, counted for each subscription."
    );
    expired(0);
}

/// Counts events that a subscription can no longer have.
pub(crate) fn expired(count: u64) {
    counter!(EXPIRED).increment(count);
}
