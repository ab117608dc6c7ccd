//! The metrics of the log.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::LogName;

const COMMIT_SECONDS: &str = "easel_log_commit_seconds";
const COMMIT_RECORDS: &str = "easel_log_commit_records";
const COMMIT_BYTES: &str = "easel_log_commit_bytes";
const DUPLICATES: &str = "easel_log_duplicates_total";
const DAMAGED_RECORDS: &str = "easel_log_damaged_records_total";

/// Describes all metrics and initialises them with 0. Further calls change nothing.
pub fn describe_metrics() {
    describe_histogram!(COMMIT_SECONDS, "Duration of a commit, by log.");
    describe_histogram!(COMMIT_RECORDS, "Records per commit, by log.");
    describe_histogram!(COMMIT_BYTES, "Bytes stored per commit, by log.");
    describe_counter!(
        DUPLICATES,
        "Records not stored because their id was in the duplicate window, of all doors together."
    );
    describe_counter!(DAMAGED_RECORDS, "Damaged records that were skipped.");
    for log in LogName::ALL {
        for name in [COMMIT_SECONDS, COMMIT_RECORDS, COMMIT_BYTES] {
            // This creates the histogram, so that it is exported while it is still empty.
            drop(histogram!(name, "log" => log.as_str()));
        }
    }
    count_duplicates(0);
    count_damaged(0);
}

/// Measures one commit: its records, its bytes on disk and its duration.
pub fn count_commit(log: LogName, record_count: u64, bytes: u64, duration: Duration) {
    let log = log.as_str();
    histogram!(COMMIT_SECONDS, "log" => log).record(duration);
    histogram!(COMMIT_RECORDS, "log" => log).record(to_u32(record_count));
    histogram!(COMMIT_BYTES, "log" => log).record(to_u32(bytes));
}

/// Counts records that were not stored because they are duplicates.
pub fn count_duplicates(count: u64) {
    counter!(DUPLICATES).increment(count);
}

/// Counts damaged records.
pub fn count_damaged(count: u64) {
    counter!(DAMAGED_RECORDS).increment(count);
}

/// Converts a number for a histogram, saturating. Commits are far below the limit.
fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
