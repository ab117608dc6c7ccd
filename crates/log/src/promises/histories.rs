//! Compares random histories of a log with a simple model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::{Backend, as_appended, read_all};
use crate::{
    Appended, Bounds, Clock, FakeClock, LogOptions, NewRecord, Offset, Provenance, Retention,
    SharedLog, Trimmed,
};

/// In log: over any history, the log behaves like a plain list of records.
pub async fn behaves_like_the_model_over_any_history<B: Backend>() {
    // A case is a whole history, so this runs only an eighth of the configured cases.
    let mut config = ProptestConfig::default();
    config.cases = config.cases.div_ceil(8);
    config.failure_persistence = None;
    let history = prop::collection::vec(step(), 1..25);
    let result = TestRunner::new(config).run(&(0_usize..40, history), |(window, history)| {
        std::thread::scope(|scope| {
            scope
                .spawn(|| super::run(check::<B>(window, history)))
                .join()
                .map_err(|panic| {
                    let text = panic.downcast_ref::<String>().map_or("", |text| text);
                    TestCaseError::fail(text.to_owned())
                })
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[derive(Clone, Debug)]
enum HistoryStep {
    Append(Vec<NewRecord>),
    /// Drop blocks older than this number of seconds.
    TrimByAge(u64),
    /// Keep this percentage of the bytes.
    TrimBySize(u64),
    /// Drop this percentage of all records ever stored.
    TrimTo(u64),
    AdvanceClock(i64),
    Reopen,
    /// Read from this percentage of all records ever stored.
    ReadFrom(u64),
}

fn step() -> impl Strategy<Value = HistoryStep> {
    prop_oneof![
        8 => prop::collection::vec(record(), 0..12).prop_map(HistoryStep::Append),
        1 => prop::collection::vec(record(), 4_090..4_100).prop_map(HistoryStep::Append),
        1 => (0_u64..60).prop_map(HistoryStep::TrimByAge),
        1 => (0_u64..=100).prop_map(HistoryStep::TrimBySize),
        1 => (0_u64..=110).prop_map(HistoryStep::TrimTo),
        3 => (-10_i64..30).prop_map(HistoryStep::AdvanceClock),
        2 => Just(HistoryStep::Reopen),
        3 => (0_u64..=110).prop_map(HistoryStep::ReadFrom),
    ]
}

/// Records with the same id may have different bytes. Only the id makes a duplicate.
fn record() -> impl Strategy<Value = NewRecord> {
    let size = prop_oneof![40 => 0_usize..40, 4 => 0_usize..5_000, 1 => 500_000_usize..1_300_000];
    (0_u64..60, 0_u8..5, size, any::<u8>()).prop_map(|(id, event_type, size, byte)| {
        let new = NewRecord::new(
            Uuid::from_u64_pair(9, id),
            format!("type_{event_type}"),
            vec![byte; size],
        );
        NewRecord {
            occurred_at: Timestamp::from_second(i64::from(byte)).ok(),
            provenance: Arc::new(Provenance {
                root_account_id: Some(format!("{}", byte % 4).into()),
                ..Provenance::default()
            }),
            ..new
        }
    })
}

struct Model {
    window: usize,
    /// Every record ever stored with its commit time, by offset.
    records: Vec<(NewRecord, Timestamp)>,
    tail: usize,
    duplicate_count: u64,
}

impl Model {
    fn append(&mut self, records: &[NewRecord], now: Timestamp) -> Vec<Appended> {
        let newest = self.records.last().map_or(now, |(_, time)| *time);
        let appended_at = std::cmp::max(now, newest);
        let oldest_known = |model: &Self| {
            let newest_ids = model.records.len().saturating_sub(model.window);
            std::cmp::max(model.tail, newest_ids)
        };
        let start = oldest_known(self);
        let mut known: HashMap<Uuid, usize> = self.records[start..]
            .iter()
            .map(|(record, _)| record.id)
            .zip(start..)
            .collect();
        let mut append = |record: &NewRecord| {
            let place = self.records.len();
            let first = known
                .get(&record.id)
                .copied()
                .filter(|place| *place >= oldest_known(self));
            if let Some(first) = first {
                self.duplicate_count += 1;
                return Appended::Duplicate(Offset::new(first as u64));
            }
            known.insert(record.id, place);
            self.records.push((record.clone(), appended_at));
            Appended::Stored(Offset::new(place as u64))
        };
        records.iter().map(&mut append).collect()
    }

    fn bounds(&self) -> Bounds {
        let [tail, head] = [self.tail, self.records.len()].map(|place| Offset::new(place as u64));
        Bounds { tail, head }
    }

    /// Returns the offset at this percentage of all records ever stored.
    fn place(&self, percent: u64) -> Offset {
        Offset::new(self.records.len() as u64 * percent / 100)
    }

    fn check_trimmed(&mut self, trimmed: Trimmed) {
        let tail = trimmed.tail.get() as usize;
        assert!(
            (self.tail..=self.records.len()).contains(&tail),
            "{trimmed:?}"
        );
        assert_eq!(trimmed.record_count, (tail - self.tail) as u64);
        self.tail = tail;
    }
}

async fn check<B: Backend>(window: usize, history: Vec<HistoryStep>) {
    let clock = Arc::new(FakeClock::default());
    let options = LogOptions {
        duplicate_window: window,
        recent_bytes: 20_000,
        past_bytes: 10_000,
        ..LogOptions::default()
    };
    let mut backend = B::open(options, Arc::<FakeClock>::clone(&clock)).await;
    let mut model = Model {
        window,
        records: Vec::new(),
        tail: 0,
        duplicate_count: 0,
    };
    for step in history {
        let log = backend.log();
        match step {
            HistoryStep::Append(records) => {
                let wanted = model.append(&records, clock.now());
                assert_eq!(log.append(records).await.unwrap(), wanted);
                assert_eq!(log.stats().duplicate_count, model.duplicate_count);
            }
            HistoryStep::TrimByAge(seconds) => {
                let max_age = Some(Duration::from_secs(seconds));
                let retention = Retention {
                    max_age,
                    max_bytes: None,
                };
                model.check_trimmed(log.trim(retention, clock.now()).await.unwrap());
                let oldest_time = clock.now() - SignedDuration::from_secs(seconds.cast_signed());
                let first_allowed = model
                    .records
                    .partition_point(|(_, time)| *time < oldest_time);
                assert_eq!(model.tail, std::cmp::max(model.tail, first_allowed));
            }
            HistoryStep::TrimBySize(percent) => {
                let max_bytes = log.stats().stored_bytes * percent / 100;
                let retention = Retention {
                    max_age: None,
                    max_bytes: Some(max_bytes),
                };
                model.check_trimmed(log.trim(retention, clock.now()).await.unwrap());
                assert!(log.stats().stored_bytes <= max_bytes);
            }
            HistoryStep::TrimTo(percent) => {
                let to = model.place(percent);
                let before = model.tail;
                model.check_trimmed(log.trim_to(to).await.unwrap());
                assert!(model.tail == before || model.bounds().tail <= to);
                // A block that stays ends past `to`.
                if let crate::Read::Block(first) = log.read(Offset::ZERO).await.unwrap() {
                    assert!(first.next() > to);
                }
            }
            HistoryStep::AdvanceClock(seconds) => {
                clock.set(clock.now() + SignedDuration::from_secs(seconds));
            }
            HistoryStep::Reopen => {
                drop(log);
                backend = backend.reopen().await;
                model.duplicate_count = backend.log().stats().duplicate_count;
            }
            HistoryStep::ReadFrom(percent) => check_reads(&log, &model, model.place(percent)).await,
        }
        assert_eq!(*backend.log().bounds().borrow(), model.bounds());
    }
    check_reads(&backend.log(), &model, Offset::ZERO).await;
}

async fn check_reads(log: &SharedLog, model: &Model, from: Offset) {
    let (records, damaged) = read_all(&**log, from).await;
    assert_eq!(damaged, []);
    let start = std::cmp::min(
        std::cmp::max(from.get() as usize, model.tail),
        model.records.len(),
    );
    let wanted = &model.records[start..];
    assert_eq!(records.len(), wanted.len(), "from {from}");
    for (record, (place, (appended, appended_at))) in records.iter().zip((start..).zip(wanted)) {
        assert_eq!(record.offset, Offset::new(place as u64));
        assert_eq!(record.appended_at, *appended_at);
        assert!(
            as_appended(record) == *appended,
            "record {place} differs from the appended record"
        );
    }
    if let Some((appended, appended_at)) = wanted.first() {
        let found = log
            .find_id(appended.id)
            .await
            .unwrap()
            .expect("a record with this id");
        assert!(
            found.offset >= Offset::new(start as u64),
            "the newest record of an id must be found"
        );
        let at_time = log.find_time(*appended_at).await.unwrap();
        let same_time = model
            .records
            .partition_point(|(_, time)| time < appended_at);
        assert_eq!(at_time.get() as usize, std::cmp::max(same_time, model.tail));
    }
}
