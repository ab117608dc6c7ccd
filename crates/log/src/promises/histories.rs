//! A promise about random histories: the log behaves like a simple model.

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

/// Over any history, the log behaves like a plain list of records.
pub async fn behaves_like_the_model_over_any_history<B: Backend>() {
    // A case is a whole history, so this test runs only an eighth of the configured cases.
    let mut config = ProptestConfig::default();
    config.cases = config.cases.div_ceil(8);
    config.failure_persistence = None;
    let history = prop::collection::vec(step(), 1..25);
    let result = TestRunner::new(config).run(&(0_usize..40, history), |(window_size, history)| {
        std::thread::scope(|scope| {
            scope
                .spawn(|| super::run(check::<B>(window_size, history)))
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

/// Records with the same id may have different bytes. They are still duplicates.
fn record() -> impl Strategy<Value = NewRecord> {
    let size = prop_oneof![40 => 0_usize..40, 4 => 0_usize..5_000, 1 => 500_000_usize..1_300_000];
    (0_u64..60, 0_u8..5, size, any::<u8>()).prop_map(|(id, event_type, size, byte)| {
        let plain = NewRecord::new(
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
            ..plain
        }
    })
}

struct Model {
    /// The size of the duplicate window.
    window_size: usize,
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
            let window_start = model.records.len().saturating_sub(model.window_size);
            std::cmp::max(model.tail, window_start)
        };
        let start = oldest_known(self);
        let mut index_of_id: HashMap<Uuid, usize> = self.records[start..]
            .iter()
            .map(|(record, _)| record.id)
            .zip(start..)
            .collect();
        let mut append = |record: &NewRecord| {
            let index = self.records.len();
            let original = index_of_id
                .get(&record.id)
                .copied()
                .filter(|index| *index >= oldest_known(self));
            if let Some(original) = original {
                self.duplicate_count += 1;
                return Appended::Duplicate(Offset::new(original as u64));
            }
            index_of_id.insert(record.id, index);
            self.records.push((record.clone(), appended_at));
            Appended::Stored(Offset::new(index as u64))
        };
        records.iter().map(&mut append).collect()
    }

    fn bounds(&self) -> Bounds {
        let [tail, head] = [self.tail, self.records.len()].map(|index| Offset::new(index as u64));
        Bounds { tail, head }
    }

    /// Returns the offset at this percentage of all records ever stored.
    fn offset_at(&self, percent: u64) -> Offset {
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

async fn check<B: Backend>(window_size: usize, history: Vec<HistoryStep>) {
    let clock = Arc::new(FakeClock::default());
    let options = LogOptions {
        duplicate_window: window_size,
        recent_bytes: 20_000,
        past_bytes: 10_000,
        ..LogOptions::default()
    };
    let mut backend = B::open(options, Arc::<FakeClock>::clone(&clock)).await;
    let mut model = Model {
        window_size,
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
                let up_to = model.offset_at(percent);
                let old_tail = model.tail;
                model.check_trimmed(log.trim_to(up_to).await.unwrap());
                assert!(model.tail == old_tail || model.bounds().tail <= up_to);
                // A block that stays ends after `up_to`.
                if let crate::Read::Block(oldest) = log.read(Offset::ZERO).await.unwrap() {
                    assert!(oldest.end() > up_to);
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
            HistoryStep::ReadFrom(percent) => {
                check_reads(&log, &model, model.offset_at(percent)).await;
            }
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
    for (record, (index, (appended, appended_at))) in records.iter().zip((start..).zip(wanted)) {
        assert_eq!(record.offset, Offset::new(index as u64));
        assert_eq!(record.appended_at, *appended_at);
        assert!(
            as_appended(record) == *appended,
            "record {index} differs from the appended record"
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
