//! Files of every older format can be opened.
//!
//! If a fixture is missing, its test writes it. So each fixture, such as `fixtures/v1.db`, was written
//! by the code of its format. Fixtures are never rewritten: a change that cannot read a fixture is
//! wrong.
//! `fixtures/v1.txt` lists the records of `v1.db`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use easel_log::{Appended, Arrival, Bounds, Provenance, Record, Shape};
use jiff::Timestamp;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// Returns the content of a log, one line per record.
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

/// Writes a fixture: several commits, a trimmed commit, unusual bytes, and bytes that compress.
async fn write_fixture(version: &str) {
    let clock = Arc::new(FakeClock::default());
    let log = SqliteLog::open(
        &fixture(&format!("{version}.db")),
        LogOptions::default(),
        Arc::<FakeClock>::clone(&clock),
        RecordFacts::none,
    )
    .unwrap();
    log.append(numbers(0..4)).await.unwrap();
    clock.advance(Duration::from_secs(90));
    let unusual = NewRecord {
        bytes: Bytes::from_static(b"\xff\0\n\""),
        event_type: "\"é\"".into(),
        ..numbered(4)
    };
    let empty = NewRecord {
        bytes: Bytes::new(),
        ..numbered(5)
    };
    let compressible = NewRecord {
        bytes: vec![b'a'; 300].into(),
        ..numbered(6)
    };
    log.append(vec![unusual, empty, compressible])
        .await
        .unwrap();
    clock.advance(Duration::from_secs(1));
    let with_facts = |number: u64| NewRecord {
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
    log.append((7..27).map(with_facts).collect()).await.unwrap();
    log.trim_to(Offset::new(4)).await.unwrap();
    log.close().await;
    std::fs::write(fixture(&format!("{version}.txt")), describe(&log).await).unwrap();
    drop(log);
    for suffix in ["wal", "shm"] {
        std::fs::remove_file(fixture(&format!("{version}.db-{suffix}"))).unwrap();
    }
}

/// Opens a copy of a fixture, reads the copy and appends to it.
async fn check(version: &str) {
    let db = fixture(&format!("{version}.db"));
    if !db.exists() {
        write_fixture(version).await;
        panic!("{} was missing and has been written", db.display());
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
async fn a_file_of_format_1_is_read_exactly_and_accepts_appends() {
    check("v1").await;
}

#[tokio::test]
async fn a_file_of_format_2_is_read_exactly_and_accepts_appends() {
    check("v2").await;
}

#[tokio::test]
async fn a_file_of_format_3_is_read_exactly_and_accepts_appends() {
    check("v3").await;
}

/// The facts that blocks of format 1 lack are extracted from the bytes. Newer blocks contain their
/// facts.
#[tokio::test]
async fn facts_that_older_blocks_lack_are_extracted_from_the_bytes() {
    fn extract_facts(bytes: &[u8]) -> RecordFacts {
        let number = bytes.strip_prefix(b"{\"number\":");
        let number = number.and_then(|rest| str::from_utf8(rest.strip_suffix(b"}")?).ok());
        RecordFacts {
            occurred_at: number.and_then(|text| Timestamp::from_second(text.parse().ok()?).ok()),
            provenance: Provenance {
                root_account_id: number.map(Into::into),
                ..Provenance::default()
            },
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    std::fs::copy(fixture("v2.db"), &path).unwrap();
    let log = SqliteLog::open(&path, LogOptions::default(), fake_clock(), extract_facts).unwrap();
    log.append(numbers(27..30)).await.unwrap();
    log.close().await;
    drop(log);
    let log = SqliteLog::open(&path, LogOptions::default(), fake_clock(), extract_facts).unwrap();
    let (records, damaged) = read_all(&log, Offset::ZERO).await;
    assert_eq!((records.len(), damaged), (26, Vec::new()));
    for record in records {
        let number = record.offset.get();
        // Records 4 to 6 have bytes without a number.
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
