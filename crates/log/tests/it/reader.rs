//! Tests of the results of a reader and of its waiting.

use std::ops::Range;

use easel_log::{Found, Log, Offset, Reader, Want};
use futures::FutureExt;
use proptest::prelude::*;
use tokio::time::Instant;

use crate::logs::{append, failing_log, range, shared};

/// Returns the kind of a result and its offsets.
fn described(found: &Found) -> (&'static str, Range<Offset>) {
    let word = match found {
        Found::Block { .. } => "block",
        Found::Skipped(_) => "skipped",
        Found::Trimmed(_) => "trimmed",
        Found::Damaged(_) => "damaged",
    };
    (word, found.range())
}

async fn next(reader: &mut Reader) -> (&'static str, Range<Offset>) {
    described(&reader.next().await.unwrap().expect("the log is open"))
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_at_the_head_for_the_next_append() {
    let log = failing_log();
    append(&log, "ab").await;
    let mut reader = Reader::new(shared(&log), Offset::ZERO);
    assert_eq!(next(&mut reader).await, ("block", range(0..2)));
    assert!(reader.try_next().await.unwrap().is_none());
    assert!(
        reader.next().now_or_never().is_none(),
        "the reader must wait"
    );
    let before = Instant::now();
    let (found, ()) = tokio::join!(reader.next(), append(&log, "c"));
    assert_eq!(described(&found.unwrap().unwrap()), ("block", range(2..3)));
    assert_eq!(before.elapsed(), std::time::Duration::ZERO);
    assert_eq!(reader.position(), Offset::new(3));
}

#[tokio::test]
async fn a_reader_can_start_in_the_middle_of_a_block() {
    let log = failing_log();
    append(&log, "abc").await;
    let mut reader = Reader::new(shared(&log), Offset::new(1));
    let Some(Found::Block { block, from }) = reader.next().await.unwrap() else {
        panic!("no block")
    };
    assert_eq!((block.start(), from), (Offset::ZERO, Offset::new(1)));
    let bytes: Vec<_> = block
        .records_from(from)
        .map(|record| record.bytes)
        .collect();
    assert_eq!(bytes, ["1", "2"]);
}

#[tokio::test]
async fn a_trimmed_range_is_reported_before_what_follows() {
    let log = failing_log();
    for event_types in ["ab", "cd", "ef"] {
        append(&log, event_types).await;
    }
    let mut reader = Reader::new(shared(&log), Offset::new(1));
    log.trim_to(Offset::new(4)).await.unwrap();
    assert_eq!(next(&mut reader).await, ("trimmed", range(1..4)));
    assert_eq!(next(&mut reader).await, ("block", range(4..6)));
    // A trimmed range is also reported if the log is empty and no append follows.
    reader.seek(Offset::new(3));
    log.trim_to(Offset::new(6)).await.unwrap();
    assert_eq!(next(&mut reader).await, ("trimmed", range(3..6)));
    assert!(reader.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_trim_past_a_waiting_reader_wakes_the_reader() {
    let log = failing_log();
    append(&log, "ab").await;
    let mut reader = Reader::new(shared(&log), Offset::ZERO);
    assert_eq!(next(&mut reader).await, ("block", range(0..2)));
    assert!(reader.next().now_or_never().is_none());
    append(&log, "cd").await;
    log.trim_to(Offset::new(4)).await.unwrap();
    assert_eq!(next(&mut reader).await, ("trimmed", range(2..4)));
}

#[tokio::test]
async fn damage_is_reported_and_skipped() {
    let log = failing_log();
    for event_types in ["ab", "cd", "ef", "gh"] {
        append(&log, event_types).await;
    }
    log.damage(range(2..6));
    let mut reader = Reader::new(shared(&log), Offset::ZERO);
    assert_eq!(next(&mut reader).await, ("block", range(0..2)));
    assert_eq!(next(&mut reader).await, ("damaged", range(2..6)));
    assert_eq!(next(&mut reader).await, ("block", range(6..8)));
}

#[tokio::test]
async fn unwanted_blocks_are_skipped_up_to_damage() {
    let log = failing_log();
    for event_types in ["ab", "b", "bc", "b", "bb", "ca"] {
        append(&log, event_types).await;
    }
    log.damage(range(5..6));
    let want = Want::event_types(|event_type| event_type == "a");
    let mut reader = Reader::new(shared(&log), Offset::ZERO).wanting(want);
    for wanted in [
        ("block", range(0..2)),
        ("skipped", range(2..5)),
        ("damaged", range(5..6)),
        ("skipped", range(6..8)),
        ("block", range(8..10)),
    ] {
        assert_eq!(next(&mut reader).await, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_is_reported_and_retried_after_a_pause() {
    let log = failing_log();
    append(&log, "ab").await;
    let mut reader = Reader::new(shared(&log), Offset::ZERO);
    log.fail_reads(true);
    let started = Instant::now();
    let error = reader.next().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(started.elapsed(), std::time::Duration::ZERO);
    // A cancelled wait does not shorten the pause.
    assert!(reader.next().now_or_never().is_none());
    assert!(reader.next().await.is_err());
    assert_eq!(started.elapsed(), Reader::PAUSE);
    log.fail_reads(false);
    assert_eq!(next(&mut reader).await, ("block", range(0..2)));
    assert_eq!(started.elapsed(), Reader::PAUSE * 2);
}

#[tokio::test(start_paused = true)]
async fn try_next_does_not_pause_after_a_failed_read() {
    let log = failing_log();
    append(&log, "ab").await;
    let mut reader = Reader::new(shared(&log), Offset::ZERO);
    log.fail_reads(true);
    let started = Instant::now();
    assert!(reader.try_next().await.is_err());
    assert!(reader.try_next().await.is_err());
    log.fail_reads(false);
    assert!(reader.try_next().await.unwrap().is_some());
    assert_eq!(started.elapsed(), std::time::Duration::ZERO);
}

#[derive(Clone, Debug)]
enum Step {
    Append(String),
    TrimTo(u64),
    Read,
    /// Calls `next` once and cancels it if it would wait.
    Next,
    Seek(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => "[abc]{1,4}".prop_map(Step::Append),
        1 => (0..=10_u64).prop_map(Step::TrimTo),
        3 => Just(Step::Read),
        2 => Just(Step::Next),
        1 => (0..=12_u64).prop_map(Step::Seek),
    ]
}

/// Returns the event types of these records.
fn letters(all: &str, range: &Range<Offset>) -> String {
    let offsets = (0_u64..).map(Offset::new);
    let letters = offsets.zip(all.chars());
    let inside = letters.filter(|(offset, _)| range.contains(offset));
    inside.map(|(_, letter)| letter).collect()
}

proptest! {
    /// Each result starts where the previous one ended, and matches the log.
    #[test]
    fn results_cover_the_log_without_a_gap(steps in prop::collection::vec(step(), 1..40), want in "[abc]?") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let log = failing_log();
            let wanted: Option<String> = Some(want).filter(|letter| !letter.is_empty());
            let want = wanted.clone().map_or(Want::ALL, |letter| Want::event_types(move |name| name == letter));
            let mut reader = Reader::new(shared(&log), Offset::ZERO).wanting(want);
            let mut all = String::new();
            for step in steps {
                let at = |tenths: u64| Offset::new(all.len() as u64 * tenths / 10);
                let before = reader.position();
                let found = match step {
                    Step::Append(event_types) => {
                        append(&log, &event_types).await;
                        all.push_str(&event_types);
                        continue;
                    }
                    Step::TrimTo(tenths) => {
                        log.trim_to(at(tenths)).await.unwrap();
                        continue;
                    }
                    Step::Seek(tenths) => {
                        reader.seek(at(tenths));
                        continue;
                    }
                    Step::Read => reader.try_next().await.unwrap(),
                    Step::Next => reader.next().now_or_never().and_then(|found| found.unwrap()),
                };
                let tail = log.bounds().borrow().tail;
                let Some(found) = found else {
                    assert_eq!(reader.position(), before);
                    assert!(before.get() >= all.len() as u64 && before >= tail);
                    continue;
                };
                let range = found.range();
                assert!(range.start == before && range.end > before, "{range:?} at {before}");
                assert_eq!(reader.position(), range.end);
                match &found {
                    Found::Trimmed(range) => assert!(range.end <= tail),
                    Found::Damaged(range) => panic!("{range:?}"),
                    Found::Skipped(range) => {
                        let skipped = letters(&all, range);
                        assert!(wanted.as_ref().is_some_and(|letter| !skipped.contains(letter)));
                    }
                    Found::Block { block, from } => {
                        let types: String = block.records_from(*from).map(|record| record.event_type.to_string()).collect();
                        assert_eq!(types, letters(&all, &range));
                    }
                }
            }
        });
    }
}
