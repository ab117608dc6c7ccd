//! Metric names and descriptions of this crate.

use easel_catalog::Drift;
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::drift_records::ScanCounts;

const FINDINGS: &str = "easel_drift_findings_total";
const UNCHECKED: &str = "easel_drift_unchecked_total";
const LAG: &str = "easel_drift_lag_events";

/// Describes each metric and starts it at 0. A second call changes nothing.
pub(crate) fn describe() {
    describe_counter!(
        FINDINGS,
        "Findings of data that the catalogue does not know, by kind of drift."
    );
    describe_counter!(
        UNCHECKED,
        "Events that were not validated against the catalogue, because they came in Caliper."
    );
    describe_gauge!(LAG, "Events not yet validated against the catalogue.");
    for drift in Drift::ALL {
        counter!(FINDINGS, "drift" => drift.code()).increment(0);
    }
    counter!(UNCHECKED).increment(0);
    set_lag(0);
}

pub(crate) fn count(counts: ScanCounts) {
    counter!(UNCHECKED).increment(counts.unchecked);
    for (drift, count) in counts.findings.each().filter(|(_, count)| *count > 0) {
        counter!(FINDINGS, "drift" => drift.code()).increment(count);
    }
}

pub(crate) fn set_lag(events: u64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; the lag never reaches 2^53 events"
    )]
    gauge!(LAG).set(events as f64);
}
