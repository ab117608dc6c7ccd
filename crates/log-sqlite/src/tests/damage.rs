//! Tests of damaged files: damaged records are skipped and counted, all others are served.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use easel_log::promises::run;
use easel_log::{Appended, Read, TrimError, Trimmed, Want, WantedRead};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;

use super::*;

const RECORDS: u64 = 600;
const RECORDS_PER_APPEND: u64 = 3;
const PAGE_BYTES: usize = 4_096;
const PAGE_HEADER_BYTES: usize = 12;
/// The first byte of a leaf page, which does not point to other pages of the tree.
const LEAF: u8 = 13;
/// The first byte of an overflow page, which does not point to other pages of the tree either.
const OVERFLOW: u8 = 0;

/// Writes a log of many blocks, with an empty WAL.
async fn write_log(path: &Path) {
    let log = open(path);
    for first in (0..RECORDS).step_by(3) {
        log.append(
            (first..first + RECORDS_PER_APPEND)
                .map(long_record)
                .collect(),
        )
        .await
        .unwrap();
    }
    log.close().await;
}

/// Returns a record with incompressible bytes. Some records exceed a page.
fn long_record(number: u64) -> NewRecord {
    let mut bytes = vec![
        0;
        if number.is_multiple_of(30) {
            9_000
        } else {
            300
        }
    ];
    let mut hash = blake3::Hasher::new();
    hash.update(&number.to_le_bytes());
    hash.finalize_xof().fill(&mut bytes);
    NewRecord {
        bytes: bytes.into(),
        ..numbered(number)
    }
}

/// Works like [`check_records`], and compares the ranges with the count of damaged records.
async fn check(log: &SqliteLog) -> Vec<std::ops::Range<Offset>> {
    let damaged = check_records(log).await;
    let lost: u64 = damaged
        .iter()
        .map(|range| range.end.since(range.start))
        .sum();
    assert_eq!(log.stats().damaged_count, lost);
    damaged
}

