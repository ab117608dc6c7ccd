//! The names of what this room measures.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::sightings::Untold;

const FINDINGS: &str = "easel_drift_findings_total";
const LAG: &str = "easel_drift_lag_events";

pub(crate) fn describe() {
    describe_counter!(
        FINDINGS,
        "What came that the catalogue does not know, by kind."
    );
    describe_gauge!(LAG, "Events not yet held against the catalogue.");
}

pub(crate) fn found(counts: Untold) {
    for (drift, count) in counts.each().filter(|(_, count)| *count > 0) {
        counter!(FINDINGS, "drift" => drift.code()).increment(count);
    }
}

pub(crate) fn lagging(events: u64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; so many events never lag"
    )]
    gauge!(LAG).set(events as f64);
}
