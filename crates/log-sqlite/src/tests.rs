//! Tests of a log in a file, and the promises suite.

mod damage;
mod failure;
mod golden;

use std::path::Path;
use std::sync::Arc;

use easel_log::promises::{Backend, log_promises, numbered, read_all};
use easel_log::{Clock, FakeClock, Log, LogOptions, NewRecord, Offset, RecordFacts, SharedLog};
use tempfile::TempDir;

use crate::{OpenLogError, SqliteLog};

struct Sqlite {
    folder: TempDir,
    options: LogOptions,
    clock: Arc<dyn Clock>,
    log: Arc<SqliteLog>,
}

impl Sqlite {
    fn in_folder(folder: TempDir, options: LogOptions, clock: Arc<dyn Clock>) -> Self {
        let path = folder.path().join("log.db");
        let log =
            SqliteLog::open(&path, options, Arc::clone(&clock), RecordFacts::none).expect("a log");
        Self {
            folder,
            options,
            clock,
            log: Arc::new(log),
        }
    }
}

impl Backend for Sqlite {
    async fn open(options: LogOptions, clock: Arc<dyn Clock>) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a folder"), options, clock)
    }

    async fn reopen(self) -> Self {
        let Self {
            folder,
            options,
            clock,
            log,
        } = self;
        log.close().await;
        Self::in_folder(folder, options, clock)
    }

    fn log(&self) -> SharedLog {
        Arc::<SqliteLog>::clone(&self.log)
    }

    /// Only one process writes a file.
    fn second_handle(&self) -> Option<SharedLog> {
        None
    }
}

log_promises!(Sqlite);

fn fake_clock() -> Arc<dyn Clock> {
    Arc::new(FakeClock::default())
}

fn try_open(path: &Path) -> Result<SqliteLog, OpenLogError> {
    SqliteLog::open(path, LogOptions::default(), fake_clock(), RecordFacts::none)
}

fn open(path: &Path) -> SqliteLog {
    try_open(path).unwrap()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<NewRecord> {
    range.map(numbered).collect()
}

#[tokio::test]
async fn a_trim_of_many_blocks_is_made_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let log = open(&path);
    for number in 0..1_100 {
        log.append(numbers(number..number + 1)).await.unwrap();
    }
    let trimmed = log.trim_to(Offset::new(1_090)).await.unwrap();
    assert_eq!(
        (trimmed.record_count, trimmed.tail),
        (1_090, Offset::new(1_090))
    );
    assert_eq!(read_all(&log, Offset::ZERO).await.0.len(), 10);
}

#[tokio::test]
async fn a_second_writer_of_a_file_refuses_before_it_reuses_an_offset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let (first, second) = (open(&path), open(&path));
    first.append(numbers(0..3)).await.unwrap();
    assert!(second.append(numbers(3..5)).await.is_err());
    assert!(second.stats().refusing && !first.stats().refusing);
    first.append(numbers(5..6)).await.unwrap();
    let (records, damaged) = read_all(&first, Offset::ZERO).await;
    assert!(
        records
            .iter()
            .map(|record| record.id)
            .eq([0, 1, 2, 5].map(|number| numbered(number).id))
    );
    assert_eq!(damaged, []);
}

#[tokio::test]
async fn one_process_can_have_two_logs() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| open(&folder.path().join(name));
    let (one, other) = (open("log.db"), open("quarantine.db"));
    one.append(numbers(0..5)).await.unwrap();
    other.append(numbers(0..2)).await.unwrap();
    assert_eq!(
        [&one, &other].map(|log| log.bounds().borrow().head.get()),
        [5, 2]
    );
}
