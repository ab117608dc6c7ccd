//! The metrics of tables.

use metrics::{counter, describe_counter};

/// Counts the values that do not fit into their columns.
const MISMATCHES: &str = "easel_table_mismatches_total";

/// Registers the metrics of tables.
pub fn describe_metrics() {
    describe_counter!(
        MISMATCHES,
        "Values of events that did not fit into the columns of their tables. They are in the column `extra`."
    );
    counter!(MISMATCHES).absolute(0);
}

/// Counts values of rows that are committed.
pub(crate) fn count_mismatches(count: u64) {
    counter!(MISMATCHES).increment(count);
}
