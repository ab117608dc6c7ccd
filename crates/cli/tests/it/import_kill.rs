//! An import beside live traffic, whose client and server are killed. Each event must be in the log exactly once.
//!
//! The duplicate window is too small to find an event that is imported again.
//! `EASEL_IMPORT_EVENTS` is the number of events and `EASEL_IMPORT_KILLS` the number of kills. `EASEL_SEED` is the
//! random seed.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use easel_testkit::event;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::caller::{Caller, Shown};
use crate::easel::command;
use crate::kill::number;
use crate::running::Running;

const EVENTS: u64 = 30_000;
const KILLS: u64 = 10;
/// The number of the first imported event. Live events have smaller numbers.
const FIRST: u64 = 1 << 40;
/// One of this many records is not an event.
const BROKEN: u64 = 1000;
const SETTINGS: &str = "[log]\nduplicate_window = 200\n";

#[derive(Deserialize)]
struct ImportedJson {
    files: Vec<Value>,
}

#[derive(Deserialize)]
struct PageJson {
    events: Vec<Shown>,
    next: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_often_stores_each_event_once_beside_live_traffic() {
    let count = number("EASEL_IMPORT_EVENTS").unwrap_or(EVENTS);
    let kills = number("EASEL_IMPORT_KILLS").unwrap_or(KILLS);
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let broken_count = write_archive(&archive, count);
    fs::write(folder.path().join("easel.toml"), SETTINGS).unwrap();
    let data = folder.path().join("data");
    let address = free_address();
    let start = || Running::start_at(&address, &data, &["--auth", "none"], |_command| ());

    let mut running = start();
    let caller = Caller::new(&running);
    let live = Live::start(caller.clone());
    let mut client = start_client(folder.path(), &address);
    let total = count + broken_count;
    let (mut client_kills, mut server_kills) = (0, 0);
    for kill in 0..kills {
        let share = random.u64(..1000);
        let target = total * (kill * 1000 + share) / (kills * 1000);
        wait_until(&caller, target, &mut client).await;
        sleep(Duration::from_millis(random.u64(..30))).await;
        if random.bool() {
            client.kill().unwrap();
            client.wait().unwrap();
            client = start_client(folder.path(), &address);
            client_kills += 1;
        } else {
            running.kill();
            running = start();
            server_kills += 1;
        }
    }
    let output = client.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    // The last client fails only if it met a broken record itself.
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 65)), "{code:?}: {text}");
    let live = live.stop().await;
    let imported = started.elapsed();

    let again = running.easel(&["import", "--json", archive.to_str().unwrap()]);
    let summary: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (&summary["read"], &summary["files_finished_before"]),
        (&0.into(), &3.into())
    );
    let counts = counts(&caller).await;
    assert_eq!(
        counts,
        [count, 0, broken_count],
        "accepted, duplicates, rejected"
    );
    check_log(&caller, count, &live).await;
    check_quarantine(&caller, broken_count).await;
    writeln!(
        std::io::stderr(),
        "{count} events and {broken_count} broken records imported in {imported:.0?} beside {} live events, with \
         {client_kills} kills of the client and {server_kills} of the server: each is stored exactly once; seed {seed}",
        live.len(),
    )
    .unwrap();
}

