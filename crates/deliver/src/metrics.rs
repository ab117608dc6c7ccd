//! The names of what this room measures.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const DELIVERIES: &str = "easel_deliveries_total";
const LAG_EVENTS: &str = "easel_lane_lag_events";
const LAG_SECONDS: &str = "easel_lane_lag_seconds";
const LANES: &str = "easel_lanes";
const UNTRANSLATED: &str = "easel_untranslated_events_total";
const UNREADABLE: &str = "easel_untranslated_values_total";

pub(crate) fn describe() {
    describe_counter!(DELIVERIES, "Attempts to deliver an event, by outcome.");
    describe_gauge!(LAG_EVENTS, "Events a subscription has not settled yet.");
    describe_gauge!(
        LAG_SECONDS,
        "Age of the oldest event a subscription has not settled yet."
    );
    describe_gauge!(LANES, "Lanes running.");
    describe_counter!(
        UNTRANSLATED,
        "Events of a type with a Caliper form that could not be translated; they count as filtered."
    );
    describe_counter!(
        UNREADABLE,
        "Values left out of a translation to Caliper because they are not of their field's kind."
    );
}

/// Counts an attempt; `outcome` comes from a closed set.
pub(crate) fn attempted(outcome: &'static str) {
    counter!(DELIVERIES, "outcome" => outcome).increment(1);
}

pub(crate) fn untranslated() {
    counter!(UNTRANSLATED).increment(1);
}

pub(crate) fn unreadable(values: u32) {
    counter!(UNREADABLE).increment(values.into());
}

pub(crate) fn lagging(subscription: &str, events: u64, seconds: f64) {
    let name = subscription.to_owned();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; so many events never lag"
    )]
    gauge!(LAG_EVENTS, "subscription" => name.clone()).set(events as f64);
    gauge!(LAG_SECONDS, "subscription" => name).set(seconds);
}

pub(crate) fn lanes_running(count: usize) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; there are no such counts"
    )]
    gauge!(LANES).set(count as f64);
}
