//! Operator events: who gets them, who cannot send them, and that they cause no further ones.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use easel_catalog::{Catalog, EventOrigin};
use easel_server::Config;
use easel_testkit::{Receiver, event};
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::test_server::{TestServer, config};

/// Longer than any step of these tests takes.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the `n`th event without drift.
fn known(n: i64) -> String {
    let catalog = Catalog::built_in();
    let course_created = catalog.get("course_created").unwrap();
    let time = Timestamp::from_second(1_700_000_000 + n).unwrap();
    catalog.example(course_created, EventOrigin::Request, time)
}

/// Returns settings for a server on `data` whose log drops all events at the next trim.
fn config_that_drops_all_events(data: &Path) -> Config {
    let mut config = config(data);
    config.log.max_bytes = Some(0);
    config
}

/// Waits for operator events at offset `from` or later, and returns them.
async fn operator_events(test_server: &TestServer, from: u64) -> Value {
    let path = format!("/v1/events?from={from}&event=easel.*&wait=30s");
    serde_json::from_str(&test_server.get(&path).await).unwrap()
}

/// Returns the head of the log.
async fn head(test_server: &TestServer) -> u64 {
    let balance: Value = serde_json::from_str(&test_server.get("/v1/balance").await).unwrap();
    balance["head"].as_u64().unwrap()
}

/// Waits until `count` events of a subscription have expired.
async fn wait_for_expired(test_server: &TestServer, name: &str, count: u64) {
    let expired = async {
        while test_server.balance(name).await["expired"] != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let expired = tokio::time::timeout(TEST_TIMEOUT, expired).await;
    assert!(expired.is_ok(), "{}", test_server.balance(name).await);
}

#[tokio::test]
async fn operator_events_are_delivered_only_to_subscriptions_that_ask_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let (watcher, all) = (Receiver::start().await, Receiver::start().await);
    test_server
        .subscribe("watcher", r#""events":["easel.drift.*"],"#, &watcher.url())
        .await;
    test_server.subscribe("all", "", &all.url()).await;
    test_server
        .post("/v1/events", event("campus_opened", 1))
        .await;

    let received = watcher.wait_for(1).await.remove(0);
    assert_eq!(received.header("easel-event-name"), "easel.drift.found");
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(body["metadata"]["producer"], "easel");
    let found = json!({
        "found": [{ "drift": "unknown_event_type", "event_type": "campus_opened", "path": "" }],
        "found_count": 1,
    });
    assert_eq!(body["body"], found);

    // Only a pattern that begins with `easel.` finds the operator event.
    let seen: Value = serde_json::from_str(&test_server.get("/v1/events?event=*").await).unwrap();
    assert_eq!(seen["events"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(seen["next"], 2);
    let seen = operator_events(&test_server, 0).await;
    assert_eq!(seen["events"][0]["event"]["body"], found);
    assert_eq!(seen["events"].as_array().unwrap().len(), 1, "{seen}");
    test_server
        .post("/v1/events", event("campus_opened", 2))
        .await;
    assert_eq!(all.wait_for(2).await[1].body, event("campus_opened", 2));
    test_server.close().await;

    let test_server = TestServer::open(config(folder.path())).await;
    for (name, delivered, filtered) in [("all", 2, 1), ("watcher", 1, 2)] {
        let balance = test_server.balance(name).await;
        assert_eq!(
            (&balance["delivered"], &balance["accepted"]),
            (&json!(delivered), &json!(3))
        );
        assert_eq!(balance["filtered"], filtered, "{name}: {balance}");
    }
    test_server.close().await;
}

#[tokio::test]
async fn every_door_rejects_operator_events() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let forged = event("easel.disk.low", 1);
    let (status, answer) = test_server.post("/v1/events", forged.clone()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let result = &answer["results"][0];
    assert_eq!(result["code"], "reserved_event_name", "{answer}");
    assert_eq!(result["at"]["path"], "/metadata/event_name");

    let data = base64::prelude::BASE64_STANDARD.encode(&forged);
    let call = format!(r#"{{"StreamName":"s","Data":"{data}","PartitionKey":"1"}}"#);
    let (status, _) = test_server.kinesis("PutRecord", call).await;
    assert_eq!(status, StatusCode::OK);
    let listed: Value = serde_json::from_str(&test_server.get("/v1/quarantine").await).unwrap();
    assert_eq!(listed["records"][0]["code"], "reserved_event_name");
    let (status, retried) = test_server.post("/v1/quarantine/retry", "").await;
    assert_eq!((status, &retried["kept"]), (StatusCode::OK, &json!(1)));
    assert_eq!(head(&test_server).await, 0);
    test_server.close().await;
}

#[tokio::test]
async fn an_operator_event_reports_the_lost_events_of_a_subscription() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let receiver = Receiver::start().await;
    receiver.set_status(StatusCode::SERVICE_UNAVAILABLE);
    test_server.subscribe("paused", "", &receiver.url()).await;
    let (status, _) = test_server.post("/v1/subscriptions/paused/pause", "").await;
    assert_eq!(status, StatusCode::OK);
    for n in 0..3 {
        let (status, answer) = test_server.post("/v1/events", known(n)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    }
    test_server.close().await;

    let test_server = TestServer::open(config_that_drops_all_events(folder.path())).await;
    let page = operator_events(&test_server, 0).await;
    let [event] = page["events"].as_array().unwrap().as_slice() else {
        panic!("{page}");
    };
    assert_eq!(event["offset"], 3);
    let metadata = &event["event"]["metadata"];
    assert_eq!(metadata["event_name"], "easel.log.trimmed_past_cursor");
    let body = json!({
        "event_count": 3, "first_offset": 0, "last_offset": 2, "subscription": "paused",
    });
    assert_eq!(event["event"]["body"], body);
    test_server.close().await;

    let test_server = TestServer::open(config(folder.path())).await;
    let balance = test_server.balance("paused").await;
    assert_eq!(
        (&balance["expired"], &balance["pending"]),
        (&json!(3), &json!(1))
    );
    test_server.close().await;
}

#[tokio::test]
async fn failing_subscriptions_to_operator_events_cause_no_further_operator_events() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let receiver = Receiver::start().await;
    receiver.set_status(StatusCode::SERVICE_UNAVAILABLE);
    for name in ["one", "two"] {
        let events = r#""events":["*","easel.*"],"#;
        test_server.subscribe(name, events, &receiver.url()).await;
    }
    // This causes the only operator event, about drift.
    test_server
        .post("/v1/events", event("campus_opened", 1))
        .await;
    operator_events(&test_server, 0).await;
    receiver.wait_for(4).await;
    test_server.close().await;

    // Both subscriptions lose both events.
    let test_server = TestServer::open(config_that_drops_all_events(folder.path())).await;
    for name in ["one", "two"] {
        wait_for_expired(&test_server, name, 2).await;
    }
    // The stop appends all queued operator events.
    test_server.close().await;
    let test_server = TestServer::open(config(folder.path())).await;
    assert_eq!(head(&test_server).await, 2);
    test_server.close().await;
}
