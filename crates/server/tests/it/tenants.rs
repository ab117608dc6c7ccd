//! Callers that are confined to one root account see nothing of others, at any route.
//!
//! The routes come from the OpenAPI document: a route without a row in `rows.rs` fails the test. Each row is
//! asked without a token, with one that expired, with one of too small a scope, with the token of another root
//! account, and with the right one. Rows for the Kinesis protocol, for streams and for metrics follow.

mod rows;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use rows::{Access, ROWS, Row};
use world::{ACCOUNT_A, ACCOUNT_B, MARKER, Things, World, put_records};

/// Returns all operations of the OpenAPI document.
async fn operations(world: &World) -> BTreeSet<String> {
    let document = world.get("/v1/openapi.json", None).await;
    let document: Value = serde_json::from_str(&document.body).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let ids = operations.filter_map(|operation| operation["operationId"].as_str());
    ids.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_the_document_has_a_row() {
    let world = World::start().await;
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(rows, operations(&world).await);
    world.close().await;
}

/// Asks one row with every kind of token.
async fn check(world: &World, row: &Row) {
    let scope = match row.access {
        Access::Public => return check_public(world, row).await,
        Access::Unlisted => return,
        Access::Server(scope)
        | Access::Shared(scope)
        | Access::Own(scope)
        | Access::Stream(scope)
        | Access::Thing(scope) => scope,
    };
    let operation = row.operation;
    let (of_a, missing) = (&world.things_of_a, &world.missing);
    let ask = async |things: &Things, token: &str| world.ask(row, things, Some(token)).await;

    let no_token = world.ask(row, of_a, None).await;
    let expired = ask(of_a, &world.a.expired).await;
    let too_small = ask(of_a, world.a.token_without(scope)).await;
    for (answer, code) in [
        (&no_token, "token_missing"),
        (&expired, "token_expired"),
        (&too_small, "scope_missing"),
    ] {
        assert_eq!(answer.json()["code"], code, "{operation}: {answer:?}");
        assert!(!answer.body.contains(MARKER), "{operation}: {answer:?}");
    }

    if let Access::Stream(_) = row.access {
        return check_stream(world, &row.path(of_a)).await;
    }
    let of_b = ask(of_a, &world.b.all).await;
    let nothing = ask(missing, &world.b.all).await;
    let neutral = [of_b.neutral(of_a), nothing.neutral(missing)];
    assert!(!neutral[0].body.contains(MARKER), "{operation}: {of_b:?}");
    match row.access {
        Access::Server(_) => {
            assert_eq!(
                of_b.json()["code"],
                "reach_too_small",
                "{operation}: {of_b:?}"
            );
            assert_eq!(
                neutral[0], neutral[1],
                "{operation}: not yours and not there"
            );
        }
        Access::Thing(_) => {
            assert_eq!(
                nothing.status,
                StatusCode::NOT_FOUND,
                "{operation}: {nothing:?}"
            );
            assert_eq!(
                neutral[0], neutral[1],
                "{operation}: not yours and not there"
            );
        }
        Access::Own(_) | Access::Shared(_) => {
            assert_eq!(of_b.status, row.success, "{operation}: {of_b:?}");
        }
        Access::Public | Access::Unlisted | Access::Stream(_) => unreachable!("returned above"),
    }
    let right = ask(of_a, world.right_token(row)).await;
    assert_eq!(right.status, row.success, "{operation}: {right:?}");
    if row.shows_marker {
        assert!(right.body.contains(MARKER), "{operation}: {right:?}");
    }
}

/// Reads the streams of A and B up to the last event of each.
async fn check_stream(world: &World, path: &str) {
    let of_b = world.stream(path, &world.b.all, "grade_of_b").await;
    assert!(of_b.body.contains("course_of_b"), "{of_b:?}");
    assert!(!of_b.body.contains(MARKER), "{of_b:?}");
    let of_a = world.stream(path, &world.a.all, MARKER).await;
    assert!(!of_a.body.contains("of_b"), "{of_a:?}");
}

async fn check_public(world: &World, row: &Row) {
    let answer = world.ask(row, &world.things_of_a, None).await;
    assert_eq!(answer.status, row.success, "{}: {answer:?}", row.operation);
    assert!(
        !answer.body.contains(MARKER),
        "{}: {answer:?}",
        row.operation
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_shows_or_changes_what_belongs_to_another_root_account() {
    let world = World::start().await;
    let before = world.state_of_a().await;
    // Rows that change things of the caller come last, so that they do not disturb the others.
    for row in ROWS.iter().filter(|row| !row.changes) {
        check(&world, row).await;
    }
    assert_eq!(world.state_of_a().await, before);
    for row in ROWS.iter().filter(|row| row.changes) {
        check(&world, row).await;
    }
    world.close().await;
}

/// Returns an event of this type that names this root account, or none.
fn event(name: &str, account: Option<&str>) -> String {
    let account = account.map(|account| format!(r#","root_account_id":"{account}""#));
    let account = account.unwrap_or_default();
    format!(
        r#"{{"metadata":{{"event_name":"{name}","event_time":"2026-11-02T00:00:00Z"{account}}},"body":{{}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_reads_only_the_events_of_its_root_account() {
    let world = World::start().await;
    let iterator = r#"{"StreamName":"live-events","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}"#;
    for (key, own, foreign) in [("key-a", MARKER, "_of_b"), ("key-b", "_of_b", MARKER)] {
        let begun = world.kinesis(key, "GetShardIterator", iterator).await;
        let next = &begun.json()["ShardIterator"];
        let begin = format!(r#"{{"ShardIterator":{next}}}"#);
        let page = world.kinesis(key, "GetRecords", &begin).await;
        let records = world::data_of(&page);
        assert!(records.contains(own), "{key}: {records}");
        assert!(!records.contains(foreign), "{key}: {records}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_lists_only_the_streams_that_its_root_account_has_named() {
    let world = World::start().await;
    for (key, stream) in [("key-a", MARKER), ("key-b", "stream_of_b")] {
        let create = format!(r#"{{"StreamName":"{stream}","ShardCount":1}}"#);
        let created = world.kinesis(key, "CreateStream", &create).await;
        assert_eq!(created.status, StatusCode::OK, "{created:?}");
    }
    let listed = world.kinesis("key-b", "ListStreams", "{}").await;
    let names = &listed.json()["StreamNames"];
    assert_eq!(names, &serde_json::json!(["live-events", "stream_of_b"]));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_another_root_account_is_in_the_quarantine_of_its_sender() {
    let world = World::start().await;
    let forged = event("forged_by_b", Some(ACCOUNT_A));
    let put = world
        .kinesis("key-b", "PutRecords", &put_records(&[&forged]))
        .await;
    assert_eq!(put.json()["FailedRecordCount"], 0, "{put:?}");
    let of_a = world.get("/v1/quarantine", Some(&world.a.all)).await;
    let of_b = world.get("/v1/quarantine", Some(&world.b.all)).await;
    assert!(!of_a.body.contains("forged_by_b"), "{of_a:?}");
    let record = &of_b.json()["records"][0];
    assert_eq!(record["code"], "out_of_reach", "{of_b:?}");
    assert_eq!(record["reach"], format!("root_account:{ACCOUNT_B}"));
    // A retry of the operator respects the reach of the sender.
    let retried = world.operator("POST", "/v1/quarantine/retry").await;
    assert_eq!(retried.json()["admitted"], 0, "{retried:?}");
    let events = world.get("/v1/events", Some(&world.a.all)).await;
    assert!(!events.body.contains("forged_by_b"), "{events:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_cannot_send_for_another_root_account_or_learn_what_it_sent() {
    let world = World::start().await;
    let (a, b) = (world.a.all.as_str(), world.b.all.as_str());
    let forged = event("forged_by_b", Some(ACCOUNT_A));
    let refused = world.call("POST", "/v1/events", b, &forged).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{refused:?}"
    );
    let fault = &refused.json()["results"][0];
    assert_eq!(fault["code"], "out_of_reach", "{refused:?}");
    assert!(!refused.body.contains(MARKER));
    // Two senders can send the same event without a root account, and neither learns of the other.
    let unnamed = event("same_of_both", None);
    for token in [a, b] {
        let sent = world.call("POST", "/v1/events", token, &unnamed).await;
        assert_eq!(sent.json()["accepted"], 1, "{sent:?}");
        let again = world.call("POST", "/v1/events", token, &unnamed).await;
        assert_eq!(again.json()["duplicates"], 1, "{again:?}");
        let seen = world
            .get("/v1/events?event=same_of_both", Some(token))
            .await;
        assert_eq!(
            seen.json()["events"].as_array().unwrap().len(),
            1,
            "{seen:?}"
        );
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_of_a_caller_do_not_depend_on_what_others_send() {
    let world = World::start().await;
    let (a, b) = (world.a.all.as_str(), world.b.all.as_str());
    let pause = "/v1/subscriptions/grades/pause";
    assert_eq!(
        world.call("POST", pause, b, "").await.status,
        StatusCode::OK
    );
    let before = world.numbers_of_b().await;
    for number in 0..7 {
        let of_a = event(&format!("more_{number}"), Some(ACCOUNT_A));
        let sent = world.call("POST", "/v1/events", a, &of_a).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{sent:?}");
    }
    assert_eq!(world.numbers_of_b().await, before);
    let of_b = event("one_more", Some(ACCOUNT_B));
    let sent = world.call("POST", "/v1/events", b, &of_b).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{sent:?}");
    // The server counts new events soon after it has stored them.
    let balance = loop {
        let balance = world.balance_of_b().await;
        if balance["accepted"] != 2 {
            break balance;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(
        (&balance["accepted"], &balance["pending"]),
        (&3.into(), &1.into()),
        "{balance}"
    );
    // The operator sees the same subscription with its full name, and what is out of its reach.
    let full = world
        .operator(
            "GET",
            &format!("/v1/subscriptions/grades@{ACCOUNT_B}/balance"),
        )
        .await;
    assert_eq!(full.json()["subscription"], format!("grades@{ACCOUNT_B}"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_covers_only_the_events_of_its_caller() {
    let world = World::start().await;
    let path = "/v1/subscriptions/grades/replays";
    let dry_run = r#"{"from":"earliest","dry_run":true}"#;
    let counted = world.call("POST", path, &world.b.all, dry_run).await;
    let counted = counted.json();
    assert_eq!(
        (&counted["events"], &counted["matches"]),
        (&2.into(), &2.into()),
        "{counted}"
    );
    let started = world
        .call("POST", path, &world.b.all, r#"{"from":"earliest"}"#)
        .await;
    assert_eq!(started.status, StatusCode::CREATED, "{started:?}");
    let replay = loop {
        let replay = world
            .get(&format!("{path}/1"), Some(&world.b.all))
            .await
            .json();
        if replay["state"] == "ended" {
            break replay;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let progress = &replay["progress"];
    assert_eq!(
        (&progress["done"], &progress["total"]),
        (&2.into(), &2.into()),
        "{replay}"
    );
    world.close().await;
}

/// Prints how long the answers for somebody else's things and for things that do not exist take. No time is
/// asserted, because machines are busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_times_of_not_yours_and_not_there_are_printed() {
    let world = World::start().await;
    let rows = ROWS
        .iter()
        .filter(|row| matches!(row.access, Access::Thing(_)));
    for row in rows.filter(|row| row.method == "GET") {
        let (mut of_a, mut nothing) = (Vec::new(), Vec::new());
        for _ in 0..30 {
            for (things, times) in [
                (&world.things_of_a, &mut of_a),
                (&world.missing, &mut nothing),
            ] {
                let begun = tokio::time::Instant::now();
                let answer = world.ask(row, things, Some(&world.b.all)).await;
                times.push(begun.elapsed());
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
            }
        }
        of_a.sort();
        nothing.sort();
        println!(
            "{:<20} not yours {:>9.1?} not there {:>9.1?}",
            row.operation, of_a[15], nothing[15]
        );
    }
    world.close().await;
}
