//! The names of what the log measures.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::LogName;

const COMMIT_SECONDS: &str = "easel_log_commit_seconds";
const COMMIT_RECORDS: &str = "easel_log_commit_records";
const COMMIT_BYTES: &str = "easel_log_commit_bytes";
const DUPLICATES: &str = "easel_log_duplicates_total";
const DAMAGED_RECORDS: &str = "easel_log_damaged_records_total";

/// Says what each of them means, and has each begin at 0; to say it again changes nothing.
pub fn describe() {
    describe_histogram!(COMMIT_SECONDS, "Time a commit took, by log.");
    describe_histogram!(COMMIT_RECORDS, "Records of a commit, by log.");
    describe_histogram!(COMMIT_BYTES, "Bytes a commit stored, by log.");
    describe_counter!(
        DUPLICATES,
        "Records not stored because their id was known already."
    );
    describe_counter!(DAMAGED_RECORDS, "Records found damaged and skipped.");
    for log in LogName::ALL {
        for name in [COMMIT_SECONDS, COMMIT_RECORDS, COMMIT_BYTES] {
            // A histogram that is named once is shown, with nothing in it.
            drop(histogram!(name, "log" => log.as_str()));
        }
    }
    duplicates(0);
    damaged(0);
}

/// Notes one commit: its records, its bytes on disk, and the time it took.
pub fn committed(log: LogName, record_count: u64, bytes: u64, took: Duration) {
    let log = log.as_str();
    histogram!(COMMIT_SECONDS, "log" => log).record(took);
    histogram!(COMMIT_RECORDS, "log" => log).record(measure(record_count));
    histogram!(COMMIT_BYTES, "log" => log).record(measure(bytes));
}

/// Notes records that were not stored because they were known already.
pub fn duplicates(count: u64) {
    counter!(DUPLICATES).increment(count);
}

/// Notes records found unreadable.
pub fn damaged(count: u64) {
    counter!(DAMAGED_RECORDS).increment(count);
}

/// A number as histograms take it; a commit is far from the bound.
fn measure(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
