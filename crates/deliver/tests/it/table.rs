//! Tests with an ordered sink whose destination stores a position. The sink has batches of 5,000, one
//! result per item, and commits events and position together. Lanes have no special code for this sink.
//!
//! The process crashes between any two steps of a delivery, also between the destination's commit and
//! the save of the lane. At the end every event was stored exactly once, and the account agrees.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use easel_log::Offset;
use easel_sinks::{Batch, Order, Outcome, SendError, Sink, SinkLimits, StoredPosition};
use easel_subscriptions::{Spec, State, Term};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::fixture::{Fixture, full_name, rejected};
use crate::histories::cases;

const NAME: &str = "table";
const SPEC: &str = r#"{"name":"table","events":["grade_*"],"start":"earliest",
    "webhook":{"url":"http://localhost/"}}"#;

/// The point where a send stops forever, as in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CrashPoint {
    BeforeCommit,
    AfterCommit,
}

/// The state that survives a crash: the position, and the event offset of each row.
#[derive(Debug, Default)]
struct Content {
    rows: Vec<u64>,
    position: Option<Offset>,
    last_event_id: Option<Uuid>,
    notes: Vec<Option<Bytes>>,
    largest_batch: usize,
    crash_point: Option<CrashPoint>,
    /// How many items the next sends accept. The last entry is for the next send.
    accepted_counts: Vec<usize>,
    /// How many of the next sends are committed but get no answer.
    unanswered: usize,
    /// The numbers, from 0, of sends that are not committed and get no answer.
    lost_sends: Vec<usize>,
    send_count: usize,
    /// How many of the next reads of the position fail.
    failing_reads: usize,
    /// The offset of an event that the table rejects.
    rejected: Option<u64>,
}

#[derive(Debug, Default)]
struct Table {
    content: Mutex<Content>,
    stopped: Notify,
}

impl Table {
    fn with<T>(&self, work: impl FnOnce(&mut Content) -> T) -> T {
        work(&mut self.content.lock().unwrap())
    }

