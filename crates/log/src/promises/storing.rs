//! Promises about appends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::{Backend, append, as_appended, bounds, numbered, open, read_all, stored};
use crate::{
    AppendError, Appended, Arrival, Bounds, Clock, NewRecord, Offset, Provenance, Read, Shape,
};

/// Appended records are read back byte for byte.
pub async fn reads_back_appended_bytes<B: Backend>() {
    let (_backend, log, clock) = open::<B>(9).await;
    let unusual = [
        NewRecord {
            bytes: Bytes::new(),
            ..numbered(1)
        },
        NewRecord {
            bytes: Bytes::from_static(b"\xff\0\xfe"),
            event_type: "\"é\\".into(),
            ..numbered(2)
        },
        NewRecord {
            bytes: vec![b'x'; 2 << 20].into(),
            event_type: "".into(),
            ..numbered(3)
        },
        numbered(4),
    ];
    log.append(unusual.to_vec()).await.unwrap();
    let (records, damaged) = read_all(&*log, Offset::ZERO).await;
    assert_eq!(records.iter().map(as_appended).collect::<Vec<_>>(), unusual);
    assert!(
        records
            .iter()
            .all(|record| record.appended_at == clock.now())
    );
    assert_eq!(damaged, []);
}

/// The facts about a record are read back with the record, also after a reopen.
pub async fn reads_back_the_facts_about_a_record<B: Backend>() {
    let (backend, log, clock) = open::<B>(9).await;
    let with_facts = NewRecord {
        occurred_at: Some(Timestamp::constant(-1, -999_999_999)),
        provenance: Arc::new(Provenance {
            root_account_id: Some("21070000000000001".into()),
            root_account_uuid: Some("\"é".into()),
            source: Some("meadow".into()),
            shape: Shape::Caliper,
        }),
        arrival: Some(Arc::new(Arrival {
            message_id: Some("m-1".into()),
            sent_at: Some(Timestamp::constant(1_700_000_000, 123_456_789)),
        })),
        ..numbered(1)
    };
    let written = [numbered(0), with_facts, numbered(2)];
    log.append(written.to_vec()).await.unwrap();
    drop(log);
    let backend = backend.reopen().await;
    let (records, _) = read_all(&*backend.log(), Offset::ZERO).await;
    assert_eq!(records.iter().map(as_appended).collect::<Vec<_>>(), written);
    // A record without its own time happened when it was appended.
    assert_eq!(records[0].occurred_at, clock.now());
}

/// An append without records succeeds and changes nothing.
pub async fn stores_nothing_when_nothing_is_appended<B: Backend>() {
    let (_backend, log, _) = open::<B>(9).await;
    assert_eq!(append(&log, []).await, []);
    assert_eq!(*log.bounds().borrow(), Bounds::default());
    assert!(matches!(log.read(Offset::ZERO).await, Ok(Read::End)));
}

/// A record beyond the size limit is rejected, and the log stays usable.
pub async fn rejects_a_record_that_is_too_large<B: Backend>() {
    let (_backend, log, _) = open::<B>(9).await;
    let bytes = NewRecord::MAX_BYTES + 1;
    let large = NewRecord {
        bytes: vec![0; bytes].into(),
        ..numbered(1)
    };
    let result = log.append(vec![numbered(0), large]).await;
    assert!(matches!(result, Err(AppendError::TooLarge { bytes: found }) if found == bytes));
    assert_eq!(append(&log, [0]).await, stored([0]));
}

/// Offsets rise by one, in the order of the records of an append.
pub async fn gives_offsets_without_a_gap_in_the_order_of_the_append<B: Backend>() {
    let (_backend, log, _) = open::<B>(99).await;
    assert_eq!(append(&log, 0..3).await, stored(0..3));
    assert_eq!(append(&log, 3..4).await, stored(3..4));
    assert_eq!(append(&log, 4..9).await, stored(4..9));
    let (records, _) = read_all(&*log, Offset::ZERO).await;
    for (number, record) in (0..9).zip(&records) {
        assert_eq!(
            (record.offset, as_appended(record)),
            (Offset::new(number), numbered(number))
        );
    }
    assert_eq!(records.len(), 9);
}

