//! A made-up sink whose destination keeps the position: it is ordered, has batches of 5,000, answers
//! for each item, and commits events and position together. Lanes know nothing about it.
//!
//! The process dies between any two steps of a delivery, also between the destination's commit and
//! ours. In the end nothing is missing, nothing is there twice, and the account says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use easel_log::Offset;
use easel_sinks::{Batch, Order, Outcome, SendError, Sink, SinkLimits};
use easel_subscriptions::{Spec, State, Term};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::fixture::Fixture;
use crate::histories::cases;

const NAME: &str = "table";
const SPEC: &str = r#"{"name":"table","events":["grade_*"],"start":"earliest",
    "webhook":{"url":"http://localhost/"}}"#;

/// Where a send stops for ever, as if the process died there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    BeforeCommit,
    AfterCommit,
}

/// What survives the process: rows, each with the offset of its event, and the position.
#[derive(Debug, Default)]
struct Content {
    rows: Vec<u64>,
    position: Option<Offset>,
    notes: Vec<Option<Bytes>>,
    largest_batch: usize,
    death: Option<Death>,
    /// The next sends take only so many items.
    takes: Vec<usize>,
    /// So many sends get no answer, though they are committed.
    silent: usize,
    /// The sends with these numbers, from 0, get no answer and are not committed.
    unheard: Vec<usize>,
    send_count: usize,
    /// The position cannot be read so many times.
    locked: usize,
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

