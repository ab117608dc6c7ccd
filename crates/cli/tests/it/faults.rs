//! Tests of disks that fail under a running server, and of a log that was damaged while no server ran.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use easel_testkit::{Received, Receiver, event};
use http::StatusCode;
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

use crate::caller::{Caller, Shown};
use crate::faulty_disk::FaultyDisk;
use crate::running::Running;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum number of deliveries that a kill may repeat.
const MAX_REPEATS: usize = 1_000;

/// A server on a disk that fails on demand, and a webhook for all events.
struct FaultSetup {
    folder: TempDir,
    disk: FaultyDisk,
    running: Running,
    caller: Caller,
    receiver: Receiver,
}

impl FaultSetup {
    async fn start(files: &'static str) -> Self {
        let folder = tempdir().unwrap();
        let disk = FaultyDisk::build(folder.path(), files);
        let args = ["--auth", "none"];
        let running = Running::start_with(&data(folder.path()), &args, |command| {
            disk.mount(command);
            // Requests wait this long for a log that rejects writes.
            command.env("EASEL_INGEST__HOLD", "2s");
        });
        let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
        caller.subscribe("every", "", &receiver.url()).await;
        Self {
            folder,
            disk,
            running,
            caller,
            receiver,
        }
    }

    /// Kills the server and restarts it on a working disk.
    fn kill_and_restart(self) -> Self {
        self.running.kill();
        let running = start(&data(self.folder.path()));
        Self {
            caller: Caller::new(&running),
            running,
            ..self
        }
    }

