//! Lists, shows, redelivers and discards dead letters.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use easel_log::Offset;
use easel_subscriptions::{Attempt, DeadLetter, Due, Parked, Subscription};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, full_name};

const GRADES: &str =
    r#"{"name":"grades","start":"earliest","webhook":{"url":"http://localhost:9/"}}"#;
const PATH: &str = "/v1/subscriptions/grades/dead-letters";

fn attempt() -> Attempt {
    Attempt {
        at_millis: 1_000,
        took_millis: 7,
        status: Some(422),
        outcome: Cow::Borrowed("rejected"),
    }
}

fn letter(event_type: &str, reason: &str) -> DeadLetter {
    DeadLetter {
        event_id: Uuid::from_u128(1),
        event_type: Arc::from(event_type),
        reason: reason.to_owned(),
        attempts: vec![attempt()],
        attempt_count: 1,
        answer: Some(Bytes::from_static(b"no such course \xff")),
        died_at: Timestamp::UNIX_EPOCH,
        is_discarded: false,
    }
}

fn give_up(lane: &Subscription, offset: u64, letter: DeadLetter) {
    let mut account = lane.shared.account();
    account.owe(Offset::new(offset));
    assert!(account.give_up(Offset::new(offset), letter));
}

/// Returns a parked delivery that waits for an operator.
fn waiting(offset: u64) -> Parked {
    Parked {
        batch_offset: Offset::new(offset),
        failure_count: 1,
        due: Due::OnCommand,
        key: None,
        reason: Arc::from("send: the endpoint answered 422"),
        attempts: vec![attempt()],
        attempt_count: 1,
    }
}

/// Creates a subscription with six events. 0, 2 and 4 are `grade_change` and dead, 1 and 3 are
/// `logged_in` and dead, 5 is `grade_change` and waits for an operator.
async fn fixture() -> (Fixture, Arc<Subscription>) {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    let lane = fixture.subscriptions.get(&full_name("grades")).unwrap();
    for offset in 0..6 {
        let (event_type, reason) = match offset % 2 {
            0 => ("grade_change", "send: the endpoint answered 422"),
            _ => ("logged_in", "send: timed out"),
        };
        if offset == 5 {
            fixture.append("grade_change", 5..6).await;
            let mut account = lane.shared.account();
            account.owe(Offset::new(5));
            account.park(Offset::new(5), waiting(5));
        } else {
            fixture.append(event_type, offset..offset + 1).await;
            give_up(&lane, offset, letter(event_type, reason));
        }
    }
    (fixture, lane)
}

fn offsets(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap().iter();
    list.map(|item| item["offset"].as_u64().unwrap()).collect()
}

