//! Shows the parked deliveries and the latest attempts of a subscription, and resumes it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use easel_catalog::OrderKey;
use easel_log::{Clock, Offset};
use easel_subscriptions::{Due, LoggedAttempt, Parked};
use easel_testkit::FakeClock;
use serde_json::{Value, json};

use crate::fixture::{Fixture, full_name};

const GRADES: &str =
    r#"{"name":"grades","start":"earliest","webhook":{"url":"http://localhost:9/"}}"#;
const PATH: &str = "/v1/subscriptions/grades";

/// Creates a subscription with three parked deliveries: the first is due in 30 s, the second waits
/// for the first, and the third waits for an operator.
async fn fixture() -> (FakeClock, Fixture) {
    let clock = FakeClock::default();
    let fixture = Fixture::with_clock(Arc::new(clock.clone())).await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    fixture.append("grade_change", 0..3).await;
    let grades = fixture.subscriptions.get(&full_name("grades")).unwrap();
    let mut account = grades.shared.account();
    let in_30_s = account
        .clock()
        .at(clock.now())
        .after(Duration::from_secs(30));
    for (offset, due, reason) in [
        (0, Due::At(in_30_s), "send: timed out"),
        (1, Due::AfterKey, "an earlier one with its key is parked"),
        (2, Due::OnCommand, "send: timed out"),
    ] {
        let offset = Offset::new(offset);
        account.owe(offset);
        let parked = Parked {
            batch_offset: offset,
            failure_count: 1,
            due,
            key: Some(OrderKey(7)),
            reason: Arc::from(reason),
            attempts: Vec::new(),
            attempt_count: 2,
        };
        assert!(account.park(offset, parked));
    }
    drop(account);
    (clock, fixture)
}

#[tokio::test]
async fn parked_deliveries_show_what_they_wait_for_and_when_they_are_due() {
    let (clock, fixture) = fixture().await;
    let page = fixture.get(&format!("{PATH}/parked?limit=2")).await;
    let wanted = json!({
        "parked": [
            {
                "offset": 0, "waits_for": "time", "due_at": "2025-03-03T08:00:30Z",
                "reason": "send: timed out", "attempt_count": 2, "attempts": [],
            },
            {
                "offset": 1, "waits_for": "key", "due_at": null,
                "reason": "an earlier one with its key is parked", "attempt_count": 2,
                "attempts": [],
            },
        ],
        "next": 2,
    });
    assert_eq!(page, wanted);
    let page = fixture.get(&format!("{PATH}/parked?from=2")).await;
    assert_eq!(page["parked"][0]["waits_for"], "operator");
    assert_eq!(page["next"], Value::Null);

    let parked = &fixture.get(PATH).await["parked"];
    let wanted = json!({
        "count": 3, "next_due_at": "2025-03-03T08:00:30Z",
        "reasons": [
            {"reason": "send: timed out", "count": 2},
            {"reason": "an earlier one with its key is parked", "count": 1},
        ],
        "waits_for_key": 1, "waits_for_operator": 1,
    });
    assert_eq!(*parked, wanted);
    // Nothing is due while the clock of the lane is stopped.
    let grades = fixture.subscriptions.get(&full_name("grades")).unwrap();
    grades.shared.account().stop_clock(clock.now());
    assert_eq!(
        fixture.get(PATH).await["parked"]["next_due_at"],
        Value::Null
    );
    let page = fixture.get(&format!("{PATH}/parked")).await;
    assert_eq!(page["parked"][0]["due_at"], Value::Null);

    let list = fixture.get("/v1/subscriptions").await;
    let in_list = &list["subscriptions"][0];
    assert_eq!(
        (in_list.get("parked"), in_list.get("attempts")),
        (None, None)
    );
    let (status, problem) = fixture
        .ask("GET", &format!("{PATH}/parked?limit=1001"), "")
        .await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("invalid_range"))
    );
}

#[tokio::test]
async fn attempts_are_listed_newest_first_and_summarized_for_the_last_hour() {
    let (clock, fixture) = fixture().await;
    let grades = fixture.subscriptions.get(&full_name("grades")).unwrap();
    let push = |offset, took_millis, outcome| {
        grades.shared.attempts().push(LoggedAttempt {
            offset: Offset::new(offset),
            item_count: 1,
            number: 1,
            at_millis: clock.now().as_millisecond(),
            took_millis,
            status: Some(200),
            outcome,
        });
    };
    push(0, 5, "delivered");
    clock.advance(Duration::from_secs(3_601));
    for offset in 1..=100 {
        push(offset, u32::try_from(offset).unwrap(), "delivered");
    }
    push(101, 9_000, "timed_out");
    let list = fixture.get(&format!("{PATH}/attempts?limit=2")).await;
    let attempts = list["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    let wanted = json!({
        "at": "2025-03-03T09:00:01Z", "offset": 101, "events": 1, "number": 1,
        "outcome": "timed_out", "status": 200, "took_ms": 9000,
    });
    assert_eq!(attempts[0], wanted);
    let summary = &fixture.get(PATH).await["attempts"];
    let wanted = json!({
        "since": "2025-03-03T08:00:01Z",
        "outcomes": {"delivered": 100, "timed_out": 1},
        "latency_ms": {"p50": 50, "p95": 95, "p99": 99},
    });
    assert_eq!(*summary, wanted);
}

#[tokio::test]
async fn a_resume_from_a_later_place_skips_the_events_between() {
    let (_clock, fixture) = fixture().await;
    fixture.append("grade_change", 3..6).await;
    let resume = async |body: &str| fixture.ask("POST", &format!("{PATH}/resume"), body).await;
    let (status, problem) = resume(r#"{"from":"now"}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "invalid_resume");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("it must be paused"),
        "{problem}"
    );
    fixture.ask("POST", &format!("{PATH}/pause"), "").await;
    let (_, problem) = resume(r#"{"from":"soon"}"#).await;
    assert_eq!(problem["pointer"], "/from");
    let (_, problem) = resume(r#"{"form":"now"}"#).await;
    assert_eq!(problem["pointer"], "/form");
    let (status, resumed) = resume(r#"{"from":5}"#).await;
    assert_eq!(status, StatusCode::OK, "{resumed}");
    assert_eq!(resumed["state"], "active");
    let balance = &resumed["balance"];
    let term = |name: &str| balance[name].as_u64().unwrap();
    assert_eq!(
        (term("skipped"), term("expired"), term("pending")),
        (5, 5, 1)
    );
    fixture.ask("POST", &format!("{PATH}/pause"), "").await;
    let (status, _) = resume("").await;
    assert_eq!(status, StatusCode::OK);
    fixture.ask("POST", &format!("{PATH}/pause"), "").await;
    let (_, problem) = resume(r#"{"from":1}"#).await;
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("start a replay"),
        "{problem}"
    );
}

#[tokio::test]
async fn the_status_counts_deliveries_that_are_parked_or_wait_for_an_operator() {
    let (_clock, fixture) = fixture().await;
    fixture.lane_count.send_replace(Some(1));
    let status = fixture.get("/v1/status").await;
    let lane = &status["lanes"][0];
    assert_eq!(
        (
            &lane["parked"],
            &lane["waits_for_operator"],
            &lane["dead_letters"]
        ),
        (&json!(3), &json!(1), &json!(0))
    );
    let wanted = json!([{
        "code": "waits_for_operator",
        "detail": "1 delivery waits for an operator: grades",
    }]);
    assert_eq!(status["attention"], wanted);
}
