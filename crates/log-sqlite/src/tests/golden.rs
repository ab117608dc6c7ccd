//! Files of every format that ever was are opened for ever.
//!
//! `fixtures/v1.db` and the others were written by this test when they were missing, as any missing
//! one is, by the code of that format's day. They are never written again: a change that cannot
//! read one is wrong. `fixtures/v1.txt` is what `v1.db` holds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use easel_log::{Appended, Bounds};

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// What a log holds, one line a record.
async fn describe(log: &SqliteLog) -> String {
    let (records, damaged) = read_all(log, Offset::ZERO).await;
    assert_eq!(damaged, []);
    records.iter().fold(String::new(), |mut text, record| {
        let easel_log::Record {
            offset,
            id,
            event_type,
            appended_at,
            bytes,
        } = record;
        writeln!(
            text,
            "{offset} {appended_at} {id} {event_type} {}",
            bytes.escape_ascii()
        )
        .unwrap();
        text
    })
}

/// Writes a golden file: several commits, a trimmed one, odd bytes, one that compresses.
async fn write_fixture(version: &str) {
    let clock = Arc::new(HandClock::default());
    let log = SqliteLog::open(
        &fixture(&format!("{version}.db")),
        LogOptions::default(),
        Arc::<HandClock>::clone(&clock),
    )
    .unwrap();
    log.append(numbers(0..4)).await.unwrap();
    clock.turn(90);
    let odd = NewRecord {
        bytes: Bytes::from_static(b"\xff\0\n\""),
        event_type: "\"é\"".into(),
        ..numbered(4)
    };
    let empty = NewRecord {
        bytes: Bytes::new(),
        ..numbered(5)
    };
    let plain = NewRecord {
        bytes: vec![b'a'; 300].into(),
        ..numbered(6)
    };
    log.append(vec![odd, empty, plain]).await.unwrap();
    clock.turn(1);
    log.append(numbers(7..27)).await.unwrap();
    log.trim_to(Offset::new(4)).await.unwrap();
    log.close().await;
    std::fs::write(fixture(&format!("{version}.txt")), describe(&log).await).unwrap();
    drop(log);
    for rest in ["wal", "shm"] {
        std::fs::remove_file(fixture(&format!("{version}.db-{rest}"))).unwrap();
    }
}

/// Opens a copy of a golden file, reads it and appends to it.
async fn check(version: &str) {
    let db = fixture(&format!("{version}.db"));
    if !db.exists() {
        write_fixture(version).await;
        panic!("{} was missing and is there now", db.display());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    std::fs::copy(db, &path).unwrap();
    let log = SqliteLog::open(&path, LogOptions::default(), hand_clock()).unwrap();
    assert_eq!(
        describe(&log).await,
        std::fs::read_to_string(fixture(&format!("{version}.txt"))).unwrap()
    );
    assert_eq!(
        *log.bounds().borrow(),
        Bounds {
            tail: Offset::new(4),
            head: Offset::new(27)
        }
    );
    let appended = log.append(numbers(26..28)).await.unwrap();
    assert_eq!(
        appended,
        [
            Appended::Duplicate(Offset::new(26)),
            Appended::Stored(Offset::new(27))
        ]
    );
    assert_eq!(
        log.find_id(numbered(27).id).await.unwrap().unwrap().bytes,
        numbered(27).bytes
    );
}

#[tokio::test]
async fn a_file_of_format_1_is_read_exactly_and_goes_on() {
    check("v1").await;
}

#[tokio::test]
async fn a_file_of_format_2_is_read_exactly_and_goes_on() {
    check("v2").await;
}