/// Writes a third of the events as lines, a third as a compressed array, and a third without separators. Returns the
/// number of broken records.
fn write_archive(archive: &Path, count: u64) -> u64 {
    fs::create_dir(archive).unwrap();
    let (third, mut broken) = (count / 3, 0);
    let mut record = |n: u64, out: &mut dyn std::io::Write| {
        out.write_all(&event("grade_change", FIRST + n)).unwrap();
        if n % BROKEN == BROKEN - 1 {
            broken += 1;
            return Some(format!("{{\"broken\":{n}}}"));
        }
        None
    };
    let create = |name: &str| BufWriter::new(File::create(archive.join(name)).unwrap());
    let mut lines = create("a.ndjson");
    for n in 0..third {
        let extra = record(n, &mut lines);
        lines.write_all(b"\n").unwrap();
        if let Some(extra) = extra {
            writeln!(lines, "{extra}").unwrap();
        }
    }
    lines.flush().unwrap();
    let mut array = GzEncoder::new(create("b.json.gz"), Compression::fast());
    for n in third..2 * third {
        array
            .write_all(if n == third { b"[" } else { b",\n" })
            .unwrap();
        if let Some(extra) = record(n, &mut array) {
            write!(array, ",{extra}").unwrap();
        }
    }
    array.write_all(b"]").unwrap();
    array.finish().unwrap().flush().unwrap();
    let mut joined = create("c");
    for n in 2 * third..count {
        if let Some(extra) = record(n, &mut joined) {
            joined.write_all(extra.as_bytes()).unwrap();
        }
    }
    joined.flush().unwrap();
    broken
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn start_client(folder: &Path, address: &str) -> Child {
    let url = format!("http://{address}");
    command(folder, &["import", "archive", "--url", &url])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until this many records are imported, or until the client has ended.
async fn wait_until(caller: &Caller, target: u64, client: &mut Child) {
    while counts(caller).await.iter().sum::<u64>() < target {
        if client.try_wait().unwrap().is_some() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the accepted, duplicate and rejected records of all files.
async fn counts(caller: &Caller) -> [u64; 3] {
    let ImportedJson { files } = caller.read("/v1/imports").await;
    let sum = |name: &str| files.iter().map(|file| file[name].as_u64().unwrap()).sum();
    ["accepted", "duplicates", "rejected"].map(sum)
}

/// Live traffic at the Kinesis door. Each event is sent once.
struct Live {
    stop: watch::Sender<bool>,
    sent: JoinSet<HashMap<u64, bool>>,
}

impl Live {
    fn start(caller: Caller) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut live = JoinSet::new();
        live.spawn(async move {
            let (mut next, mut sent) = (0, HashMap::new());
            while !*stopped.borrow() {
                let numbers: Vec<u64> = (next..next + 25).collect();
                next += 25;
                let events: Vec<_> = numbers
                    .iter()
                    .map(|n| event("course_updated", *n))
                    .collect();
                let answer = caller.put_records(&events).await;
                let is_stored = answer.is_ok_and(|answer| {
                    answer.status.is_success() && answer.json::<Value>()["FailedRecordCount"] == 0
                });
                sent.extend(numbers.into_iter().map(|n| (n, is_stored)));
                sleep(Duration::from_millis(20)).await;
            }
            sent
        });
        Self { stop, sent: live }
    }

    /// Returns the sent events, and whether each was acknowledged.
    async fn stop(mut self) -> HashMap<u64, bool> {
        self.stop.send_replace(true);
        self.sent.join_next().await.unwrap().unwrap()
    }
}

/// Checks that each imported event and each acknowledged live event is in the log once.
async fn check_log(caller: &Caller, count: u64, live: &HashMap<u64, bool>) {
    let mut seen = vec![false; usize::try_from(count).unwrap()];
    let mut seen_live = HashSet::new();
    let mut from = 0;
    loop {
        let page: PageJson = caller
            .read(&format!("/v1/events?from={from}&limit=1000"))
            .await;
        if page.next == from {
            break;
        }
        from = page.next;
        for shown in page.events {
            let Some(n) = number_of(shown.bytes()) else {
                continue; // an operator event
            };
            if n < FIRST {
                assert!(seen_live.insert(n), "live event {n} is stored twice");
                continue;
            }
            let seen = &mut seen[usize::try_from(n - FIRST).unwrap()];
            assert!(!*seen, "event {n} is stored twice");
            *seen = true;
        }
    }
    let missing = seen.iter().filter(|seen| !**seen).count();
    assert_eq!(missing, 0, "imported events are missing");
    for (n, is_stored) in live {
        assert!(
            !is_stored || seen_live.contains(n),
            "live event {n} is missing"
        );
    }
}

/// Returns the number of an event, which is its request id.
fn number_of(bytes: &[u8]) -> Option<u64> {
    let text = str::from_utf8(bytes).unwrap();
    let (_, rest) = text.split_once("\"request_id\":\"")?;
    let id: Uuid = rest.get(..36)?.parse().ok()?;
    u64::try_from(id.as_u128()).ok()
}

/// Checks that each broken record is in quarantine once.
async fn check_quarantine(caller: &Caller, count: u64) {
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let page: Value = caller
            .read(&format!("/v1/quarantine?from={from}&limit=1000"))
            .await;
        let records = page["records"].as_array().unwrap();
        let Some(last) = records.last() else { break };
        from = last["offset"].as_u64().unwrap() + 1;
        found.extend(
            records
                .iter()
                .map(|record| record["data"].as_str().unwrap().to_owned()),
        );
    }
    let mut distinct = found.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(
        found.len(),
        distinct.len(),
        "a broken record is in quarantine twice"
    );
    assert_eq!(found.len() as u64, count);
}
