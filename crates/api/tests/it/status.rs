//! Tests of `/v1/status`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use easel_log::Clock;
use easel_quarantine::NewQuarantined;
use easel_subscriptions::Hold;
use easel_testkit::FakeClock;
use serde_json::{Value, json};

use crate::fixture::{Fixture, MAX_AGE, full_name};

const GRADES: &str =
    r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost:9/"}}"#;

async fn fixture() -> (FakeClock, Fixture) {
    let clock = FakeClock::default();
    (clock.clone(), Fixture::with_clock(Arc::new(clock)).await)
}

/// Returns the codes of all problems that need attention.
async fn codes(fixture: &Fixture) -> Vec<String> {
    let status = fixture.get("/v1/status").await;
    let attention = status["attention"].as_array().unwrap();
    let codes = attention
        .iter()
        .map(|problem| problem["code"].as_str().unwrap());
    codes.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_fresh_server_has_no_problems() {
    let (_clock, fixture) = fixture().await;
    let status = fixture.get("/v1/status").await;
    let wanted = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "address": "127.0.0.1:4567",
        "now": "2025-03-03T08:00:00Z",
        "started_at": "2025-03-03T08:00:00Z",
        "log": {
            "writable": true, "readable": true, "events": 0, "bytes": 0, "tail": 0, "head": 0,
            "events_per_second": 0.0, "damaged": 0, "max_age_seconds": 144_000,
        },
        "disk": { "free_bytes": 50_u64 << 30, "total_bytes": 100_u64 << 30 },
        "audit": { "failing": false, "damaged": 0 },
        "drift": { "sightings": 0, "new": 0, "pending": 0 },
        "quarantine": { "writable": true, "records": 0 },
        "lanes_running": 0,
        "cursors_saved": true,
        "lanes": [],
        "sources": [],
        "attention": [],
    });
    assert_eq!(status, wanted);
}

#[tokio::test]
async fn the_rate_covers_the_last_five_minutes_and_the_oldest_event_has_a_time() {
    let (clock, fixture) = fixture().await;
    fixture.append("a", 0..100).await;
    clock.advance(Duration::from_mins(10));
    fixture.append("a", 100..130).await;
    let log = &fixture.get("/v1/status").await["log"];
    assert_eq!(log["events"], 130);
    assert_eq!(log["oldest_at"], "2025-03-03T08:00:00Z");
    assert_eq!(log["events_per_second"], json!(0.1));
}

#[tokio::test]
async fn a_lane_that_is_behind_shows_since_when_why_and_when_it_loses_events() {
    let (clock, fixture) = fixture().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    fixture.lane_count.send_replace(Some(1));
    fixture.append("grade_change", 0..5).await;
    let lane = async || fixture.get("/v1/status").await["lanes"][0].clone();

    let fresh = lane().await;
    assert_eq!(
        (&fresh["behind"], &fresh["pending"]),
        (&json!(false), &json!(5))
    );

    let hold = |reason: &str| Hold {
        since: clock.now(),
        until: Some(clock.now() + Duration::from_secs(5)),
        reason: reason.to_owned(),
    };
    let grades = fixture.subscriptions.get(&full_name("grades")).unwrap();
    grades
        .shared
        .set_hold(Some(hold("the endpoint answered 503")));
    let holding = lane().await;
    let wanted = json!({
        "subscription": "grades", "state": "active", "behind": true, "pending": 5, "parked": 0,
        "waits_for_operator": 0, "dead_letters": 0, "expired": 0, "other_format": 0,
        "adds_up": true, "pending_since": "2025-03-03T08:00:00Z",
        "reason": "the endpoint answered 503", "held_since": "2025-03-03T08:00:00Z",
        "next_attempt_at": "2025-03-03T08:00:05Z",
        "loses_events_at": "2025-03-05T00:00:00Z",
    });
    assert_eq!(holding, wanted);
    assert_eq!(codes(&fixture).await, ["holding"]);

    // An hour later it is no longer on hold, but has not caught up.
    grades.shared.set_hold(None);
    clock.advance(Duration::from_hours(1));
    assert_eq!(lane().await["behind"], true);
    assert_eq!(codes(&fixture).await, ["behind"]);

    // Three quarters of the maximum age have passed.
    clock.advance(MAX_AGE * 3 / 4);
    assert_eq!(codes(&fixture).await, ["losing_events", "behind"]);
}

