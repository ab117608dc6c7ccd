//! What any backend promises, one test each.
//!
//! A backend says by [`Backend`] how it is opened and opened again, and `log_promises!` makes every
//! promise a test of its own name.

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
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Appended, Bounds, Clock, Log, LogOptions, NewRecord, Offset, Read, Record, SharedLog};

pub use duplicates::*;
pub use handles::{
    TwoHandles, knows_duplicates_of_the_other_handle, shows_what_one_handle_does_to_the_other,
};
pub use histories::keeps_to_the_model_over_any_history;
pub use reading::*;
pub use storing::*;
pub use trimming::*;

/// A backend under test.
pub trait Backend: Sized {
    /// Opens a new, empty log.
    fn open(options: LogOptions, clock: Arc<dyn Clock>) -> impl Future<Output = Self>;

    /// Closes the log and opens it again as it is, with the same options.
    fn reopen(self) -> impl Future<Output = Self>;

    /// The log.
    fn log(&self) -> SharedLog;

    /// A second handle of the same log, as a second server would have one; `None` where the backend
    /// allows only one writer.
    fn second_handle(&self) -> Option<SharedLog>;
}

/// A clock that shows what it was set to, at first 2025-03-03T08:00:00Z.
#[derive(Debug)]
pub struct HandClock(Mutex<Timestamp>);

impl Default for HandClock {
    fn default() -> Self {
        Self(Mutex::new(Timestamp::constant(1_740_988_800, 0)))
    }
}

impl HandClock {
    /// Moves it by so many seconds, back if there are less than none.
    pub fn turn(&self, seconds: i64) {
        *self.0.lock().unwrap() += jiff::SignedDuration::from_secs(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Makes every promise a test of its own for a backend.
#[macro_export]
macro_rules! log_promises {
    ($backend:ty) => {
        $crate::log_promises!(@each $backend:
            keeps_to_the_model_over_any_history
            reads_back_what_was_appended
            reads_back_what_is_known_of_a_record
            stores_nothing_when_nothing_is_appended
            refuses_a_record_that_is_too_large
            gives_offsets_without_a_gap_in_the_order_of_the_append
            splits_what_is_too_much_for_a_block
            reads_the_block_around_an_offset
            reports_a_duplicate_with_the_place_of_the_first
            forgets_ids_beyond_the_window
            stores_duplicates_when_the_window_is_off
            knows_duplicates_after_it_was_opened_again
            tells_of_every_change_of_its_bounds
            never_stamps_an_earlier_time
            finds_the_first_block_of_a_time
            finds_a_record_by_its_id
            tells_when_the_record_at_a_place_was_appended
            skips_a_run_of_unwanted_blocks_in_one_answer
            reads_a_wanted_block_whole
            reads_without_a_gap_whatever_is_wanted
            trims_what_is_too_old
            trims_what_is_too_much
            trims_only_whole_blocks
            does_not_use_offsets_again_after_everything_was_trimmed
            keeps_everything_when_opened_again
            gives_concurrent_appends_offsets_of_their_own
            shows_what_one_handle_does_to_the_other
            knows_duplicates_of_the_other_handle
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

/// Runs one promise on a runtime of its own.
pub fn run(promise: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(promise);
}

/// A record with an id made of `number`.
pub fn numbered(number: u64) -> NewRecord {
    let event_type = if number.is_multiple_of(3) {
        "course_created"
    } else {
        "grade_change"
    };
    let id = Uuid::from_u64_pair(7, number);
    NewRecord::new(id, event_type, format!("{{\"number\":{number}}}"))
}

/// Everything from `from` on, block by block, and what is damaged. A block counts from `from` on.
pub async fn read_all(log: &dyn Log, from: Offset) -> (Vec<Record>, Vec<Range<Offset>>) {
    let (mut records, mut damaged, mut next) = (Vec::new(), Vec::new(), from);
    loop {
        let before = next;
        match log.read(next).await.expect("a read") {
            Read::Block(block) => {
                records.extend(block.records().filter(|record| record.offset >= before));
                next = block.next();
            }
            Read::Damaged(range) => {
                assert!(range.start >= before, "{range:?} begins before {before}");
                next = range.end;
                damaged.push(range);
            }
            Read::End => return (records, damaged),
        }
        assert!(next > before, "a read at {before} must lead on");
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
        // What has no time of its own happened when it was appended.
        occurred_at: Some(occurred_at).filter(|time| *time != appended_at),
        provenance,
        arrival,
        bytes,
    }
}

async fn open<B: Backend>(duplicate_window: usize) -> (B, SharedLog, Arc<HandClock>) {
    let clock = Arc::new(HandClock::default());
    let options = LogOptions {
        duplicate_window,
        ..LogOptions::default()
    };
    let backend = B::open(options, Arc::<HandClock>::clone(&clock)).await;
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
        .map(|it| Appended::Stored(Offset::new(it)))
        .collect()
}

fn bounds(tail: u64, head: u64) -> Bounds {
    Bounds {
        tail: Offset::new(tail),
        head: Offset::new(head),
    }
}
