//! The queue is bounded, nobody waits for it, all events are counted, and there are no cycles.

use easel_catalog::Reach;
use easel_log::{LogOptions, MemoryLog, SharedLog};
use easel_testkit::{FailingLog, FakeClock};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;

fn log() -> SharedLog {
    let clock = Arc::new(FakeClock::default());
    Arc::new(MemoryLog::new(LogOptions::default(), clock))
}

fn queue() -> (TellOperator, OperatorEvents) {
    OperatorEvents::new(Arc::new(FakeClock::default()))
}

/// Returns the event about the loss of the `n`th subscription.
fn lost(n: usize, offsets: Range<u64>) -> OperatorEvent {
    OperatorEvent::TrimmedPastCursor {
        subscription: format!("s{n}"),
        reach: Reach::RootAccount("10000000000001".parse().unwrap()),
        event_count: 1,
        offsets,
    }
}

/// Runs `work`, and returns the count of each outcome.
async fn counted(work: impl AsyncFnOnce()) -> [u64; 4] {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let recording = metrics::set_default_local_recorder(&recorder);
    work().await;
    drop(recording);
    let page = handle.render();
    ["stored", "queue_full", "refused", "left_out"].map(|outcome| {
        let series = format!("{OPERATOR_EVENTS}{{outcome=\"{outcome}\"}} ");
        let count = page.lines().find_map(|line| line.strip_prefix(&series));
        count.unwrap().parse().unwrap()
    })
}

/// Appends everything that is queued.
async fn drain(events: OperatorEvents, log: &SharedLog) {
    let stop = CancellationToken::new();
    stop.cancel();
    events.run(&**log, stop).await;
}

#[tokio::test]
async fn operator_events_are_appended_with_their_root_account() {
    let log = log();
    let counts = counted(async || {
        let (tell, events) = queue();
        tell.tell(lost(0, 0..1));
        tell.tell(lost(1, 0..1));
        drain(events, &log).await;
        tell.tell(lost(2, 0..1));
    });
    assert_eq!(counts.await, [2, 0, 1, 0]);
    let read = log.read(Offset::ZERO).await.unwrap();
    let easel_log::Read::Block(block) = read else {
        panic!("{read:?}");
    };
    let records: Vec<_> = block.records().collect();
    assert_eq!(records.len(), 2);
    for record in records {
        let event = easel_catalog::admit_stored(&record.bytes, &easel_catalog::Limits::default());
        let event = event.unwrap();
        assert_eq!(*record.event_type, *"easel.log.trimmed_past_cursor");
        assert_eq!(
            (record.id, record.occurred_at),
            (event.id, event.occurred_at)
        );
        let account = record.provenance.root_account_id.as_deref();
        assert_eq!(account, Some("10000000000001"));
    }
}

#[tokio::test]
async fn an_event_for_a_full_queue_is_dropped_and_counted() {
    let log = log();
    let counts = counted(async || {
        let (tell, events) = queue();
        (0..MAX_QUEUED + 3).for_each(|n| tell.tell(lost(n, 5_000..5_001)));
        drain(events, &log).await;
    });
    assert_eq!(counts.await, [MAX_QUEUED as u64, 3, 0, 0]);
    assert_eq!(log.bounds().borrow().head.get(), MAX_QUEUED as u64);
}

#[tokio::test]
async fn a_refused_event_is_counted_and_the_next_event_is_appended() {
    let failing = Arc::new(FailingLog::new(log()));
    let log: SharedLog = Arc::<FailingLog>::clone(&failing);
    let counts = counted(async || {
        let (tell, mut events) = queue();
        failing.fail_appends(true);
        tell.tell(lost(0, 0..1));
        let first = events.queue.recv().await.unwrap();
        events.append(&*log, vec![first]).await;
        failing.fail_appends(false);
        tell.tell(lost(1, 0..1));
        drain(events, &log).await;
    });
    assert_eq!(counts.await, [1, 0, 1, 0]);
}

#[tokio::test]
async fn the_loss_of_only_operator_events_causes_no_operator_event() {
    let log = log();
    let sent = NewRecord::new(uuid::Uuid::nil(), "grade_change", "{}");
    log.append(vec![sent]).await.unwrap();
    let counts = counted(async || {
        let (tell, mut events) = queue();
        let mut append = async |offsets| {
            tell.tell(lost(0, offsets));
            let queued = events.queue.recv().await.unwrap();
            events.append(&*log, vec![queued]).await;
            log.bounds().borrow().head.get()
        };
        // The event of the sender is lost, and event 1 reports that. Then event 1 is lost.
        assert_eq!(append(0..1).await, 2);
        assert_eq!(append(1..2).await, 2);
        // The lost range also has the event of the sender.
        assert_eq!(append(0..2).await, 3);
        assert_eq!(append(1..3).await, 3);
        // Another event of the sender is appended between.
        let sent = NewRecord::new(uuid::Uuid::max(), "grade_change", "{}");
        log.append(vec![sent]).await.unwrap();
        assert_eq!(append(2..4).await, 5);
        assert_eq!(append(4..5).await, 5);
        assert_eq!(append(3..4).await, 6);
    });
    assert_eq!(counts.await, [4, 0, 0, 3]);
}
