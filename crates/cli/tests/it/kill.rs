//! The kill test: kills a busy server many times. An oracle outside the server knows which events were
//! acknowledged.
//!
//! `EASEL_KILLS` is the number of kills. `EASEL_SEED` is the random seed; each run prints its seed.

pub(crate) mod load;
pub(crate) mod oracle;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use easel_testkit::Receiver;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::caller::Caller;
use crate::easel::command;
use crate::running::Running;
use load::Load;
use oracle::Oracle;

/// The default number of kills.
const KILLS: u64 = 30;

/// The time from the start of a server to its kill, in milliseconds.
const LIFETIME: std::ops::Range<u64> = 20..300;

/// One of this many kills hits a server that is still starting.
const EARLY: u64 = 5;

/// The maximum number of deliveries per subscription that one kill may repeat.
const MAX_REPEATS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_however_often_the_server_is_killed() {
    let kills = number("EASEL_KILLS").unwrap_or(KILLS);
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (every, grades) = (Receiver::start().await, Receiver::start().await);
    let (flaky, failed) = flaky().await;

    let mut running = start(&data);
    let caller = Caller::new(&running);
    caller.subscribe("every", "", &every.url()).await;
    let grades_only = r#""events":["grade_*"],"#;
    caller.subscribe("grades", grades_only, &grades.url()).await;
    let retry = r#""retry":["1s","1s","1s","2s","2s","5s","5s","10s"],"#;
    caller.subscribe("flaky", retry, &flaky.url()).await;

    let mut load = Load::start(&mut random);
    for kill in 0..kills {
        load.connect(Caller::new(&running));
        sleep(Duration::from_millis(random.u64(LIFETIME))).await;
        running.kill();
        load.disconnect();
        if kill % EARLY == EARLY - 1 {
            start_and_kill(&data, Duration::from_millis(random.u64(0..LIFETIME.end))).await;
        }
        running = start(&data);
    }
    let caller = Caller::new(&running);
    load.connect(caller.clone());
    let sent = load.stop().await;

    let oracle = Oracle::check_log(sent, &caller.log().await);
    assert_eq!(oracle.unseen, 0, "the log has gaps");
    let every = oracle.check(&caller.settled("every").await, &every.received(), "");
    let grades = oracle.check(
        &caller.settled("grades").await,
        &grades.received(),
        "grade_",
    );
    let flaky = oracle.check(&caller.settled("flaky").await, &flaky.received(), "");
    let flaky = flaky - failed.load(Ordering::Relaxed);
    let bound = kills * MAX_REPEATS;
    assert!(
        every <= bound && grades <= bound && flaky <= bound,
        "{every}, {grades}, {flaky} repeated"
    );
    writeln!(
        std::io::stderr(),
        "{kills} kills in {:.0?}, seed {seed}: {oracle}; repeated to webhooks: {every}, \
         {grades} and {flaky}, at most {bound} each",
        started.elapsed()
    )
    .unwrap();
}

/// Starts an endpoint that rejects one of 50 requests. Returns it with the number of rejections.
async fn flaky() -> (Receiver, Arc<AtomicU64>) {
    let (flaky, failed) = (Receiver::start().await, Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&failed);
    flaky.answer_with(move |_request| {
        if fastrand::u8(..50) > 0 {
            return StatusCode::OK;
        }
        count.fetch_add(1, Ordering::Relaxed);
        StatusCode::SERVICE_UNAVAILABLE
    });
    (flaky, failed)
}

/// Parses the number in a variable, if the variable is set.
pub(crate) fn number<T: FromStr<Err: std::fmt::Debug>>(variable: &str) -> Option<T> {
    std::env::var_os(variable).map(|text| text.to_str().unwrap().parse().unwrap())
}

pub(crate) fn start(data: &Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}

/// Starts a server and kills it after `lifetime`, even if it is still starting.
pub(crate) async fn start_and_kill(data: &Path, lifetime: Duration) {
    let folder = data.parent().unwrap();
    let mut child = command(
        folder,
        &["serve", "--auth", "none", "--listen", "127.0.0.1:0"],
    )
    .arg("--data")
    .arg(data)
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    sleep(lifetime).await;
    child.kill().unwrap();
    child.wait().unwrap();
}