#[tokio::test]
async fn a_subscription_that_is_not_served_is_behind_as_soon_as_events_are_pending() {
    let (_clock, fixture) = fixture().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    fixture
        .ask("POST", "/v1/subscriptions/grades/pause", "")
        .await;
    assert_eq!(fixture.get("/v1/status").await["lanes"][0]["behind"], false);
    fixture.append("grade_change", 0..1).await;
    let lane = &fixture.get("/v1/status").await["lanes"][0];
    assert_eq!(
        (&lane["behind"], &lane["state"]),
        (&json!(true), &json!("paused"))
    );
    // An operator paused it, and no event is about to be lost.
    assert_eq!(codes(&fixture).await, [""; 0]);
}

#[tokio::test]
async fn lanes_disk_quarantine_and_a_paused_endpoint_are_listed_if_they_need_an_operator() {
    let (_clock, fixture) = fixture().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    assert_eq!(codes(&fixture).await, ["lanes_missing"]);
    fixture.lane_count.send_replace(Some(1));

    fixture.free_bytes.store(1 << 30, Ordering::SeqCst);
    assert_eq!(codes(&fixture).await, ["disk"]);
    fixture.free_bytes.store(6 << 30, Ordering::SeqCst);
    assert_eq!(codes(&fixture).await, [""; 0]);

    let record = NewQuarantined {
        door: "kinesis",
        code: "not_json".to_owned(),
        detail: "it is not JSON".to_owned(),
        source: None,
        reach: None,
        event_name: None,
        message_id: None,
        bytes: "x".into(),
    };
    fixture.quarantine.put(vec![record]).await.unwrap();
    assert_eq!(codes(&fixture).await, ["quarantine"]);
    fixture.ask("DELETE", "/v1/quarantine", "").await;

    let grades = fixture.subscriptions.get(&full_name("grades")).unwrap();
    let gone = "the endpoint is gone (410)".to_owned();
    let paused = easel_subscriptions::State::Paused {
        reason: Some(gone.clone()),
    };
    fixture
        .subscriptions
        .set_state_if_current(&grades, paused)
        .await
        .unwrap();
    let status = fixture.get("/v1/status").await;
    assert_eq!(status["lanes"][0]["reason"], gone);
    let wanted =
        json!([{"code": "paused_by_endpoint", "detail": "paused by the endpoint: grades"}]);
    assert_eq!(status["attention"], wanted);
}

#[tokio::test]
async fn new_drift_needs_attention_for_a_day() {
    let (clock, fixture) = fixture().await;
    fixture.append("never_heard_of", 0..1).await;
    let scanned = async {
        while fixture.drift.report().records.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = fixture.drift.run(fixture.stop.clone()) => (),
        () = scanned => (),
    }
    let drift = fixture.get("/v1/status").await["drift"].clone();
    let wanted: Value = json!({
        "sightings": 1, "new": 1, "last_seen": "2025-03-03T08:00:00Z", "pending": 0,
    });
    assert_eq!(drift, wanted);
    assert_eq!(codes(&fixture).await, ["drift"]);
    clock.advance(Duration::from_hours(24));
    assert_eq!(codes(&fixture).await, [""; 0]);
}

#[tokio::test]
async fn an_unreadable_log_leaves_out_only_the_times() {
    let (_clock, fixture) = fixture().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    fixture.lane_count.send_replace(Some(1));
    fixture.append("grade_change", 0..1).await;
    fixture.failing.fail_reads(true);
    let status = fixture.get("/v1/status").await;
    assert_eq!(status["log"]["readable"], false);
    for absent in ["oldest_at", "events_per_second"] {
        assert_eq!(status["log"].get(absent), None, "{status}");
    }
    assert_eq!(status["log"]["events"], 1);
    assert_eq!(status["lanes"][0]["pending"], 1);
    assert_eq!(codes(&fixture).await, ["log_unreadable"]);
}
