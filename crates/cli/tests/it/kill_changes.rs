//! Kills the server during requests with changes. The log has all events of a request, or no event of it.
//!
//! `EASEL_SEED` is the random seed; each run prints its seed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::caller::{Answer, Caller};
use crate::kill::number;
use crate::running::Running;

const KILLS: u64 = 8;

/// Returns the number of changes in a request. Each change has two events, so that large requests span several
/// blocks of the log.
const fn change_count(request: u64) -> u64 {
    if request % 4 == 3 { 2_200 } else { 6 }
}

fn change(request: u64, number: u64) -> Value {
    let course = |syllabus: String| {
        json!({
            "id": request + 1, "account_id": 2, "name": format!("{request}.{number}"), "uuid": "f",
            "workflow_state": "available", "created_at": "2026-02-11T08:15:41Z",
            "updated_at": "2026-02-11T08:15:41Z", "syllabus_body": syllabus,
        })
    };
    json!({
        "record": "Course",
        "operation": "update",
        "before": course(String::new()),
        "after": course(format!("{request}.{number}")),
    })
}

async fn post(caller: &Caller, changes: Vec<Value>) -> Answer {
    let answer = caller.post_changes(&changes.into()).await;
    answer.expect("a running server answers")
}

fn start(data: &Path) -> Running {
    Running::start_with(data, &["--auth", "none"], |_command| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_stores_all_events_of_a_request_or_no_event() {
    let seed = number("EASEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut running = start(&data);
    let (mut sent, mut acknowledged) = (0, Vec::new());
    for _ in 0..KILLS {
        let lifetime = sleep(Duration::from_millis(random.u64(20..900)));
        tokio::pin!(lifetime);
        let caller = Caller::new(&running);
        loop {
            let changes: Vec<_> = (0..change_count(sent))
                .map(|number| change(sent, number))
                .collect();
            let request = sent;
            sent += 1;
            tokio::select! {
                answer = post(&caller, changes) => {
                    let answer: Value = answer.json();
                    assert_eq!(answer["accepted"], 2 * change_count(request));
                    acknowledged.push(request);
                }
                () = &mut lifetime => break,
            }
        }
        running.kill();
        running = start(&data);
    }
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for shown in Caller::new(&running).log().await {
        let event: Value = serde_json::from_slice(shown.bytes()).unwrap();
        let course = event["body"]["course_id"].as_str().unwrap();
        *counts
            .entry(course.parse::<u64>().unwrap() - 1)
            .or_default() += 1;
    }
    for (request, count) in &counts {
        assert_eq!(
            *count,
            2 * change_count(*request),
            "of request {request}, seed {seed}"
        );
    }
    assert!(!acknowledged.is_empty(), "seed {seed}");
    for request in &acknowledged {
        assert!(
            counts.contains_key(request),
            "{request} was acknowledged, seed {seed}"
        );
    }
    writeln!(
        std::io::stderr(),
        "{KILLS} kills, seed {seed}: {} of {sent} requests acknowledged, {} in the log",
        acknowledged.len(),
        counts.len()
    )
    .unwrap();
}
