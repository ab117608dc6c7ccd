//! The names of what this room measures.

use easel_catalog::Drift;
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::drift_records::Untold;

const FINDINGS: &str = "easel_drift_findings_total";
const LAG: &str = "easel_drift_lag_events";

/// Says what each of them means, and has each begin at 0; to say it again changes nothing.
pub(crate) fn describe() {
    describe_counter!(
        FINDINGS,
        "What came that the catalogue does not know, by kind."
    );
    describe_gauge!(LAG, "Events not yet held against the catalogue.");
    for drift in Drift::ALL {
        counter!(FINDINGS, "drift" => drift.code()).increment(0);
    }
    lagging(0);
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
