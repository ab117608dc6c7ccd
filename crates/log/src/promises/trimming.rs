//! Promises about trimming.

use std::time::Duration;

use super::{Backend, append, bounds, open, read_all, stored};
use crate::{Clock, Offset, Read, Retention};

/// A trim drops the blocks that are older than the retention allows. The other blocks stay.
pub async fn trims_blocks_that_are_too_old<B: Backend>() {
    let (_backend, log, clock) = open::<B>(99).await;
    for number in 0..4 {
        append(&log, [number]).await;
        clock.advance(Duration::from_secs(10));
    }
    let retention = Retention {
        max_age: Some(Duration::from_secs(20)),
        max_bytes: None,
    };
    let trimmed = log.trim(retention, clock.now()).await.unwrap();
    assert_eq!((trimmed.record_count, trimmed.tail), (2, Offset::new(2)));
    assert_eq!(*log.bounds().borrow(), bounds(2, 4));
    let unlimited = log.trim(Retention::default(), clock.now()).await.unwrap();
    assert_eq!(
        (unlimited.record_count, unlimited.tail),
        (0, Offset::new(2))
    );
}

/// A trim drops the oldest blocks until the rest fits the size limit.
pub async fn trims_blocks_beyond_the_size_limit<B: Backend>() {
    let (_backend, log, clock) = open::<B>(99).await;
    append(&log, [0]).await;
    let block_bytes = log.stats().stored_bytes;
    for number in 1..9 {
        append(&log, [number]).await;
    }
    let max_bytes = block_bytes * 3 + block_bytes / 2;
    let retention = Retention {
        max_age: None,
        max_bytes: Some(max_bytes),
    };
    let trimmed = log.trim(retention, clock.now()).await.unwrap();
    let left_count = read_all(&*log, Offset::ZERO).await.0.len() as u64;
    assert!(
        (2..=4).contains(&left_count),
        "{left_count} records are left"
    );
    assert_eq!(
        (trimmed.record_count, trimmed.tail),
        (9 - left_count, Offset::new(9 - left_count))
    );
    assert!(log.stats().stored_bytes <= max_bytes);
    let retention = Retention {
        max_age: None,
        max_bytes: Some(0),
    };
    assert_eq!(
        log.trim(retention, clock.now()).await.unwrap().record_count,
        left_count
    );
    assert_eq!(log.stats().stored_bytes, 0);
}

/// A block that ends after the offset of the trim stays whole.
pub async fn trims_only_whole_blocks<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    append(&log, 0..3).await;
    append(&log, 3..6).await;
    for (up_to, dropped, tail) in [(2, 0, 0), (5, 3, 3), (0, 0, 3), (u64::MAX, 3, 6)] {
        let trimmed = log.trim_to(Offset::new(up_to)).await.unwrap();
        assert_eq!(
            (trimmed.record_count, trimmed.tail),
            (dropped, Offset::new(tail)),
            "up to {up_to}"
        );
    }
}

/// Offsets are never reused, even if the log is empty after a reopen.
pub async fn does_not_reuse_offsets_after_all_records_were_trimmed<B: Backend>() {
    let (backend, log, _) = open::<B>(99).await;
    append(&log, 0..3).await;
    log.trim_to(Offset::new(3)).await.unwrap();
    drop(log);
    let backend = backend.reopen().await;
    let log = backend.log();
    assert_eq!(*log.bounds().borrow(), bounds(3, 3));
    assert!(matches!(log.read(Offset::ZERO).await, Ok(Read::End)));
    assert_eq!(append(&log, 0..1).await, stored([3]));
}