async fn balance(fixture: &Fixture) -> Value {
    let balance = fixture.get("/v1/subscriptions/grades/balance").await;
    let terms = [
        "delivered",
        "filtered",
        "pending",
        "parked",
        "dead",
        "expired",
    ];
    let sum: u64 = terms
        .iter()
        .map(|term| balance[*term].as_u64().unwrap())
        .sum();
    assert_eq!(balance["accepted"], sum, "{balance}");
    balance
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages_with_the_answer_of_the_endpoint() {
    let (fixture, _lane) = fixture().await;
    let all = fixture.get(PATH).await;
    assert_eq!(offsets(&all["dead_letters"]), [0, 1, 2, 3, 4]);
    assert_eq!(offsets(&all["waiting"]), [5]);
    assert_eq!(all["next"], Value::Null);
    let wanted = json!({
        "offset": 0, "event_id": "00000000-0000-0000-0000-000000000001",
        "event_type": "grade_change", "reason": "send: the endpoint answered 422",
        "attempt_count": 1,
        "attempts": [{"at": "1970-01-01T00:00:01Z", "outcome": "rejected", "status": 422, "took_ms": 7}],
        "answer": "no such course \u{fffd}", "answer_status": 422,
        "died_at": "1970-01-01T00:00:00Z", "discarded": false, "redeliverable": true,
    });
    assert_eq!(all["dead_letters"][0], wanted);
    assert_eq!(all["waiting"][0]["event_type"], "grade_change");

    let first = fixture.get(&format!("{PATH}?limit=2")).await;
    assert_eq!(
        (offsets(&first["dead_letters"]), &first["next"]),
        (vec![0, 1], &json!(2))
    );
    let last = fixture.get(&format!("{PATH}?limit=3&from=2")).await;
    assert_eq!(offsets(&last["dead_letters"]), [2, 3, 4]);
    assert_eq!(offsets(&last["waiting"]), [5]);
}

#[tokio::test]
async fn dead_letters_are_filtered_by_event_type_reason_and_discarded() {
    let (fixture, _lane) = fixture().await;
    let found = async |query: &str| {
        let page = fixture.get(&format!("{PATH}?{query}")).await;
        (offsets(&page["dead_letters"]), offsets(&page["waiting"]))
    };
    assert_eq!(found("event=grade_*").await, (vec![0, 2, 4], vec![5]));
    assert_eq!(found("reason=timed%20out").await, (vec![1, 3], vec![]));
    let body = r#"{"offsets":[0,1]}"#;
    let (_, answer) = fixture.ask("POST", &format!("{PATH}/discard"), body).await;
    assert_eq!(answer, json!({"discarded": 2}));
    assert_eq!(found("discarded=true").await, (vec![0, 1], vec![]));
    assert_eq!(found("discarded=false").await, (vec![2, 3, 4], vec![5]));
    let discarded = &fixture.get(&format!("{PATH}/0")).await;
    assert_eq!(discarded["redeliverable"], false);
    let balance = balance(&fixture).await;
    assert_eq!(
        (&balance["dead"], &balance["discarded"]),
        (&json!(5), &json!(2))
    );
}

#[tokio::test]
async fn a_page_reads_a_bounded_number_of_rows_and_has_the_next_offset() {
    let fixture = Fixture::new().await;
    fixture.ask("POST", "/v1/subscriptions", GRADES).await;
    let lane = fixture.subscriptions.get(&full_name("grades")).unwrap();
    for offset in 0..2_500 {
        give_up(&lane, offset, letter("grade_change", "timed out"));
    }
    give_up(&lane, 2_500, letter("grade_change", "rare reason"));
    let page = fixture.get(&format!("{PATH}?reason=rare%20reason")).await;
    assert_eq!(
        page,
        json!({"dead_letters": [], "waiting": [], "next": 2000})
    );
    let page = fixture
        .get(&format!("{PATH}?reason=rare%20reason&from=2000"))
        .await;
    assert_eq!(offsets(&page["dead_letters"]), [2_500]);
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn the_limit_of_a_page_also_applies_to_waiting_deliveries() {
    let (fixture, lane) = fixture().await;
    for offset in 6..10 {
        fixture.append("grade_change", offset..offset + 1).await;
        let mut account = lane.shared.account();
        account.owe(Offset::new(offset));
        account.park(Offset::new(offset), waiting(offset));
    }
    give_up(&lane, 10, letter("grade_change", "late"));
    let mut from = 5;
    let (mut waiting, mut dead) = (Vec::new(), Vec::new());
    loop {
        let page = fixture.get(&format!("{PATH}?limit=2&from={from}")).await;
        waiting.extend(offsets(&page["waiting"]));
        dead.extend(offsets(&page["dead_letters"]));
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!((waiting, dead), (vec![5, 6, 7, 8, 9], vec![10]));
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_its_event_until_the_log_drops_it() {
    let (fixture, _lane) = fixture().await;
    let letter = fixture.get(&format!("{PATH}/2")).await;
    assert_eq!(letter["event"]["metadata"]["event_name"], "grade_change");
    fixture.log.trim_to(Offset::new(3)).await.unwrap();
    let letter = fixture.get(&format!("{PATH}/2")).await;
    assert_eq!(
        (letter.get("event"), &letter["redeliverable"]),
        (None, &json!(false))
    );
    for offset in ["7", "x", "5"] {
        let (status, problem) = fixture.ask("GET", &format!("{PATH}/{offset}"), "").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(problem["code"], "no_such_dead_letter");
    }
}

#[tokio::test]
async fn a_redelivery_counts_due_and_gone_deliveries() {
    let (fixture, _lane) = fixture().await;
    fixture.log.trim_to(Offset::new(1)).await.unwrap();
    let path = format!("{PATH}/redeliver");
    let (status, answer) = fixture.ask("POST", &path, r#"{"event":"grade_*"}"#).await;
    assert_eq!(status, StatusCode::OK);
    // 2, 4 and the waiting delivery 5.
    assert_eq!(answer, json!({"redelivered": 3, "gone": 1, "full": false}));
    let now = balance(&fixture).await;
    assert_eq!((&now["parked"], &now["dead"]), (&json!(3), &json!(3)));
    let parked = fixture.get("/v1/subscriptions/grades/parked").await;
    assert_eq!(offsets(&parked["parked"]), [2, 4, 5]);
    assert_eq!(parked["parked"][2]["waits_for"], "time");
    let (_, answer) = fixture
        .ask("POST", &path, r#"{"all":true,"lane":"live"}"#)
        .await;
    assert_eq!(
        answer["redelivered"], 2,
        "the other deliveries are due already"
    );
    assert_eq!(balance(&fixture).await["dead"], 1);
}

#[tokio::test]
async fn a_command_without_a_valid_selection_is_refused() {
    let (fixture, _lane) = fixture().await;
    for command in ["redeliver", "discard"] {
        let path = format!("{PATH}/{command}");
        let check = async |body: &str, status: u16, code: &str, pointer: Value| {
            let (answered, problem) = fixture.ask("POST", &path, body).await;
            let wanted = (status, code);
            let found = (answered.as_u16(), problem["code"].as_str().unwrap());
            assert_eq!(found, wanted, "{body}: {problem}");
            assert_eq!(problem["pointer"], pointer, "{body}");
        };
        check("{}", 422, "selection_missing", Value::Null).await;
        check(r#"{"lane":"live"}"#, 422, "selection_missing", Value::Null).await;
        let both = r#"{"all":true,"event":"x"}"#;
        check(both, 422, "invalid_selection", json!("/all")).await;
        let misspelled = r#"{"offset":[1]}"#;
        check(misspelled, 422, "invalid_selection", json!("/offset")).await;
        let lane = r#"{"all":true,"lane":"dead"}"#;
        check(lane, 422, "invalid_selection", json!("/lane")).await;
        let replay = r#"{"all":true,"lane":3}"#;
        check(replay, 404, "no_such_replay", Value::Null).await;
    }
    let (status, problem) = fixture.ask("GET", &format!("{PATH}?limit=0"), "").await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("invalid_range"))
    );
    let (status, problem) = fixture.ask("GET", &format!("{PATH}?lane=x"), "").await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (400, &json!("invalid_query"))
    );
    assert_eq!(balance(&fixture).await["dead"], 5, "nothing was changed");
}
