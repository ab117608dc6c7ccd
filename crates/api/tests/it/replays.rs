//! Starts, counts, lists and cancels replays.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use easel_log::{Clock, Offset};
use easel_subscriptions::{LoggedAttempt, ReplayNumber};
use easel_testkit::FakeClock;
use serde_json::{Value, json};

use crate::fixture::{Fixture, full_name};

const GRADES: &str =
    r#"{"name":"grades","events":["grade_*"],"webhook":{"url":"http://localhost:9/"}}"#;
const PATH: &str = "/v1/subscriptions/grades/replays";

/// Creates a log with ten pairs of `grade_change` and `logged_in`, one pair per hour.
async fn fixture() -> (FakeClock, Fixture) {
    let clock = FakeClock::default();
    let fixture = Fixture::with_clock(Arc::new(clock.clone())).await;
    for number in 0..10 {
        fixture
            .append("grade_change", 2 * number..2 * number + 1)
            .await;
        fixture
            .append("logged_in", 2 * number + 1..2 * number + 2)
            .await;
        clock.advance(Duration::from_hours(1));
    }
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    (clock, fixture)
}

#[tokio::test]
async fn a_replay_is_started_listed_shown_and_cancelled() {
    let (clock, fixture) = fixture().await;
    let body = r#"{"from":4,"to":10,"max_rate":50}"#;
    let (status, made) = fixture.ask("POST", PATH, body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let wanted = json!({
        "number": 1, "from": 4, "to": 10, "events": ["*"], "conditions": {}, "max_rate": 50,
        "created_at": "2025-03-03T18:00:00Z", "state": "running", "reason": null,
        "progress": {"done": 0, "total": 6}, "rate": 0.0,
        "balance": {
            "subscription": "grades", "accepted": 6, "delivered": 0, "filtered": 0,
            "out_of_reach": 0, "other_format": 0, "pending": 6, "parked": 0, "dead": 0, "discarded": 0, "expired": 0,
            "damaged": 0, "skipped": 0, "cursor": 4,
        },
    });
    assert_eq!(made, wanted);
    assert_eq!(fixture.get(PATH).await, json!({ "replays": [made] }));
    let one = format!("{PATH}/1");
    assert_eq!(fixture.get(&one).await, made);

    fixture
        .ask("POST", "/v1/subscriptions/grades/pause", "")
        .await;
    assert_eq!(fixture.get(&one).await["state"], "paused");
    fixture
        .ask("POST", "/v1/subscriptions/grades/resume", "")
        .await;
    let number = ReplayNumber::new(1).unwrap();
    let replay = fixture
        .subscriptions
        .lane(&full_name("grades"), Some(number))
        .unwrap();
    clock.advance(Duration::from_secs(4));
    replay.shared.attempts().push(LoggedAttempt {
        offset: Offset::new(4),
        item_count: 2,
        number: 1,
        at_millis: clock.now().as_millisecond(),
        took_millis: 1,
        status: Some(200),
        outcome: "delivered",
    });
    assert_eq!(fixture.get(&one).await["rate"], 0.5, "two events in 4 s");
    replay.shared.account().match_to(Offset::new(10));
    let ended = fixture.get(&one).await;
    assert_eq!(ended["state"], "ended");
    assert_eq!(ended["progress"], json!({"done": 6, "total": 6}));

    let (status, _) = fixture.ask("DELETE", &one, "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for (method, path) in [
        ("GET", &*one),
        ("DELETE", &one),
        ("GET", &format!("{PATH}/x")),
    ] {
        let (status, problem) = fixture.ask(method, path, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(problem["code"], "no_such_replay");
    }
}

#[tokio::test]
async fn a_range_can_begin_at_a_time_and_ends_at_the_head_by_default() {
    let (_clock, fixture) = fixture().await;
    let body =
        r#"{"from":"2025-03-03T13:00:00Z","events":["grade_*"],"conditions":{"user":["1"]}}"#;
    let (status, made) = fixture.ask("POST", PATH, body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["from"], &made["to"]), (&json!(10), &json!(20)));
    assert_eq!(made["conditions"], json!({"user": ["1"]}));
}

#[tokio::test]
async fn a_dry_run_counts_the_matching_events_and_starts_no_replay() {
    let (_clock, fixture) = fixture().await;
    let count = async |body: &str| {
        let (status, answer) = fixture.ask("POST", PATH, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    };
    let whole = count(r#"{"from":"earliest","dry_run":true}"#).await;
    let wanted = json!({"from": 0, "to": 20, "events": 20, "matches": 10, "counted_to": 20});
    assert_eq!(whole, wanted);
    let part = count(r#"{"from":5,"to":9,"dry_run":true}"#).await;
    assert_eq!((&part["events"], &part["matches"]), (&json!(4), &json!(2)));
    let other = count(r#"{"from":0,"events":["logged_in"],"dry_run":true}"#).await;
    assert_eq!(
        other["matches"], 0,
        "the subscription does not want this event type"
    );
    let user = event_user(&fixture, 0).await;
    let body = json!({"from": 0, "conditions": {"user": [user]}, "dry_run": true});
    let narrowed = count(&body.to_string()).await["matches"].as_u64().unwrap();
    assert!((1..10).contains(&narrowed), "{narrowed}");
    assert_eq!(fixture.get(PATH).await, json!({ "replays": [] }));
}

async fn event_user(fixture: &Fixture, offset: u64) -> Value {
    let page = fixture
        .get(&format!("/v1/events?from={offset}&limit=1"))
        .await;
    page["events"][0]["event"]["metadata"]["user_id"].clone()
}

#[tokio::test]
async fn an_invalid_replay_is_refused() {
    let (_clock, fixture) = fixture().await;
    let check = async |body: &str, words: &str| {
        for dry_run in [false, true] {
            let mut body: Value = serde_json::from_str(body).unwrap();
            body["dry_run"] = dry_run.into();
            let (status, problem) = fixture.ask("POST", PATH, &body.to_string()).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
            assert_eq!(problem["code"], "invalid_replay");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(words), "{problem}");
        }
    };
    check("{}", "`/from` is missing").await;
    check(r#"{"from":"soon"}"#, "`/from`: the start must be").await;
    check(r#"{"from":"now"}"#, "has no events").await;
    check(r#"{"from":3,"to":3}"#, "has no events").await;
    check(r#"{"from":3,"to":21}"#, "after the end of the log, 20").await;
    check(r#"{"from":3,"events":[]}"#, "`/events` must have").await;
    check(r#"{"from":3,"max_rate":0}"#, "`/max_rate`").await;
    fixture.log.trim_to(Offset::new(2)).await.unwrap();
    check(r#"{"from":1}"#, "the log keeps events from 2 on").await;
    let (status, problem) = fixture
        .ask("POST", "/v1/subscriptions/x/replays", r#"{"from":2}"#)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(problem["code"], "no_such_subscription");
}