/// Merges adjacent ranges. If damage hides headers, earlier reads decide how a damaged range is
/// split into results.
fn merged(ranges: Vec<std::ops::Range<Offset>>) -> Vec<std::ops::Range<Offset>> {
    let mut merged: Vec<std::ops::Range<Offset>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => {
                last.end = std::cmp::max(last.end, range.end);
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// Checks that every record is served unchanged or is in a damaged range. Returns these ranges.
async fn check_records(log: &SqliteLog) -> Vec<std::ops::Range<Offset>> {
    let bounds = *log.bounds().borrow();
    let (records, damaged) = read_all(log, Offset::ZERO).await;
    let mut served = records.iter().peekable();
    for number in bounds.tail.get()..bounds.head.get() {
        let offset = Offset::new(number);
        let is_damaged = damaged.iter().any(|range| range.contains(&offset));
        match served.next_if(|record| record.offset == offset) {
            Some(record) => {
                let wanted = long_record(number);
                assert!(!is_damaged, "{offset} is served and damaged");
                assert_eq!(
                    (record.id, &record.event_type, &record.bytes),
                    (wanted.id, &wanted.event_type, &wanted.bytes)
                );
            }
            None => assert!(is_damaged, "{offset} is neither served nor damaged"),
        }
    }
    assert_eq!(served.next(), None);
    damaged
}

/// Trims and appends, which damage may prevent, and returns the result of the trim. Checks that
/// acknowledged changes are visible, also after a reopen.
async fn check_writes(path: &Path, log: SqliteLog) -> Result<Trimmed, TrimError> {
    let before = *log.bounds().borrow();
    let trimmed = log.trim_to(Offset::new(RECORDS / 3)).await;
    assert!(!log.stats().refusing, "{trimmed:?}");
    match &trimmed {
        Ok(trimmed) => assert!(trimmed.tail.get() <= RECORDS / 3, "{trimmed:?}"),
        // A long trim is made in steps. The steps before the damage stay in force.
        Err(TrimError::Damaged { .. }) => {
            let after = *log.bounds().borrow();
            assert_eq!(after.head, before.head);
            assert!(
                (before.tail.get()..=RECORDS / 3).contains(&after.tail.get()),
                "{after:?}"
            );
        }
        Err(error) => panic!("{error}"),
    }
    check_records(&log).await;
    let appended = log
        .append(
            (RECORDS..RECORDS + RECORDS_PER_APPEND)
                .map(long_record)
                .collect(),
        )
        .await;
    assert_eq!(log.stats().refusing, appended.is_err(), "{appended:?}");
    check_records(&log).await;
    let bounds = *log.bounds().borrow();
    assert_eq!(
        bounds.head.since(before.head),
        if appended.is_ok() {
            RECORDS_PER_APPEND
        } else {
            0
        }
    );
    drop(log);
    if let Ok(log) = try_open(path) {
        assert_eq!(*log.bounds().borrow(), bounds);
        check(&log).await;
    }
    trimmed
}

#[test]
fn a_flipped_byte_changes_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    run(write_log(&path));
    let good = std::fs::read(&path).unwrap();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let served_with_damage = AtomicU64::new(0);
    let in_page_headers = (1..good.len() / PAGE_BYTES, 0..PAGE_HEADER_BYTES)
        .prop_map(|(page, place)| page * PAGE_BYTES + place);
    let places = prop_oneof![3 => 100..good.len(), 1 => in_page_headers];
    let result = TestRunner::new(config).run(&(places, 1_u8..), |(place, flip)| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let mut bytes = good.clone();
        bytes[place] ^= flip;
        std::fs::write(&path, bytes).unwrap();
        // The file may be rejected, if the byte is in its header.
        if let Ok(log) = try_open(&path) {
            run(async {
                let damaged = merged(check(&log).await);
                // Damage in a leaf hides at most one page of headers.
                let is_inner = !matches!(good[place / PAGE_BYTES * PAGE_BYTES], LEAF | OVERFLOW);
                assert!(is_inner || log.stats().damaged_count <= RECORDS / 4);
                served_with_damage.fetch_add(u64::from(!damaged.is_empty()), Ordering::Relaxed);
                // Damage that is found again is not counted again, wherever the read starts.
                for range in &damaged {
                    let middle = range.start.plus(range.end.since(range.start) / 2);
                    let Read::Damaged(rest) = log.read(middle).await.unwrap() else {
                        panic!("{range:?}")
                    };
                    assert_eq!(rest.start, middle);
                    assert!(
                        rest.end > middle && rest.end <= range.end,
                        "{rest:?} {range:?}"
                    );
                    let unwanting = Want::event_types(|_| false);
                    match log.read_wanted(middle, &unwanting).await.unwrap() {
                        WantedRead::Damaged(rest) | WantedRead::Skipped(rest) => {
                            assert!(rest.start == middle && rest.end > middle, "{rest:?}");
                        }
                        other => panic!("{other:?}"),
                    }
                    assert!(log.appended_at(middle).await.unwrap().is_some());
                }
                assert_eq!(merged(check(&log).await), damaged);
                drop(check_writes(&path, log).await);
            });
        }
        Ok(())
    });
    result.unwrap();
    assert!(
        served_with_damage.into_inner() > 0,
        "some flips must hit records"
    );
}

#[test]
fn a_truncated_file_changes_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    run(write_log(&path));
    let good = std::fs::read(&path).unwrap();
    for length in (1..40).map(|part| good.len() * part / 40) {
        std::fs::write(&path, &good[..length]).unwrap();
        match try_open(&path) {
            Ok(log) => run(async { drop(check(&log).await) }),
            Err(error) => assert!(error.to_string().contains("log.db"), "{error}"),
        }
        for side_file in ["log.db-wal", "log.db-shm"] {
            drop(std::fs::remove_file(folder.path().join(side_file)));
        }
    }
}

