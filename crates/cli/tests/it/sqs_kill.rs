//! The kill tests of queues: a server that reads a queue, and one that sends to queues, are killed many times.
//!
//! `EASEL_SQS_KILLS` is the number of kills while it reads, and `EASEL_SQS_SINK_KILLS` while it sends.
//! `EASEL_SEED` is the random seed; each run prints its seed.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::kill::load::{Load, numbered};
use crate::kill::oracle::Oracle;
use crate::kill::{number, start};
use crate::queue::{Emulator, EmulatorKind, KEY_ID, QueueCaller, SECRET};

/// The default numbers of kills.
const KILLS: u64 = 20;
const SINK_KILLS: u64 = 12;

/// The time from the start of a server to its kill, in milliseconds.
const LIFETIME: Range<u64> = 20..500;

/// One of this many messages is not an event.
const POISON: u64 = 40;

/// The pause of a sender between two batches.
const PAUSE: Duration = Duration::from_millis(25);

/// Messages come back soon after a kill.
const VISIBILITY_SECONDS: &str = "2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_of_moto_is_stored_once_however_often_the_server_is_killed() {
    kill_while_reading(EmulatorKind::Moto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_of_local_aws_sqs_is_stored_once_however_often_the_server_is_killed() {
    kill_while_reading(EmulatorKind::LocalAwsSqs).await;
}

async fn kill_while_reading(kind: EmulatorKind) {
    let Some(emulator) = Emulator::start(kind).await else {
        return;
    };
    let kills = number("EASEL_SQS_KILLS").unwrap_or(KILLS);
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = Rng::with_seed(seed);
    say(&format!("seed {seed}"));
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let visibility = json!({ "VisibilityTimeout": VISIBILITY_SECONDS });
    let queue = emulator
        .client
        .create("canvas-live-events", visibility)
        .await;

    let mut running = start(&data);
    let source = json!({
        "name": "hosted", "kind": "sqs", "queue_url": queue, "pollers": 2,
        "endpoint_url": emulator.client.endpoint,
        "access_key_id": KEY_ID, "secret_access_key": SECRET,
    });
    let caller = Caller::new(&running);
    let created = caller.call(Method::POST, "/v1/sources", Some(source));
    let created = created.await.unwrap();
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");

    // The server of moto takes far fewer requests in a second.
    let pause = match kind {
        EmulatorKind::Moto => 20 * PAUSE,
        EmulatorKind::LocalAwsSqs => PAUSE,
    };
    let stop = CancellationToken::new();
    let mut sender = JoinSet::new();
    sender.spawn(send_until(
        emulator.client.clone(),
        queue.clone(),
        pause,
        stop.clone(),
    ));
    for _kill in 0..kills {
        sleep(Duration::from_millis(random.u64(LIFETIME))).await;
        running.kill();
        running = start(&data);
    }
    stop.cancel();
    let sent_count = sender.join_next().await.unwrap().unwrap();
    emulator.client.drained(&queue).await;

    let caller = Caller::new(&running);
    let mut found = HashMap::new();
    for record in caller.log().await {
        *found.entry(record.bytes().to_vec()).or_insert(0) += 1;
    }
    let (mut event_count, mut poison_count) = (0, 0);
    for number in 0..sent_count {
        if is_poison(number) {
            poison_count += 1;
        } else {
            event_count += 1;
            let count = found.remove(&numbered(number).to_vec());
            assert_eq!(count, Some(1), "event {number}");
        }
    }
    found.retain(|bytes, _count| !bytes.starts_with(br#"{"metadata":{"event_name":"easel."#));
    assert!(found.is_empty(), "more than was sent: {found:?}");
    let quarantined = quarantine(&caller).await;
    let distinct: HashSet<_> = quarantined.iter().collect();
    assert_eq!(distinct.len(), quarantined.len(), "quarantined twice");
    assert_eq!(quarantined.len(), poison_count, "messages in quarantine");
    let shown: Value = caller.read("/v1/sources/hosted").await;
    say(&format!(
        "{kind:?}: {kills} kills while reading in {:.0?}, seed {seed}: {sent_count} messages; {event_count} events \
         once each in the log, {poison_count} messages once each in quarantine; the health says {}",
        started.elapsed(),
        shown["health"]["last_day"],
    ));
}

/// Sends numbered messages until the stop. Returns their number.
async fn send_until(
    client: QueueCaller,
    queue: String,
    pause: Duration,
    stop: CancellationToken,
) -> u64 {
    let mut next = 0;
    while !stop.is_cancelled() {
        let numbers = next..next + 10;
        let messages = numbers.map(|number| {
            let body = if is_poison(number) {
                format!("no event {number}")
            } else {
                String::from_utf8(numbered(number).to_vec()).unwrap()
            };
            (body, "x")
        });
        let messages: Vec<_> = messages.collect();
        client.send(&queue, &messages).await.unwrap();
        next += 10;
        sleep(pause).await;
    }
    next
}

const fn is_poison(number: u64) -> bool {
    number % POISON == 13
}

/// Returns the texts of all records in quarantine.
async fn quarantine(caller: &Caller) -> Vec<String> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/quarantine?from={from}&limit=1000");
        let page: Value = caller.read(&path).await;
        let records = page["records"].as_array().unwrap();
        let Some(last) = records.last() else {
            return all;
        };
        from = last["offset"].as_u64().unwrap() + 1;
        all.extend(
            records
                .iter()
                .map(|record| record["data"].as_str().unwrap().to_owned()),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_in_queues_of_moto_however_often_the_server_is_killed() {
    kill_while_sending(EmulatorKind::Moto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_in_queues_of_local_aws_sqs_however_often_the_server_is_killed() {
    kill_while_sending(EmulatorKind::LocalAwsSqs).await;
}

async fn kill_while_sending(kind: EmulatorKind) {
    let Some(emulator) = Emulator::start(kind).await else {
        return;
    };
    let kills = number("EASEL_SQS_SINK_KILLS").unwrap_or(SINK_KILLS);
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = Rng::with_seed(seed);
    say(&format!("seed {seed}"));
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let client = &emulator.client;
    let standard = client.create("standard", json!({})).await;
    let fifo = client
        .create("in-order.fifo", json!({ "FifoQueue": "true" }))
        .await;

    let mut running = start(&data);
    let caller = Caller::new(&running);
    subscribe(&caller, client, "standard", &standard, json!({})).await;
    subscribe(&caller, client, "fifo", &fifo, json!({ "order": "key" })).await;
    // The server of moto takes far fewer requests in a second.
    let pause = Duration::from_millis(match kind {
        EmulatorKind::Moto => 200,
        EmulatorKind::LocalAwsSqs => 60,
    });
    let mut load = Load::start_slow(&mut random, pause);
    for _kill in 0..kills {
        load.connect(Caller::new(&running));
        sleep(Duration::from_millis(random.u64(LIFETIME))).await;
        running.kill();
        load.disconnect();
        running = start(&data);
    }
    let caller = Caller::new(&running);
    load.connect(caller.clone());
    let sent = load.stop().await;
    let log = caller.log().await;
    assert!(!log.is_empty(), "no request was answered between two kills");
    let oracle = Oracle::check_log(sent, &log);
    for name in ["standard", "fifo"] {
        let balance = caller.settled(name).await;
        assert_eq!((balance.dead, balance.expired), (0, 0), "{name}");
    }
    let stored: HashMap<_, _> = log
        .iter()
        .map(|record| (record.id.clone(), (record.offset, record.bytes().to_vec())))
        .collect();
    let in_standard = client.take_all(&standard).await;
    let in_fifo = client.take_all(&fifo).await;
    for messages in [&in_standard, &in_fifo] {
        let arrived: HashSet<_> = messages.iter().map(|message| &message.event_id).collect();
        let missing = stored.keys().filter(|id| !arrived.contains(id)).count();
        assert_eq!(missing, 0, "events are missing in a queue");
        for message in messages {
            let (_offset, bytes) = &stored[&message.event_id];
            assert_eq!(message.body.as_bytes(), bytes);
        }
    }
    assert!(
        started.elapsed() < Duration::from_secs(290),
        "longer than the window of SQS"
    );
    assert_eq!(in_fifo.len(), stored.len(), "the FIFO queue has repeats");
    let mut last_of_group = HashMap::new();
    for message in &in_fifo {
        let (offset, _bytes) = &stored[&message.event_id];
        let last = last_of_group.insert(message.group.clone(), *offset);
        assert!(
            last.is_none_or(|last| last < *offset),
            "out of order: {message:?}"
        );
    }
    say(&format!(
        "{kind:?}: {kills} kills while sending in {:.0?}, seed {seed}: {oracle}; {} messages in the standard queue, \
         {} of them repeats; {} messages in the FIFO queue, without repeats, in order in each of {} groups",
        started.elapsed(),
        in_standard.len(),
        in_standard.len() - stored.len(),
        in_fifo.len(),
        last_of_group.len(),
    ));
}

async fn subscribe(caller: &Caller, client: &QueueCaller, name: &str, queue: &str, more: Value) {
    let mut spec = json!({
        "name": name,
        "sqs": {
            "queue_url": queue, "endpoint_url": client.endpoint,
            "access_key_id": KEY_ID, "secret_access_key": SECRET,
        },
    });
    let members = spec.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let created = caller
        .call(Method::POST, "/v1/subscriptions", Some(spec))
        .await;
    let created = created.unwrap();
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
}

fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}