    /// Asserts that both doors reject these events, each with its own error.
    async fn assert_rejected(&self, events: &[Bytes]) {
        let lines = events.join(&b"\n"[..]);
        let native = self.caller.post_events("application/x-ndjson", lines).await;
        let native = native.unwrap();
        assert_eq!(native.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(native.json::<Value>()["code"], "log_unavailable");
        assert!(native.headers.contains_key("retry-after"), "{native:?}");

        let kinesis = self.caller.put_records(events).await.unwrap();
        assert_eq!(kinesis.status, StatusCode::OK);
        let answer: Value = kinesis.json();
        assert_eq!(answer["FailedRecordCount"], events.len());
        let records = answer["Records"].as_array().unwrap();
        assert_eq!(records.len(), events.len());
        for record in records {
            assert_eq!(record["ErrorCode"], "InternalFailure");
            assert_eq!(record.get("SequenceNumber"), None);
        }
        let ready = self.caller.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{ready:?}");
    }

    /// Waits until the webhook has received `count` requests.
    async fn wait_for(&self, count: usize) {
        let received = timeout(TIMEOUT, self.receiver.wait_for(count)).await;
        assert!(
            received.is_ok(),
            "{} of {count} received",
            self.receiver.count()
        );
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn start(data: &Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}

fn events(numbers: std::ops::Range<u64>) -> Vec<Bytes> {
    numbers.map(|n| event("grade_change", n)).collect()
}

async fn post(caller: &Caller, events: &[Bytes]) -> Vec<u64> {
    let lines = events.join(&b"\n"[..]);
    let answer = caller.post_events("application/x-ndjson", lines).await;
    answer.unwrap().accepted()
}

fn bodies(received: &[Received]) -> HashSet<Bytes> {
    received
        .iter()
        .map(|request| request.body.clone())
        .collect()
}

fn set(events: &[Bytes]) -> HashSet<Bytes> {
    events.iter().cloned().collect()
}

/// Asserts that the log begins with these events in order.
#[track_caller]
fn assert_begins(log: &[Shown], events: &[Bytes]) {
    assert!(log.len() >= events.len(), "{} records", log.len());
    for (offset, (shown, event)) in (0_u64..).zip(log.iter().zip(events)) {
        assert_eq!((shown.offset, shown.bytes()), (offset, &**event));
    }
}

/// Checks the log of a server whose disk fails with `fault`: before the fault, during it and after a restart.
async fn check_fault(fault: &str) {
    let setup = FaultSetup::start("*/log.db*").await;
    setup.receiver.hang(true);
    let stored = events(0..200);
    assert_eq!(post(&setup.caller, &stored[..100]).await.len(), 100);
    let answer = setup.caller.put_records(&stored[100..]).await.unwrap();
    assert_eq!(answer.stored().len(), 100);

    setup.disk.fail(fault);
    let rejected = events(200..700);
    setup.assert_rejected(&rejected).await;
    // Stored events are still read and delivered.
    assert!(setup.caller.balance("every").await.pending > 0);
    setup.receiver.hang(false);
    let balance = setup.caller.settled("every").await;
    assert_eq!((balance.accepted, balance.delivered), (200, 200));
    assert_eq!(bodies(&setup.receiver.received()), set(&stored));
    let log = setup.caller.log().await;
    assert_eq!(log.len(), stored.len());
    assert_begins(&log, &stored);

    // The log keeps rejecting, because the disk may have lost earlier writes.
    setup.disk.heal();
    setup.assert_rejected(&rejected).await;

    let setup = setup.kill_and_restart();
    assert_begins(&setup.caller.log().await, &stored);
    assert_eq!(setup.caller.get("/readyz").await.status, StatusCode::OK);
    // The sender sends the rejected events again; some of them may be stored already.
    post(&setup.caller, &rejected).await;
    let log = setup.caller.log().await;
    let all = [stored, rejected].concat();
    assert_eq!(log.len(), all.len());
    assert_begins(&log, &all);
    let balance = setup.caller.settled("every").await;
    assert_eq!((balance.accepted, balance.delivered), (700, 700));
    assert_eq!(bodies(&setup.receiver.received()), set(&all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_synced_rejects_events_until_a_restart_and_loses_nothing() {
    check_fault("EIO sync").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_rejects_events_until_a_restart_and_loses_nothing() {
    check_fault("EIO write").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_a_full_disk_rejects_events_until_a_restart_and_loses_nothing() {
    check_fault("ENOSPC write").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_checkpoint_makes_the_log_reject_events_and_loses_nothing() {
    // Only the database file fails; it is written only by a checkpoint.
    let setup = FaultSetup::start("*/log.db").await;
    let mut stored = events(0..1);
    assert_eq!(post(&setup.caller, &stored).await, [0]);
    setup.disk.fail("EIO sync");
    for event in events(1..2_000) {
        let answer = setup.caller.post_events("application/json", event.clone());
        if answer.await.unwrap().status == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        stored.push(event);
    }
    assert!(stored.len() < 2_000, "there was no checkpoint");
    setup.disk.heal();
    setup.assert_rejected(&events(5_000..5_010)).await;

    let setup = setup.kill_and_restart();
    let log = setup.caller.log().await;
    assert_eq!(log.len(), stored.len(), "a rejected event is in the log");
    assert_begins(&log, &stored);
    let balance = setup.caller.settled("every").await;
    assert_eq!(balance.delivered, balance.accepted);
    assert_eq!(bodies(&setup.receiver.received()), set(&stored));
}

/// Starts a server that cannot save cursors and waits until it stops delivering. Returns all events.
async fn stalled(fault: &str) -> (FaultSetup, Vec<Bytes>) {
    let mut setup = FaultSetup::start("*/state.db*").await;
    let all = events(0..3_101);
    post(&setup.caller, &all[..100]).await;
    setup.caller.settled("every").await;

    setup.disk.fail(fault);
    for chunk in all[100..3_100].chunks(100) {
        assert_eq!(post(&setup.caller, chunk).await.len(), 100);
    }
    setup.running.wait_for("cursors not saved");
    let ready = setup.caller.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{ready:?}");
    // Up to 100 of the earlier deliveries may be unsaved, and 16 deliveries are in flight.
    setup.wait_for(100 + MAX_REPEATS - 100 - 16).await;
    assert_eq!(post(&setup.caller, &all[3_100..]).await, [3_100]);
    assert!(setup.caller.balance("every").await.pending >= 2_000);
    assert!(setup.receiver.count() <= 100 + MAX_REPEATS);
    (setup, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_wait_while_cursors_cannot_be_saved_and_then_continue() {
    let (setup, all) = stalled("ENOSPC write").await;
    setup.disk.heal();
    let balance = setup.caller.settled("every").await;
    assert_eq!((balance.accepted, balance.delivered), (3_101, 3_101));
    let received = setup.receiver.received();
    assert_eq!(received.len(), all.len(), "a delivery was repeated");
    assert_eq!(bodies(&received), set(&all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_cursors_cannot_be_saved_repeats_at_most_a_thousand_deliveries() {
    let (setup, all) = stalled("EIO write").await;
    let setup = setup.kill_and_restart();
    let balance = setup.caller.settled("every").await;
    assert_eq!((balance.accepted, balance.delivered), (3_101, 3_101));
    let received = setup.receiver.received();
    assert_eq!(bodies(&received), set(&all));
    let repeat_count = received.len() - all.len();
    assert!(repeat_count <= MAX_REPEATS, "{repeat_count} repeated");
}

/// The number of events in one request, and so in one block.
const BLOCK: usize = 25;

/// A text in every event, and so in every block.
const MARK: &[u8] = b"q9XwT3mZLr0aVbN5sKdYfH2uPeGcJi8oRx1tWv4E";

/// Flips one bit in each of `count` blocks of the file.
fn flip_bits(file: &Path, count: usize, random: &mut fastrand::Rng) {
    let mut bytes = fs::read(file).unwrap();
    let marked = bytes.windows(MARK.len()).enumerate();
    let mut positions: Vec<_> = marked
        .filter_map(|(position, found)| (found == MARK).then_some(position))
        .collect();
    assert!(positions.len() >= 40, "{} blocks", positions.len());
    random.shuffle(&mut positions);
    for position in &positions[..count] {
        bytes[position + random.usize(..MARK.len())] ^= 1 << random.u8(..8);
    }
    fs::write(file, bytes).unwrap();
}

/// Returns the value of a metric without labels.
async fn metric(caller: &Caller, name: &str) -> Option<u64> {
    let metrics = caller.get("/metrics").await.body;
    let text = std::str::from_utf8(&metrics).unwrap();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find_map(|(found, value)| (found == name).then(|| value.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_damages_only_its_own_block() {
    let folder = tempdir().unwrap();
    let running = start(&data(folder.path()));
    let all = events(0..1_000);
    for chunk in all.chunks(BLOCK) {
        post(&Caller::new(&running), chunk).await;
    }
    // A clean stop checkpoints the WAL into the database.
    running.terminate();
    running.ended();

    for seed in 0..4 {
        let folder_of_seed = folder.path().join(seed.to_string());
        let data = data(&folder_of_seed);
        fs::create_dir_all(&data).unwrap();
        for entry in fs::read_dir(folder.path().join("data")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
        }
        let key = folder.path().join("data.key");
        fs::copy(key, folder_of_seed.join("data.key")).unwrap();
        let file = data.join("log.db");
        flip_bits(&file, 8, &mut fastrand::Rng::with_seed(seed));

        let running = start(&data);
        let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
        let from_the_start = r#""start":"earliest","#;
        caller
            .subscribe("every", from_the_start, &receiver.url())
            .await;
        let log = caller.log().await;
        let lost = all.len() - log.len();
        assert!(
            (1..=8 * BLOCK).contains(&lost) && lost.is_multiple_of(BLOCK),
            "{lost} lost"
        );
        for shown in &log {
            let sent = &all[usize::try_from(shown.offset).unwrap()];
            assert_eq!(shown.bytes(), sent, "seed {seed}");
        }
        let balance = caller.settled("every").await;
        let received = receiver.received();
        assert_eq!(received.len(), log.len());
        let readable = log
            .iter()
            .map(|shown| Bytes::copy_from_slice(shown.bytes()));
        assert_eq!(bodies(&received), readable.collect());
        let lost = u64::try_from(lost).unwrap();
        assert_eq!(balance.accepted, 1_000);
        assert_eq!(balance.delivered, 1_000 - lost);
        assert_eq!((balance.expired, balance.damaged), (lost, lost));
        let counted = metric(&caller, "easel_log_damaged_records_total").await;
        assert_eq!(counted, Some(lost), "seed {seed}");

        // The damaged log still stores and delivers new events.
        assert_eq!(post(&caller, &events(1_000..1_001)).await, [1_000]);
        assert_eq!(caller.settled("every").await.delivered, 1_001 - lost);
    }
}
