//! Promises about reads and searches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Backend, append, as_appended, bounds, numbered, open};
use crate::{Clock, Offset, Read, Want, WantedRead};

/// A read returns the block that contains the offset, else the first block after it.
pub async fn reads_the_block_that_contains_an_offset<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    for numbers in [0..3, 3..6, 6..9] {
        append(&log, numbers).await;
    }
    log.trim_to(Offset::new(3)).await.unwrap();
    for (from, wanted) in [(0, 3), (2, 3), (3, 3), (5, 3), (6, 6), (8, 6)] {
        let Read::Block(block) = log.read(Offset::new(from)).await.unwrap() else {
            panic!("no block at {from}");
        };
        assert_eq!(block.start(), Offset::new(wanted), "from {from}");
    }
    for from in [9, 10, u64::MAX] {
        assert!(
            matches!(log.read(Offset::new(from)).await, Ok(Read::End)),
            "from {from}"
        );
    }
}

/// The watch on the bounds notifies of appends and trims.
pub async fn notifies_of_every_change_of_its_bounds<B: Backend>() {
    let (_backend, log, _) = open::<B>(9).await;
    let mut watch = log.bounds();
    assert_eq!(*watch.borrow_and_update(), bounds(0, 0));
    append(&log, [0, 1]).await;
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), bounds(0, 2));
    log.trim_to(Offset::new(2)).await.unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), bounds(2, 2));
}

/// A search by time returns the first block that was appended at that time or later.
pub async fn finds_the_first_block_at_or_after_a_time<B: Backend>() {
    let (_backend, log, clock) = open::<B>(99).await;
    let start = clock.now();
    for number in 0..5 {
        append(&log, [number * 2, number * 2 + 1]).await;
        append(&log, [number + 50]).await;
        clock.advance(Duration::from_secs(10));
    }
    log.trim_to(Offset::new(3)).await.unwrap();
    let at = |seconds| start + jiff::SignedDuration::from_secs(seconds);
    for (seconds, wanted) in [
        (-1, 3),
        (0, 3),
        (9, 3),
        (10, 3),
        (11, 6),
        (20, 6),
        (40, 12),
        (41, 15),
    ] {
        let found = log.find_time(at(seconds)).await.unwrap();
        assert_eq!(found, Offset::new(wanted), "after {seconds} s");
    }
}

/// A record is found by its id until it is trimmed.
pub async fn finds_a_record_by_its_id<B: Backend>() {
    let (_backend, log, _) = open::<B>(1).await;
    append(&log, 0..3).await;
    append(&log, 3..6).await;
    for number in 0..6 {
        let found = log
            .find_id(numbered(number).id)
            .await
            .unwrap()
            .expect("a record");
        assert_eq!(
            (found.offset, as_appended(&found)),
            (Offset::new(number), numbered(number))
        );
    }
    assert_eq!(log.find_id(numbered(6).id).await.unwrap(), None);
    log.trim_to(Offset::new(3)).await.unwrap();
    assert_eq!(log.find_id(numbered(2).id).await.unwrap(), None);
}

/// The time of an offset is the commit time of the block that a read would return.
pub async fn returns_when_the_record_at_an_offset_was_appended<B: Backend>() {
    let (_backend, log, clock) = open::<B>(99).await;
    let start = clock.now();
    append(&log, 0..2).await;
    clock.advance(Duration::from_secs(10));
    append(&log, 2..4).await;
    clock.advance(Duration::from_secs(10));
    append(&log, 4..6).await;
    log.trim_to(Offset::new(2)).await.unwrap();
    for (from, seconds) in [(0, 10), (2, 10), (3, 10), (4, 20), (5, 20)] {
        let wanted = start + jiff::SignedDuration::from_secs(seconds);
        let appended_at = log.appended_at(Offset::new(from)).await.unwrap();
        assert_eq!(appended_at, Some(wanted), "from {from}");
    }
    assert_eq!(log.appended_at(Offset::new(6)).await.unwrap(), None);
}

/// Returns a want for the event type that every third record of [`numbered`] has.
fn courses() -> Want {
    Want::event_types(|event_type| event_type == "course_created")
}

/// One read skips all consecutive unwanted blocks, also if it starts in the middle of a block.
pub async fn skips_consecutive_unwanted_blocks_in_one_read<B: Backend>() {
    let (backend, log, _) = open::<B>(99).await;
    for numbers in [[0, 0], [1, 2], [4, 5], [7, 8], [9, 10], [11, 13]] {
        append(&log, numbers).await;
    }
    // The first block has one record, because the other is a duplicate.
    log.trim_to(Offset::new(1)).await.unwrap();
    drop(log);
    let backend = backend.reopen().await;
    let log = backend.log();
    for (from, wanted) in [(0, 1..7), (1, 1..7), (2, 2..7), (6, 6..7), (9, 9..11)] {
        let read = log
            .read_wanted(Offset::new(from), &courses())
            .await
            .unwrap();
        let WantedRead::Skipped(range) = read else {
            panic!("{read:?} from {from}")
        };
        assert_eq!(
            range,
            Offset::new(wanted.start)..Offset::new(wanted.end),
            "from {from}"
        );
    }
    let end = log.read_wanted(Offset::new(11), &courses()).await.unwrap();
    assert!(matches!(end, WantedRead::End), "{end:?}");
}

/// A block with a wanted record is read with its unwanted records too.
pub async fn reads_a_wanted_block_whole<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    append(&log, [1, 2]).await;
    append(&log, [4, 6, 7]).await;
    for (from, want) in [(2, courses()), (3, courses()), (4, Want::ALL)] {
        let read = log.read_wanted(Offset::new(from), &want).await.unwrap();
        let WantedRead::Block(block) = read else {
            panic!("{read:?} from {from}")
        };
        assert!(
            block
                .records()
                .map(|record| as_appended(&record))
                .eq([4, 6, 7].map(numbered))
        );
    }
}

/// A reader that continues at the end of each result gets every wanted record once.
pub async fn reads_without_a_gap_with_any_want<B: Backend>() {
    let (_backend, log, _) = open::<B>(999).await;
    for first in (0..300).step_by(3) {
        let numbers = first..first + 1 + first % 2;
        append(&log, numbers).await;
    }
    for interval in [1, 2, 7, 1_000] {
        // The answer of a want may change at any time. Only one of `interval` calls returns true.
        let call_number = Arc::new(AtomicU64::new(1));
        let want = Want::event_types(move |_| {
            let number = call_number.fetch_add(1, Ordering::Relaxed);
            number.is_multiple_of(interval)
        });
        let (mut next, head) = (Offset::ZERO, log.bounds().borrow().head);
        while next < head {
            let range = match log.read_wanted(next, &want).await.unwrap() {
                WantedRead::Block(block) => block.start()..block.end(),
                WantedRead::Skipped(range) => range,
                other => panic!("{other:?} at {next}"),
            };
            assert!(
                range.start == next && range.end > next,
                "{range:?} at {next}"
            );
            next = range.end;
        }
        assert_eq!(next, head);
    }
}