    /// Stops forever if the test has set this crash point.
    async fn crash_at(&self, crash_point: CrashPoint) {
        let crashes = self.with(|content| {
            content
                .crash_point
                .take_if(|due| *due == crash_point)
                .is_some()
        });
        if crashes {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Sink for Table {
    fn limits(&self) -> SinkLimits {
        SinkLimits {
            max_items: 5_000,
            max_bytes: 64 << 20,
            gather: Duration::from_millis(200),
            max_in_flight: 8,
            order: Order::Offset,
            max_repeated: u64::MAX,
        }
    }

    fn note(&self, batch: &Batch) -> Option<Bytes> {
        let first = batch.items[0].offset.get();
        Some(Bytes::copy_from_slice(&first.to_be_bytes()))
    }

    async fn resume_at(&self, note: Option<&Bytes>) -> Result<Option<StoredPosition>, SendError> {
        self.with(|content| content.notes.push(note.cloned()));
        let fails = self.with(|content| {
            let left = content.failing_reads.checked_sub(1);
            content.failing_reads = left.unwrap_or(0);
            left.is_some()
        });
        if fails {
            return Err(SendError::TimedOut);
        }
        Ok(self.with(|content| {
            let next_offset = content.position?;
            let last_event_id = content.last_event_id;
            Some(StoredPosition {
                next_offset,
                last_event_id,
            })
        }))
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.crash_at(CrashPoint::BeforeCommit).await;
        let is_lost = self.with(|content| {
            let number = content.send_count;
            content.send_count += 1;
            content.lost_sends.contains(&number)
        });
        if is_lost {
            return Outcome::all(Err(SendError::TimedOut));
        }
        let rejected_offset = self.with(|content| content.rejected);
        if batch
            .offsets()
            .any(|offset| Some(offset.get()) == rejected_offset)
        {
            return Outcome::all(Err(rejected()));
        }
        let failed_count = self.with(|content| {
            let limit = content.accepted_counts.pop().unwrap_or(usize::MAX);
            let count = std::cmp::min(limit, batch.items.len());
            let rows = batch.items[..count].iter().map(|item| item.offset.get());
            content.rows.extend(rows);
            if let Some(last) = batch.items[..count].last()
                && content.position < Some(last.offset.next())
            {
                content.position = Some(last.offset.next());
                content.last_event_id = Some(last.id);
            }
            content.largest_batch = std::cmp::max(content.largest_batch, batch.items.len());
            batch.items.len() - count
        });
        self.crash_at(CrashPoint::AfterCommit).await;
        let is_unanswered = self.with(|content| {
            let left = content.unanswered.checked_sub(1);
            content.unanswered = left.unwrap_or(0);
            left.is_some()
        });
        if is_unanswered {
            return Outcome::all(Err(SendError::TimedOut));
        }
        let busy = || {
            Err(SendError::Busy {
                reason: "the table is locked".to_owned(),
                retry_after: None,
            })
        };
        let accepted = std::iter::repeat_n(Ok(()), batch.items.len() - failed_count);
        Outcome::each(
            accepted
                .chain(std::iter::repeat_with(busy).take(failed_count))
                .collect(),
        )
    }
}

async fn fixture(table: &Arc<Table>) -> Fixture {
    let table = Arc::clone(table);
    Fixture::with_sinks(move |_spec: &Spec| Arc::<Table>::clone(&table)).await
}

/// Appends `count` events. Every third matches the subscription.
async fn append(fixture: &Fixture, first: u64, count: u64) {
    let event_type = |n| {
        if n % 3 == 0 {
            "grade_change"
        } else {
            "user_created"
        }
    };
    for n in (first..first + count).step_by(2_000) {
        let end = std::cmp::min(n + 2_000, first + count);
        fixture.append((n..end).map(|n| (event_type(n), n))).await;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    /// The next send accepts only this many items.
    AcceptPart(usize),
    /// The process crashes at this point of the next send; immediately if `None`.
    Crash(Option<CrashPoint>),
    /// The journals are saved.
    Save,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let crash_point = prop_oneof![
        1 => Just(None),
        1 => Just(Some(CrashPoint::BeforeCommit)),
        3 => Just(Some(CrashPoint::AfterCommit)),
    ];
    prop_oneof![
        6 => (0..4_000_u64).prop_map(Step::Append),
        1 => Just(Step::Append(20_000)),
        2 => (0..3_000_usize).prop_map(Step::AcceptPart),
        5 => crash_point.prop_map(Step::Crash),
        1 => Just(Step::Save),
        3 => (0..8_000_u64).prop_map(Step::Wait),
    ]
}

async fn run(steps: Vec<Step>) -> TestCaseResult {
    let table = Arc::new(Table::default());
    let mut fixture = fixture(&table).await;
    fixture.subscribe(SPEC).await;
    let mut count = 0;
    for step in steps {
        match step {
            Step::Append(more) => {
                append(&fixture, count, more).await;
                count += more;
            }
            Step::AcceptPart(count) => table.with(|content| content.accepted_counts.push(count)),
            Step::Crash(crash_point) => {
                table.with(|content| content.crash_point = crash_point);
                if crash_point.is_some() {
                    // There may be nothing to send.
                    drop(timeout(Duration::from_secs(2), table.stopped.notified()).await);
                }
                fixture.crash().await;
                table.with(|content| content.crash_point = None);
                fixture.start();
            }
            Step::Save => fixture.subscriptions.save_all().await.unwrap(),
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
        fixture.balance(NAME);
    }
    let settled = timeout(Duration::from_hours(1), fixture.settled(NAME)).await;
    let Ok(balance) = settled else {
        return Err(TestCaseError::fail(format!("{NAME} is stuck")));
    };
    let wanted: Vec<_> = (0..count).step_by(3).collect();
    prop_assert_eq!(balance.get(Term::Delivered), wanted.len() as u64);
    prop_assert_eq!(balance.get(Term::Filtered), count - wanted.len() as u64);
    // Every event is stored exactly once, in order.
    prop_assert_eq!(table.with(|content| content.rows.clone()), wanted);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..cases(24) })]
    #[test]
    fn every_event_is_stored_exactly_once_wherever_the_process_crashes(
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(steps))?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_gathered_up_to_its_limit() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    append(&fixture, 0, 36_000).await;
    fixture.subscribe(SPEC).await;
    fixture.settled(NAME).await;
    assert_eq!(table.with(|content| content.largest_batch), 5_000);
}

#[tokio::test(start_paused = true)]
async fn the_note_of_a_batch_is_saved_before_it_is_sent() {
    let table = Arc::new(Table::default());
    let mut fixture = fixture(&table).await;
    fixture.subscribe(SPEC).await;
    table.with(|content| content.crash_point = Some(CrashPoint::BeforeCommit));
    append(&fixture, 0, 30).await;
    table.stopped.notified().await;
    fixture.crash().await;
    fixture.start();
    fixture.settled(NAME).await;
    let notes = table.with(|content| content.notes.clone());
    assert_eq!(notes, [None, Some(Bytes::copy_from_slice(&[0; 8]))]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_of_the_position_is_retried_with_growing_pauses() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    table.with(|content| content.failing_reads = 3);
    append(&fixture, 0, 30).await;
    let began = Instant::now();
    fixture.subscribe(SPEC).await;
    fixture.settled(NAME).await;
    let secs = began.elapsed().as_secs_f64();
    // The pauses are 5, 10 and 20 s, each with a jitter of 20 %.
    assert!((28.0..60.0).contains(&secs), "{secs}");
    assert_eq!(table.with(|content| content.rows.len()), 10);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_not_repeated() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    table.with(|content| content.unanswered = 1);
    fixture.subscribe(SPEC).await;
    append(&fixture, 0, 30).await;
    assert_eq!(fixture.settled(NAME).await.get(Term::Delivered), 10);
    let rows: Vec<_> = (0..30).step_by(3).collect();
    assert_eq!(table.with(|content| content.rows.clone()), rows);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_timed_out_is_sent_again_before_later_batches() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    // The second batch starts at the moment when the first one is accepted.
    table.with(|content| content.lost_sends = vec![1]);
    append(&fixture, 0, 60_000).await;
    fixture.subscribe(SPEC).await;
    fixture.settled(NAME).await;
    let rows: Vec<_> = (0..60_000).step_by(3).collect();
    assert!(table.with(|content| content.rows == rows), "out of order");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_before_the_position_is_sent_when_it_is_redelivered() {
    let table = Arc::new(Table::default());
    let mut fixture = fixture(&table).await;
    table.with(|content| content.rejected = Some(12));
    fixture.subscribe(SPEC).await;
    append(&fixture, 0, 30).await;
    let balance = fixture.settled(NAME).await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (9, 1)
    );
    fixture.subscriptions.save_all().await.unwrap();
    // The lane asks for the position at its start, and again after the failure of the redelivery.
    fixture.crash().await;
    fixture.start();
    let sends = table.with(|content| {
        content.rejected = None;
        content.lost_sends = vec![content.send_count];
        content.send_count
    });
    let subscription = fixture.subscriptions.get(&full_name(NAME)).unwrap();
    let redelivered = fixture
        .subscriptions
        .redeliver(&subscription, .., |_, _| true);
    assert_eq!(redelivered.await.unwrap().redelivered_count, 1);
    let balance = fixture.settled(NAME).await;
    assert_eq!(
        (balance.get(Term::Delivered), balance.get(Term::Dead)),
        (10, 0)
    );
    let mut rows = table.with(|content| content.rows.clone());
    assert_eq!(rows.pop(), Some(12), "the row comes last");
    let others: Vec<_> = (0..30).step_by(3).filter(|offset| *offset != 12).collect();
    assert_eq!(rows, others);
    assert_eq!(table.with(|content| content.send_count), sends + 2);
}

#[tokio::test(start_paused = true)]
async fn a_position_past_the_end_of_the_log_pauses_the_subscription() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    table.with(|content| content.position = Some(Offset::new(31)));
    append(&fixture, 0, 30).await;
    fixture.subscribe(SPEC).await;
    let reason = pause_reason(&fixture).await;
    assert!(
        reason.contains("up to offset 31, but the log ends at 30"),
        "{reason}"
    );
    assert!(table.with(|content| content.rows.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_position_after_another_event_pauses_the_subscription_however_often_it_is_resumed() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    append(&fixture, 0, 30).await;
    table.with(|content| {
        content.position = Some(Offset::new(16));
        content.last_event_id = Some(Uuid::from_u128(u128::MAX));
    });
    fixture.subscribe(SPEC).await;
    for _resumption in 0..2 {
        let reason = pause_reason(&fixture).await;
        let expected = "has events up to offset 16, but the log, which ends at 30, has another event at \
                        offset 15";
        assert!(reason.contains(expected), "{reason}");
        fixture
            .subscriptions
            .resume(&full_name(NAME))
            .await
            .unwrap();
    }
    assert_eq!(fixture.balance(NAME).get(Term::Delivered), 0);
    assert!(table.with(|content| content.rows.is_empty()));
}

/// Waits until the subscription is paused, and returns the reason.
async fn pause_reason(fixture: &Fixture) -> String {
    let mut changes = fixture.subscriptions.changes();
    loop {
        if let State::Paused { reason } =
            &fixture.subscriptions.get(&full_name(NAME)).unwrap().state
        {
            return reason.clone().unwrap();
        }
        changes.changed().await.unwrap();
    }
}
