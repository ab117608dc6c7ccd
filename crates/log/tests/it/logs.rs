//! A log for the tests, which fails on command.

use std::ops::Range;
use std::sync::Arc;

use easel_log::{Clock, Log, LogOptions, MemoryLog, NewRecord, Offset, SharedLog};
use easel_testkit::{FailingLog, FakeClock};
use uuid::Uuid;

pub(crate) fn failing_log() -> Arc<FailingLog> {
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let memory = MemoryLog::new(LogOptions::default(), clock);
    Arc::new(FailingLog::new(Arc::new(memory)))
}

pub(crate) fn shared(log: &Arc<FailingLog>) -> SharedLog {
    Arc::<FailingLog>::clone(log)
}

/// Appends one block. Each letter of `event_types` is the event type of one record.
pub(crate) async fn append(log: &FailingLog, event_types: &str) {
    let head = log.bounds().borrow().head.get();
    let records = (head..).zip(event_types.chars());
    let records = records.map(|(number, event_type)| {
        let id = Uuid::from_u64_pair(1, number);
        NewRecord::new(id, event_type.to_string(), number.to_string())
    });
    log.append(records.collect()).await.unwrap();
}

pub(crate) fn range(range: Range<u64>) -> Range<Offset> {
    Offset::new(range.start)..Offset::new(range.end)
}
