//! The promises suite: one test for each guarantee that every backend gives.
//!
//! A promise is a function that tests one guarantee of [`Log`] on any [`Backend`]. The macro
//! `log_promises!` creates the tests of a backend, one for each promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "these are tests"
)]

mod duplicates;
mod handles;
mod histories;
mod reading;
mod storing;
mod trimming;

use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use crate::{
    Appended, Bounds, Clock, FakeClock, Log, LogOptions, NewRecord, Offset, Read, Record, SharedLog,
};

pub use duplicates::*;
pub use handles::{
    TwoHandles, finds_duplicates_of_the_other_handle, shows_changes_of_one_handle_to_the_other,
};
pub use histories::behaves_like_the_model_over_any_history;
pub use reading::*;
pub use storing::*;
pub use trimming::*;

/// A backend under test.
pub trait Backend: Sized {
    /// Creates a new, empty log.
    fn open(options: LogOptions, clock: Arc<dyn Clock>) -> impl Future<Output = Self>;

    /// Closes the log and opens it again with the same content and options.
    fn reopen(self) -> impl Future<Output = Self>;

    /// Returns the log.
    fn log(&self) -> SharedLog;

    /// Returns a second handle of the same log, like the handle of a second server. Returns `None` if
    /// the backend allows only one writer.
    fn second_handle(&self) -> Option<SharedLog>;
}

/// Creates one test per promise for a backend.
#[macro_export]
macro_rules! log_promises {
    ($backend:ty) => {
        $crate::log_promises!(@each $backend:
            behaves_like_the_model_over_any_history
            reads_back_appended_bytes
            reads_back_the_facts_about_a_record
            stores_nothing_when_nothing_is_appended
            rejects_a_record_that_is_too_large
            gives_offsets_without_a_gap_in_the_order_of_the_append
            splits_an_append_that_exceeds_a_block
            reads_the_block_that_contains_an_offset
            reports_a_duplicate_with_the_offset_of_the_first
            forgets_ids_beyond_the_window
            stores_duplicates_when_the_window_is_off
            finds_duplicates_after_a_reopen
            notifies_of_every_change_of_its_bounds
            never_stamps_an_earlier_time
            finds_the_first_block_at_or_after_a_time
            finds_a_record_by_its_id
            returns_when_the_record_at_an_offset_was_appended
            skips_consecutive_unwanted_blocks_in_one_read
            reads_a_wanted_block_whole
            reads_without_a_gap_with_any_want
            trims_blocks_that_are_too_old
            trims_blocks_beyond_the_size_limit
            trims_only_whole_blocks
            does_not_reuse_offsets_after_all_records_were_trimmed
            keeps_all_records_after_a_reopen
            gives_concurrent_appends_distinct_offsets
            shows_changes_of_one_handle_to_the_other
            finds_duplicates_of_the_other_handle
        );
    };
    (@each $backend:ty: $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::promises::run($crate::promises::$promise::<$backend>());
            }
        )*
    };
}

pub use log_promises;

/// Runs one promise on its own runtime.
pub fn run(promise: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(promise);
}

/// Returns a record whose id and bytes contain `number`.
pub fn numbered(number: u64) -> NewRecord {
    let event_type = if number.is_multiple_of(3) {
        "course_created"
    } else {
        "grade_change"
    };
    let id = Uuid::from_u64_pair(7, number);
    NewRecord::new(id, event_type, format!("{{\"number\":{number}}}"))
}

/// Returns all records from `from` on and all damaged ranges.
pub async fn read_all(log: &dyn Log, from: Offset) -> (Vec<Record>, Vec<Range<Offset>>) {
    let (mut records, mut damaged, mut next) = (Vec::new(), Vec::new(), from);
    loop {
        let before = next;
        match log.read(next).await.expect("a read") {
            Read::Block(block) => {
                records.extend(block.records().filter(|record| record.offset >= before));
                next = block.end();
            }
            Read::Damaged(range) => {
                assert!(range.start >= before, "{range:?} begins before {before}");
                next = range.end;
                damaged.push(range);
            }
            Read::End => return (records, damaged),
        }
        assert!(next > before, "a read at {before} must make progress");
    }
}

fn as_appended(record: &Record) -> NewRecord {
    let Record {
        offset: _,
        id,
        event_type,
        occurred_at,
        appended_at,
        provenance,
        arrival,
        bytes,
    } = record.clone();
    NewRecord {
        id,
        event_type,
        // A record without its own time happened when it was appended.
        occurred_at: Some(occurred_at).filter(|time| *time != appended_at),
        provenance,
        arrival,
        bytes,
    }
}

async fn open<B: Backend>(duplicate_window: usize) -> (B, SharedLog, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let options = LogOptions {
        duplicate_window,
        ..LogOptions::default()
    };
    let backend = B::open(options, Arc::<FakeClock>::clone(&clock)).await;
    let log = backend.log();
    (backend, log, clock)
}

async fn append(log: &SharedLog, numbers: impl IntoIterator<Item = u64>) -> Vec<Appended> {
    log.append(numbers.into_iter().map(numbered).collect())
        .await
        .expect("an append")
}

fn stored(offsets: impl IntoIterator<Item = u64>) -> Vec<Appended> {
    offsets
        .into_iter()
        .map(Offset::new)
        .map(Appended::Stored)
        .collect()
}

fn bounds(tail: u64, head: u64) -> Bounds {
    Bounds {
        tail: Offset::new(tail),
        head: Offset::new(head),
    }
}
