//! A log that refuses writes: at every door, senders wait, so that they do not use up their retries.

use std::time::Duration;

use axum::http::Request;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_ingest::IntakeOptions;
use easel_testkit::event;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::doors::{Answer, Doors, check_error, put_records};

/// The number of requests of `every_door`.
const WAYS: usize = 5;

/// Sends one request for each way to store a record. Returns the answers with their delays.
async fn every_door(doors: &Doors) -> [(Answer, Duration); WAYS] {
    let start = Instant::now();
    let event = event("course_created", 1);
    let single = json!({
        "StreamName": "s",
        "Data": BASE64_STANDARD.encode(&event),
        "PartitionKey": "k",
    });
    let (many, invalid) = (put_records(&[&event]), put_records(&[b"7"]));
    let change = Request::post("/v1/changes")
        .header("content-type", "application/json")
        .body(json!({ "action": "logged_out" }).to_string().into());
    let timed = async |answer| (answer, start.elapsed());
    tokio::join!(
        async { timed(doors.kinesis("PutRecord", &single).await).await },
        async { timed(doors.kinesis("PutRecords", &many).await).await },
        async { timed(doors.kinesis("PutRecords", &invalid).await).await },
        async { timed(doors.native("application/json", event.clone()).await).await },
        async { timed(doors.send(change.unwrap()).await).await },
    )
    .into()
}

fn fail(doors: &Doors, is_failing: bool) {
    doors.log.fail_appends(is_failing);
    doors.quarantine_log.fail_appends(is_failing);
}

/// Checks that each answer says that nothing was stored.
#[track_caller]
fn check_refused(answers: &[(Answer, Duration); WAYS], wanted: Duration) {
    let [single, many, invalid, native, changes] = answers;
    check_error(&single.0, 500, "InternalFailure");
    for (answer, _) in [many, invalid] {
        assert_eq!(answer.json["FailedRecordCount"], 1, "{answer:?}");
        assert_eq!(answer.json["Records"][0]["ErrorCode"], "InternalFailure");
    }
    for (answer, _) in [native, changes] {
        assert_eq!(answer.json["code"], "log_unavailable", "{answer:?}");
    }
    for (answer, elapsed) in answers {
        assert_eq!(*elapsed, wanted, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_a_log_that_refuses_writes_and_then_fail() {
    let doors = Doors::open();
    fail(&doors, true);
    let max_wait = IntakeOptions::default().max_wait;
    check_refused(&every_door(&doors).await, max_wait);
    assert!(doors.stored().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn waiting_requests_are_stored_once_the_log_accepts_writes_again() {
    let doors = Doors::open();
    fail(&doors, true);
    let mended = async {
        sleep(Duration::from_secs(19)).await;
        fail(&doors, false);
    };
    let (answers, ()) = tokio::join!(every_door(&doors), mended);
    for (answer, elapsed) in answers {
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(
            answer.json.get("FailedRecordCount").unwrap_or(&json!(0)),
            &json!(0)
        );
        assert!(elapsed < IntakeOptions::default().max_wait, "{elapsed:?}");
    }
    let stored = doors.stored().await;
    let count = |name: &str| {
        let events = stored
            .iter()
            .map(|bytes| serde_json::from_slice::<Value>(bytes).unwrap());
        events
            .filter(|event| event["metadata"]["event_name"] == name)
            .count()
    };
    assert_eq!((count("course_created"), count("logged_out")), (1, 1));
    assert_eq!(doors.quarantine.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_during_the_wait_is_answered_after_the_maximum_wait() {
    let doors = Doors::open();
    doors.log.hold_appends(true);
    let failing = async {
        doors.log.wait_for_held(1).await;
        doors.log.fail_appends(true);
        doors.log.hold_appends(false);
    };
    let start = Instant::now();
    let records = put_records(&[event("course_created", 1)]);
    let (answer, ()) = tokio::join!(doors.kinesis("PutRecords", &records), failing);
    assert_eq!(answer.json["FailedRecordCount"], 1, "{answer:?}");
    assert_eq!(start.elapsed(), IntakeOptions::default().max_wait);
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_past_the_stop() {
    let doors = Doors::open();
    fail(&doors, true);
    let stopped = async {
        sleep(Duration::from_secs(3)).await;
        doors.stop.cancel();
    };
    let (answers, ()) = tokio::join!(every_door(&doors), stopped);
    check_refused(&answers, Duration::from_secs(3));
}