/// An append larger than a block becomes several blocks, complete and in order.
pub async fn splits_an_append_that_exceeds_a_block<B: Backend>() {
    let (_backend, log, _) = open::<B>(9_999).await;
    append(&log, 0..5_000).await;
    let mut lengths = Vec::new();
    let mut from = Offset::ZERO;
    while let Read::Block(block) = log.read(from).await.unwrap() {
        lengths.push(block.len());
        from = block.end();
    }
    assert_eq!(lengths, [4_096, 904]);
    let (records, _) = read_all(&*log, Offset::ZERO).await;
    assert!(records.iter().map(as_appended).eq((0..5_000).map(numbered)));
}

/// Commit times never decrease, even if the clock is set back, and also after a reopen.
pub async fn never_stamps_an_earlier_time<B: Backend>() {
    let (backend, log, clock) = open::<B>(9).await;
    let first_time = clock.now();
    append(&log, [0]).await;
    clock.set(clock.now() - SignedDuration::from_secs(60));
    append(&log, [1]).await;
    drop(log);
    let backend = backend.reopen().await;
    let log = backend.log();
    append(&log, [2]).await;
    clock.advance(Duration::from_secs(61));
    append(&log, [3]).await;
    let (records, _) = read_all(&*log, Offset::ZERO).await;
    let times: Vec<Timestamp> = records.iter().map(|record| record.appended_at).collect();
    assert_eq!(times, [first_time, first_time, first_time, clock.now()]);
}

/// Acknowledged records survive a reopen.
pub async fn keeps_all_records_after_a_reopen<B: Backend>() {
    let (mut backend, log, _) = open::<B>(99).await;
    drop(log);
    for number in 0..4 {
        append(&backend.log(), [number * 2, number * 2 + 1]).await;
        let stats = backend.log().stats();
        backend = backend.reopen().await;
        assert_eq!(backend.log().stats(), stats);
        assert_eq!(*backend.log().bounds().borrow(), bounds(0, number * 2 + 2));
    }
    let (records, _) = read_all(&*backend.log(), Offset::ZERO).await;
    assert!(records.iter().map(as_appended).eq((0..8).map(numbered)));
}

/// Concurrent appends get distinct offsets, even if they share a commit.
pub async fn gives_concurrent_appends_distinct_offsets<B: Backend>() {
    const TASKS: u64 = 16;
    const APPENDS_PER_TASK: u64 = 60;
    let (_backend, log, _) = open::<B>(99_999).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let mut written = Vec::new();
            for index_of_append in 0..APPENDS_PER_TASK {
                let numbers: Vec<u64> = (0..=index_of_append % 3)
                    .map(|index| (task * APPENDS_PER_TASK + index_of_append) * 3 + index)
                    .collect();
                let appended = append(&log, numbers.iter().copied()).await;
                for (number, appended) in numbers.into_iter().zip(appended) {
                    let Appended::Stored(offset) = appended else {
                        panic!("{appended:?}")
                    };
                    let Read::Block(block) = log.read(offset).await.unwrap() else {
                        panic!("no block")
                    };
                    assert_eq!(
                        as_appended(&block.record(offset).unwrap()),
                        numbered(number)
                    );
                    written.push(offset);
                }
            }
            assert!(written.is_sorted(), "offsets of one task must rise");
            written
        });
    }
    let mut offsets: Vec<Offset> = tasks.join_all().await.concat();
    offsets.sort_unstable();
    assert!(
        offsets
            .iter()
            .copied()
            .eq((0..TASKS * APPENDS_PER_TASK * 2).map(Offset::new))
    );
}
