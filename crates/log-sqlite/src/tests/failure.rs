//! Tests of failed writes, of files that cannot be opened, and of closing a log.

use std::path::Path;

use easel_log::{AppendError, Appended, TrimError};
use rusqlite::Connection;

use super::*;

/// Makes every insert into `payloads` fail immediately.
const FAIL_INSERTS: &str = "CREATE TRIGGER fault BEFORE INSERT ON payloads BEGIN
    SELECT RAISE(ABORT, 'no space left'); END";
/// Makes the commit of every insert into `payloads` fail.
const FAIL_COMMITS: &str = "CREATE TABLE fault (id REFERENCES state (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER fault_at_commit AFTER INSERT ON payloads BEGIN INSERT INTO fault VALUES (9); END";
/// Makes every delete fail.
const FAIL_DELETES: &str = "CREATE TRIGGER fault BEFORE DELETE ON payloads BEGIN
    SELECT RAISE(ABORT, 'no space left'); END";
const REPAIR: &str = "DROP TRIGGER IF EXISTS fault; DROP TRIGGER IF EXISTS fault_at_commit;
    DROP TABLE IF EXISTS fault";

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

async fn check_fault(fault: &str, trims: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let log = open(&path);
    log.append(numbers(0..3)).await.unwrap();
    let (stats, bounds) = (log.stats(), *log.bounds().borrow());
    sql(&path, fault);

    if trims {
        let error = log.trim_to(Offset::new(3)).await.unwrap_err();
        assert!(matches!(error, TrimError::Failed { .. }), "{error:?}");
        assert!(!error.is_transient());
    } else {
        let error = log.append(numbers(2..5)).await.unwrap_err();
        assert!(matches!(error, AppendError::Failed { .. }), "{error:?}");
        assert!(!error.is_transient());
    }
    sql(&path, REPAIR);
    let error = log.append(numbers(0..1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Refusing { .. }), "{error:?}");
    let error = log.trim_to(Offset::ZERO).await.unwrap_err();
    assert!(matches!(error, TrimError::Refusing { .. }), "{error:?}");
    assert_eq!(
        log.stats(),
        easel_log::LogStats {
            refusing: true,
            ..stats
        }
    );
    assert_eq!(*log.bounds().borrow(), bounds);
    assert_eq!(read_all(&log, Offset::ZERO).await.0.len(), 3);
    drop(log);

    let log = open(&path);
    assert!(!log.stats().refusing);
    let again = log.append(numbers(2..5)).await.unwrap();
    let places = [2, 3, 4].map(Offset::new);
    assert_eq!(
        again,
        [
            Appended::Duplicate(places[0]),
            Appended::Stored(places[1]),
            Appended::Stored(places[2])
        ]
    );
    let (records, damaged) = read_all(&log, Offset::ZERO).await;
    assert!(
        records
            .iter()
            .map(|record| record.bytes.clone())
            .eq((0..5).map(|number| numbered(number).bytes))
    );
    assert_eq!(damaged, []);
}

#[tokio::test]
async fn after_a_failed_write_a_log_refuses_writes_and_serves_reads() {
    check_fault(FAIL_INSERTS, false).await;
}

#[tokio::test]
async fn after_a_failed_commit_a_log_refuses_writes_and_serves_reads() {
    check_fault(FAIL_COMMITS, false).await;
}

#[tokio::test]
async fn after_a_failed_trim_a_log_refuses_writes_and_serves_reads() {
    check_fault(FAIL_DELETES, true).await;
}

/// A clock that panics.
#[derive(Debug)]
struct BrokenClock;

impl Clock for BrokenClock {
    fn now(&self) -> jiff::Timestamp {
        panic!("a broken clock");
    }
}

#[tokio::test]
async fn a_writer_that_panics_refuses_further_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let log = SqliteLog::open(
        &path,
        LogOptions::default(),
        Arc::new(BrokenClock),
        RecordFacts::none,
    )
    .unwrap();
    assert!(log.append(numbers(0..1)).await.is_err());
    let again = log.append(numbers(0..1)).await;
    assert!(
        matches!(again, Err(AppendError::Refusing { .. })),
        "{again:?}"
    );
    assert!(log.stats().refusing);
}

