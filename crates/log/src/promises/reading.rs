//! What readers find.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Backend, append, as_appended, bounds, numbered, open};
use crate::{Clock, Offset, Read, ReadIf, Want};

/// In log: a read gives the block that holds the offset, else the first one kept.
pub async fn reads_the_block_around_an_offset<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    for numbers in [0..3, 3..6, 6..9] {
        append(&log, numbers).await;
    }
    log.trim_to(Offset::new(3)).await.unwrap();
    for (from, wanted) in [(0, 3), (2, 3), (3, 3), (5, 3), (6, 6), (8, 6)] {
        let Read::Block(block) = log.read(Offset::new(from)).await.unwrap() else {
            panic!("no block at {from}");
        };
        assert_eq!(block.first(), Offset::new(wanted), "from {from}");
    }
    for from in [9, 10, u64::MAX] {
        assert!(
            matches!(log.read(Offset::new(from)).await, Ok(Read::End)),
            "from {from}"
        );
    }
}

/// In log: whoever watches the bounds hears of appends and trims.
pub async fn tells_of_every_change_of_its_bounds<B: Backend>() {
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

/// In log: a time leads to the first block appended then or later.
pub async fn finds_the_first_block_of_a_time<B: Backend>() {
    let (_backend, log, clock) = open::<B>(99).await;
    let start = clock.now();
    for number in 0..5 {
        append(&log, [number * 2, number * 2 + 1]).await;
        append(&log, [number + 50]).await;
        clock.turn(10);
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

/// In log: a record is found by its id as long as it is kept.
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

/// In log: the time of a place is that of the block a read would give.
pub async fn tells_when_the_record_at_a_place_was_appended<B: Backend>() {
    let (_backend, log, clock) = open::<B>(99).await;
    let start = clock.now();
    append(&log, 0..2).await;
    clock.turn(10);
    append(&log, 2..4).await;
    clock.turn(10);
    append(&log, 4..6).await;
    log.trim_to(Offset::new(2)).await.unwrap();
    for (from, seconds) in [(0, 10), (2, 10), (3, 10), (4, 20), (5, 20)] {
        let wanted = start + jiff::SignedDuration::from_secs(seconds);
        let appended_at = log.appended_at(Offset::new(from)).await.unwrap();
        assert_eq!(appended_at, Some(wanted), "from {from}");
    }
    assert_eq!(log.appended_at(Offset::new(6)).await.unwrap(), None);
}

/// Of the records that [`numbered`] makes, each third is of this type.
fn courses() -> Want {
    Want::event_types(|event_type| event_type == "course_created")
}

/// In log: unwanted blocks in a row are skipped in one answer, whatever holds the place.
pub async fn skips_a_run_of_unwanted_blocks_in_one_answer<B: Backend>() {
    let (backend, log, _) = open::<B>(99).await;
    for numbers in [[0, 0], [1, 2], [4, 5], [7, 8], [9, 10], [11, 13]] {
        append(&log, numbers).await;
    }
    // The first one is of one record, since the other is a duplicate.
    log.trim_to(Offset::new(1)).await.unwrap();
    drop(log);
    let backend = backend.reopen().await;
    let log = backend.log();
    for (from, wanted) in [(0, 1..7), (1, 1..7), (2, 2..7), (6, 6..7), (9, 9..11)] {
        let read = log.read_if(Offset::new(from), &courses()).await.unwrap();
        let ReadIf::Skipped(range) = read else {
            panic!("{read:?} from {from}")
        };
        assert_eq!(
            range,
            Offset::new(wanted.start)..Offset::new(wanted.end),
            "from {from}"
        );
    }
    let end = log.read_if(Offset::new(11), &courses()).await.unwrap();
    assert!(matches!(end, ReadIf::End), "{end:?}");
}

/// In log: a block with a wanted record is read as it is, with what is not wanted.
pub async fn reads_a_wanted_block_whole<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    append(&log, [1, 2]).await;
    append(&log, [4, 6, 7]).await;
    for (from, want) in [(2, courses()), (3, courses()), (4, Want::ALL)] {
        let read = log.read_if(Offset::new(from), &want).await.unwrap();
        let ReadIf::Block(block) = read else {
            panic!("{read:?} from {from}")
        };
        assert!(
            block
                .records()
                .map(|it| as_appended(&it))
                .eq([4, 6, 7].map(numbered))
        );
    }
}

/// In log: whoever continues where an answer ended meets every wanted record once.
pub async fn reads_without_a_gap_whatever_is_wanted<B: Backend>() {
    let (_backend, log, _) = open::<B>(999).await;
    for first in (0..300).step_by(3) {
        let numbers = first..first + 1 + first % 2;
        append(&log, numbers).await;
    }
    for every in [1, 2, 7, 1_000] {
        // Courses are wanted from every so many blocks on only: the answer may change any time.
        let turn = Arc::new(AtomicU64::new(1));
        let want =
            Want::event_types(move |_| turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(every));
        let (mut next, head) = (Offset::ZERO, log.bounds().borrow().head);
        while next < head {
            let range = match log.read_if(next, &want).await.unwrap() {
                ReadIf::Block(block) => block.first()..block.next(),
                ReadIf::Skipped(range) => range,
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
