//! Files of every format that ever was are opened for ever.
//!
//! `fixtures/v1.db` and the others were written by this test when they were missing, as any missing
//! one is, by the code of that format's day. They are never written again: a change that cannot
//! read one is wrong. `fixtures/v1.txt` is what `v1.db` holds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use easel_log::{Appended, Arrival, Bounds, Provenance, Record, Shape};
use jiff::Timestamp;

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
        let Record {
            offset,
            id,
            event_type,
            occurred_at,
            appended_at,
            provenance,
            arrival,
            bytes,
        } = record;
        let bytes = bytes.escape_ascii();
        write!(text, "{offset} {appended_at} {id} {event_type} {bytes}").unwrap();
        if occurred_at != appended_at {
            write!(text, " {occurred_at}").unwrap();
        }
        if **provenance != Provenance::default() {
            let Provenance {
                root_account_id: id,
                root_account_uuid: uuid,
                source,
                shape,
            } = &**provenance;
            write!(text, " {id:?} {uuid:?} {source:?} {shape:?}").unwrap();
        }
        if let Some(arrival) = arrival {
            let Arrival {
                message_id,
                sent_at,
            } = &**arrival;
            write!(text, " {message_id:?} {sent_at:?}").unwrap();
        }
        text.push('\n');
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
        RecordFacts::none,
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
    let known = |number: u64| NewRecord {
        occurred_at: Timestamp::new(1_700_000_000, i32::try_from(number).unwrap()).ok(),
        provenance: Arc::new(Provenance {
            root_account_id: Some(format!("{}", number % 2).into()),
            root_account_uuid: Some("u\"é".into()).filter(|_| number > 9),
            source: Some("meadow".into()).filter(|_| number > 12),
            shape: if number > 20 {
                Shape::Caliper
            } else {
                Shape::Canvas
            },
        }),
        arrival: number.is_multiple_of(5).then(|| {
            Arc::new(Arrival {
                message_id: Some(format!("m-{number}").into()),
                sent_at: Timestamp::new(1_700_000_001, 5)
                    .ok()
                    .filter(|_| number > 10),
            })
        }),
        ..numbered(number)
    };
    log.append((7..27).map(known).collect()).await.unwrap();
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
    let log = open(&path);
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

#[tokio::test]
async fn a_file_of_format_3_is_read_exactly_and_goes_on() {
    check("v3").await;
}

/// What format 1 of a block does not tell is asked of the bytes, block by block; what was appended
/// since tells it itself.
#[tokio::test]
async fn what_older_blocks_do_not_tell_is_read_from_the_bytes() {
    fn read_facts(bytes: &[u8]) -> RecordFacts {
        let number = bytes.strip_prefix(b"{\"number\":");
        let number = number.and_then(|rest| str::from_utf8(rest.strip_suffix(b"}")?).ok());
        RecordFacts {
            occurred_at: number.and_then(|it| Timestamp::from_second(it.parse().ok()?).ok()),
            provenance: Provenance {
                root_account_id: number.map(Into::into),
                ..Provenance::default()
            },
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    std::fs::copy(fixture("v2.db"), &path).unwrap();
    let log = SqliteLog::open(&path, LogOptions::default(), hand_clock(), read_facts).unwrap();
    log.append(numbers(27..30)).await.unwrap();
    log.close().await;
    drop(log);
    let log = SqliteLog::open(&path, LogOptions::default(), hand_clock(), read_facts).unwrap();
    let (records, damaged) = read_all(&log, Offset::ZERO).await;
    assert_eq!((records.len(), damaged), (26, Vec::new()));
    for record in records {
        let number = record.offset.get();
        // Three of them are odd, and say nothing of the kind.
        let own_time = (7..27).contains(&number).then(|| number.to_string());
        assert_eq!(
            record.provenance.root_account_id.as_deref(),
            own_time.as_deref()
        );
        let occurred_at = match own_time {
            Some(_) => Timestamp::from_second(number.cast_signed()).unwrap(),
            None => record.appended_at,
        };
        assert_eq!(record.occurred_at, occurred_at, "{number}");
    }
}