    /// Stops for ever if it is time to die.
    async fn die(&self, death: Death) {
        let dies = self.with(|content| content.death.take_if(|due| *due == death).is_some());
        if dies {
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

    async fn resume_at(&self, note: Option<&Bytes>) -> Result<Option<Offset>, SendError> {
        self.with(|content| content.notes.push(note.cloned()));
        let is_locked = self.with(|content| {
            let left = content.locked.checked_sub(1);
            content.locked = left.unwrap_or(0);
            left.is_some()
        });
        if is_locked {
            return Err(SendError::TimedOut);
        }
        Ok(self.with(|content| content.position))
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.die(Death::BeforeCommit).await;
        let is_unheard = self.with(|content| {
            let number = content.send_count;
            content.send_count += 1;
            content.unheard.contains(&number)
        });
        if is_unheard {
            return Outcome::all(Err(SendError::TimedOut));
        }
        let failed = self.with(|content| {
            let takes = content.takes.pop().unwrap_or(usize::MAX);
            let taken = std::cmp::min(takes, batch.items.len());
            let rows = batch.items[..taken].iter().map(|item| item.offset.get());
            content.rows.extend(rows);
            if let Some(last) = batch.items[..taken].last() {
                content.position = Some(last.offset.next());
            }
            content.largest_batch = std::cmp::max(content.largest_batch, batch.items.len());
            batch.items.len() - taken
        });
        self.die(Death::AfterCommit).await;
        let is_silent = self.with(|content| {
            let left = content.silent.checked_sub(1);
            content.silent = left.unwrap_or(0);
            left.is_some()
        });
        if is_silent {
            return Outcome::all(Err(SendError::TimedOut));
        }
        let busy = || {
            Err(SendError::Busy {
                reason: "the table is locked".to_owned(),
                retry_after: None,
            })
        };
        let taken = std::iter::repeat_n(Ok(()), batch.items.len() - failed);
        Outcome::each(
            taken
                .chain(std::iter::repeat_with(busy).take(failed))
                .collect(),
        )
    }
}

async fn fixture(table: &Arc<Table>) -> Fixture {
    let table = Arc::clone(table);
    Fixture::with_sinks(move |_spec: &Spec| Arc::<Table>::clone(&table)).await
}

/// Appends so many events, of which every third is wanted.
async fn append(fixture: &Fixture, first: u64, count: u64) {
    let name = |n| {
        if n % 3 == 0 {
            "grade_change"
        } else {
            "user_created"
        }
    };
    for n in (first..first + count).step_by(2_000) {
        let end = std::cmp::min(n + 2_000, first + count);
        fixture.append((n..end).map(|n| (name(n), n))).await;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    /// The next send takes only so many items.
    Partly(usize),
    /// The process dies at this point of the next send, or while nothing is sent.
    Die(Option<Death>),
    /// As `Die`, but what was saved last is saved.
    Save,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let death = prop_oneof![
        1 => Just(None),
        1 => Just(Some(Death::BeforeCommit)),
        3 => Just(Some(Death::AfterCommit)),
    ];
    prop_oneof![
        6 => (0..4_000_u64).prop_map(Step::Append),
        1 => Just(Step::Append(20_000)),
        2 => (0..3_000_usize).prop_map(Step::Partly),
        5 => death.prop_map(Step::Die),
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
            Step::Partly(takes) => table.with(|content| content.takes.push(takes)),
            Step::Die(death) => {
                table.with(|content| content.death = death);
                if death.is_some() {
                    // There may be nothing to send.
                    drop(timeout(Duration::from_secs(2), table.stopped.notified()).await);
                }
                fixture.crash().await;
                table.with(|content| content.death = None);
                fixture.start();
            }
            Step::Save => fixture.subscriptions.save_all().await.unwrap(),
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
        fixture.balance(NAME);
    }
    let settled = timeout(Duration::from_hours(1), fixture.settled(NAME)).await;
    let Ok(balance) = settled else {
        return Err(TestCaseError::fail(format!("{NAME} does not go on")));
    };
    let wanted: Vec<_> = (0..count).step_by(3).collect();
    prop_assert_eq!(balance.get(Term::Delivered), wanted.len() as u64);
    prop_assert_eq!(balance.get(Term::Filtered), count - wanted.len() as u64);
    // In order, none missing, none twice.
    prop_assert_eq!(table.with(|content| content.rows.clone()), wanted);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..cases(24) })]
    #[test]
    fn nothing_is_missing_and_nothing_is_there_twice_wherever_the_process_dies(
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(steps))?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_gathered_up_to_its_bound() {
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
    table.with(|content| content.death = Some(Death::BeforeCommit));
    append(&fixture, 0, 30).await;
    table.stopped.notified().await;
    fixture.crash().await;
    fixture.start();
    fixture.settled(NAME).await;
    let notes = table.with(|content| content.notes.clone());
    assert_eq!(notes, [None, Some(Bytes::copy_from_slice(&[0; 8]))]);
}

#[tokio::test(start_paused = true)]
async fn a_position_that_cannot_be_read_is_asked_for_again_with_growing_pauses() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    table.with(|content| content.locked = 3);
    append(&fixture, 0, 30).await;
    let began = Instant::now();
    fixture.subscribe(SPEC).await;
    fixture.settled(NAME).await;
    let secs = began.elapsed().as_secs_f64();
    // 5, 10 and 20 s, each up to a fifth shorter or longer.
    assert!((28.0..60.0).contains(&secs), "{secs}");
    assert_eq!(table.with(|content| content.rows.len()), 10);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_not_repeated() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    table.with(|content| content.silent = 1);
    fixture.subscribe(SPEC).await;
    append(&fixture, 0, 30).await;
    assert_eq!(fixture.settled(NAME).await.get(Term::Delivered), 10);
    let rows: Vec<_> = (0..30).step_by(3).collect();
    assert_eq!(table.with(|content| content.rows.clone()), rows);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_timed_out_goes_before_what_comes_after_it() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    // The second batch begins at the very moment at which the first one is taken.
    table.with(|content| content.unheard = vec![1]);
    append(&fixture, 0, 60_000).await;
    fixture.subscribe(SPEC).await;
    fixture.settled(NAME).await;
    let rows: Vec<_> = (0..60_000).step_by(3).collect();
    assert!(table.with(|content| content.rows == rows), "out of order");
}

#[tokio::test(start_paused = true)]
async fn a_position_beyond_the_log_pauses_the_subscription() {
    let table = Arc::new(Table::default());
    let fixture = fixture(&table).await;
    table.with(|content| content.position = Some(Offset::new(31)));
    append(&fixture, 0, 30).await;
    let mut changes = fixture.subscriptions.changes();
    fixture.subscribe(SPEC).await;
    let reason = loop {
        changes.changed().await.unwrap();
        if let State::Paused { reason } = &fixture.subscriptions.get(NAME).unwrap().state {
            break reason.clone().unwrap();
        }
    };
    assert!(
        reason.contains("up to offset 31, but the log ends at 30"),
        "{reason}"
    );
    assert!(table.with(|content| content.rows.is_empty()));
}