#[tokio::test]
async fn a_closed_log_serves_reads_and_rejects_appends() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log.db"));
    log.append(numbers(0..3)).await.unwrap();
    log.close().await;
    log.close().await;
    assert!(matches!(
        log.append(numbers(3..4)).await,
        Err(AppendError::Closed)
    ));
    assert_eq!(read_all(&log, Offset::ZERO).await.0.len(), 3);
}

#[tokio::test]
async fn an_append_queued_before_the_close_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log.db"));
    let append = log.append(numbers(0..3));
    let (appended, ()) = tokio::join!(append, log.close());
    assert_eq!(appended.unwrap().len(), 3);
}

#[tokio::test]
async fn an_append_larger_than_the_budget_takes_the_whole_budget() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions {
        max_queued_bytes: 10,
        ..LogOptions::default()
    };
    let log = SqliteLog::open(
        &folder.path().join("log.db"),
        options,
        fake_clock(),
        RecordFacts::none,
    )
    .unwrap();
    let (first, second) = tokio::join!(log.append(numbers(0..9)), log.append(numbers(9..11)));
    assert_eq!((first.unwrap().len(), second.unwrap().len()), (9, 2));
}

fn read_all_files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Opens a file that must be rejected, and compares the folder's bytes before and after.
fn rejected(path: &Path) -> OpenLogError {
    let folder = path.parent().unwrap();
    let before = read_all_files(folder);
    let error = try_open(path).unwrap_err();
    assert!(
        read_all_files(folder) == before,
        "{error}: a file was changed"
    );
    error
}

#[test]
fn a_file_of_another_application_is_rejected_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    sql(&path, "CREATE TABLE foreign_table (number)");
    let foreign = |error: &OpenLogError| {
        matches!(
            error,
            OpenLogError::File(easel_sqlite::OpenError::Foreign { .. })
        )
    };
    let error = rejected(&path);
    assert!(foreign(&error), "{error:?}");

    let text = "not a database, but long enough to be one".repeat(99);
    std::fs::write(&path, text).unwrap();
    let error = rejected(&path);
    assert!(foreign(&error), "{error:?}");
}

#[tokio::test]
async fn a_newer_format_is_rejected_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    open(&path).close().await;
    sql(
        &path,
        "PRAGMA user_version = 4; PRAGMA journal_mode = DELETE",
    );
    let error = rejected(&path);
    assert!(
        matches!(
            error,
            OpenLogError::File(easel_sqlite::OpenError::Format { found: 4, .. })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn offsets_skipped_by_continue_at_read_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let log = open(&path);
    log.append(numbers(0..3)).await.unwrap();
    log.close().await;
    drop(log);
    SqliteLog::continue_at(&path, Offset::ZERO, Offset::new(10), &*fake_clock()).unwrap();
    let log = open(&path);
    let gap = Offset::new(3)..Offset::new(10);
    assert_eq!(
        read_all(&log, Offset::ZERO).await.1,
        std::slice::from_ref(&gap)
    );
    let appended = log.append(numbers(20..21)).await.unwrap();
    assert_eq!(appended, [Appended::Stored(Offset::new(10))]);
    let (records, damaged) = read_all(&log, Offset::ZERO).await;
    assert_eq!((records.len(), damaged), (4, vec![gap]));

    // A new log starts at `tail`, and its head never moves back.
    let path = folder.path().join("new.db");
    for head in [10, 5] {
        let head = Offset::new(head);
        SqliteLog::continue_at(&path, Offset::new(7), head, &*fake_clock()).unwrap();
    }
    let log = open(&path);
    let bounds = *log.bounds().borrow();
    assert_eq!(
        (bounds.tail, bounds.head),
        (Offset::new(7), Offset::new(10))
    );
    assert_eq!(
        read_all(&log, Offset::ZERO).await.1,
        [Offset::new(7)..Offset::new(10)]
    );
}