/// Damages the first page of this kind. Checks that this prevents trims, but not appends.
async fn check_damaged_page(table: &str, kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    write_log(&path).await;
    let sql = "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = ?2 ORDER BY path";
    let page: usize = Connection::open(&path)
        .unwrap()
        .query_row(sql, [table, kind], |row| row.get(0))
        .unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 8], ((page - 1) * PAGE_BYTES) as u64)
        .unwrap();

    let log = open(&path);
    let damaged = check(&log).await;
    assert!(!damaged.is_empty());
    let trimmed = check_writes(&path, log).await;
    assert!(
        matches!(trimmed, Err(TrimError::Damaged { .. })),
        "{trimmed:?}"
    );
    let log = open(&path);
    assert_eq!(
        log.bounds().borrow().head.get(),
        RECORDS + RECORDS_PER_APPEND
    );
    assert_eq!(check(&log).await, damaged);
}

#[tokio::test]
async fn damage_that_prevents_trims_does_not_prevent_appends() {
    check_damaged_page("blocks", "leaf").await;
    check_damaged_page("payloads", "leaf").await;
    check_damaged_page("payloads", "overflow").await;
}

/// Changes the database with `sql`. Checks that exactly the records in `wanted` are damaged.
async fn check_change(sql: &str, wanted: &[(u64, u64)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    write_log(&path).await;
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let log = open(&path);
    let damaged = check(&log).await;
    for range in &damaged {
        let appended_at = log.appended_at(range.start).await.unwrap();
        assert_eq!(appended_at, Some(FakeClock::default().now()));
    }
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(start, end)| Offset::new(*start)..Offset::new(*end))
        .collect();
    assert_eq!(damaged, wanted);
    assert_eq!(
        log.append(vec![long_record(RECORDS)]).await.unwrap(),
        [Appended::Stored(Offset::new(RECORDS))]
    );
    log.trim_to(Offset::new(RECORDS)).await.unwrap();
    assert_eq!(read_all(&log, Offset::ZERO).await.0.len(), 1);
}

#[tokio::test]
async fn changed_data_damages_only_its_block() {
    check_change(
        "UPDATE payloads SET data = zeroblob(length(data)) WHERE first = 30",
        &[(30, 33)],
    )
    .await;
}

#[tokio::test]
async fn missing_data_damages_only_its_block() {
    check_change("DELETE FROM payloads WHERE first = 30", &[(30, 33)]).await;
}

#[tokio::test]
async fn ids_of_another_block_damage_only_their_block() {
    let sql = "UPDATE blocks SET ids = (SELECT ids FROM blocks WHERE first = 33) WHERE first = 30";
    check_change(sql, &[(30, 33)]).await;
}

#[tokio::test]
async fn a_changed_header_damages_only_its_block() {
    check_change(
        "UPDATE blocks SET event_types = '[\"quiz_submitted\"]' WHERE first = 30",
        &[(30, 33)],
    )
    .await;
    check_change(
        "UPDATE blocks SET count = 300 WHERE first = 30",
        &[(30, 33)],
    )
    .await;
    check_change(
        "UPDATE blocks SET appended_at = 0 WHERE first = 30",
        &[(30, 33)],
    )
    .await;
}

#[tokio::test]
async fn a_header_with_another_offset_damages_only_its_block() {
    check_change("UPDATE blocks SET first = 31 WHERE first = 30", &[(30, 33)]).await;
    check_change("UPDATE blocks SET first = -5 WHERE first = 30", &[(30, 33)]).await;
}

#[tokio::test]
async fn missing_first_and_last_blocks_are_damaged() {
    check_change(
        "DELETE FROM blocks WHERE first < 6 OR first > 590",
        &[(0, 6), (591, 600)],
    )
    .await;
    check_change("DELETE FROM blocks", &[(0, 600)]).await;
}

#[tokio::test]
async fn trimmed_damage_is_no_longer_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    write_log(&path).await;
    Connection::open(&path)
        .unwrap()
        .execute_batch("DELETE FROM payloads WHERE first = 30")
        .unwrap();
    let log = open(&path);
    log.trim_to(Offset::new(33)).await.unwrap();
    let (records, damaged) = read_all(&log, Offset::ZERO).await;
    assert_eq!((records.len() as u64, damaged), (RECORDS - 33, Vec::new()));
}
