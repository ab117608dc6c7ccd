//! The names of what the log measures.

use std::time::Duration;

use metrics::{counter, histogram};

/// Notes one commit: its records, its bytes on disk, and the time it took.
pub(crate) fn committed(record_count: u64, bytes: u64, took: Duration) {
    histogram!("easel_log_commit_seconds").record(took);
    histogram!("easel_log_commit_records").record(measure(record_count));
    histogram!("easel_log_commit_bytes").record(measure(bytes));
}

/// Notes records that were not stored because they were known already.
pub(crate) fn duplicates(count: u64) {
    counter!("easel_log_duplicates_total").increment(count);
}

/// Notes records found unreadable.
pub(crate) fn damaged(count: u64) {
    counter!("easel_log_damaged_records_total").increment(count);
}

/// A number as histograms take it; a commit is far from the bound.
fn measure(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
