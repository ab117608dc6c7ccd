//! The metrics of the audit.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const ENTRIES: &str = "easel_audit_entries_total";
const FAILING: &str = "easel_audit_failing";

/// Describes the metrics, and sets them to zero.
pub(crate) fn describe() {
    describe_counter!(ENTRIES, "Entries that were written to the audit.");
    describe_gauge!(FAILING, "1 if the audit cannot be written, else 0.");
    count_entries(0);
    set_failing(0.0);
}

pub(crate) fn count_entries(count: usize) {
    counter!(ENTRIES).increment(u64::try_from(count).unwrap_or(u64::MAX));
}

/// Sets the gauge of a failing audit to 1 or 0. It must be set from time to time, or it disappears.
pub(crate) fn set_failing(value: f64) {
    gauge!(FAILING).set(value);
}
