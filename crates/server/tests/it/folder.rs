//! Data folders of older versions, and repaired data folders.

use std::fs;
use std::path::Path;
use std::time::Duration;

use easel_server::{Auth, Config, Deliveries, Repair, Server, StartError};
use easel_testkit::{Receiver, event};
use hyper::StatusCode;
use serde_json::Value;

use crate::test_server::{TestServer, config};

/// A folder of the first version, with four events, one drift finding and two tokens. `everything` has
/// got all events. `paused`, which wants grades, has got none.
const FIRST: &str = "folder-v1";

/// A folder with files of format 2 and a manifest, with forty events. `all` has got all events,
/// `grades` the ten that it wants, and `past` twelve before it was paused.
const SECOND: &str = "folder-v2";

/// A folder of state format 4, without events. `grades` sends to 10.1.2.3, and the paused `public` to a
/// public address.
const BEFORE_THE_GUARD: &str = "folder-v4";

fn old_folder(name: &str) -> tempfile::TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let fixture = fixtures.join(name);
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_folder_of_the_first_version_is_opened_and_used() {
    let folder = old_folder(FIRST);
    let with_tokens = Config {
        auth: Auth::Tokens,
        ..config(folder.path())
    };
    let server = Server::start(with_tokens).await.unwrap();
    assert!(server.first_token().is_none(), "its tokens are lost");
    drop(server);

    let test_server = TestServer::open(config(folder.path())).await;
    let everything = test_server.balance("everything").await;
    assert_eq!(
        (&everything["accepted"], &everything["delivered"]),
        (&4.into(), &4.into())
    );
    assert_eq!(test_server.balance("paused").await["pending"], 4);
    let drift = test_server.get("/v1/drift").await;
    assert!(drift.contains("/body/pace"), "{drift}");
    let (status, answer) = test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert_eq!(answer["results"][0]["offset"], 4);
    test_server.close().await;

    assert!(folder.path().join("manifest.json").exists());
    let test_server = TestServer::open(config(folder.path())).await;
    assert_eq!(test_server.balance("paused").await["pending"], 5);
    test_server.close().await;
}

#[tokio::test]
async fn a_folder_of_format_2_is_opened_and_used() {
    let folder = old_folder(SECOND);
    for pending in [28_u64, 29] {
        let test_server = TestServer::open(config(folder.path())).await;
        let terms = async |name: &str| {
            let balance = test_server.balance(name).await;
            let names = ["accepted", "delivered", "filtered", "pending"];
            names.map(|term| balance[term].as_u64().unwrap())
        };
        assert_eq!(terms("past").await, [pending + 12, 12, 0, pending]);
        if pending == 28 {
            assert_eq!(terms("all").await, [40, 40, 0, 0]);
            assert_eq!(terms("grades").await, [40, 10, 30, 0]);
            let events = test_server.get("/v1/events?from=38").await;
            assert!(events.contains("\"offset\":39"), "{events}");
            let (status, answer) = test_server
                .post("/v1/events", event("course_created", 1))
                .await;
            assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
            assert_eq!(answer["results"][0]["offset"], 40);
        }
        test_server.close().await;
    }
}

#[tokio::test]
async fn a_lost_log_is_rejected_and_after_a_repair_new_events_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let test_server = TestServer::open(config(folder.path())).await;
    test_server.subscribe("all", "", &receiver.url()).await;
    for n in 0..3 {
        test_server
            .post("/v1/events", event("grade_change", n))
            .await;
    }
    receiver.wait_for(3).await;
    let pause = test_server.request("POST", "/v1/subscriptions/all/pause");
    assert_eq!(test_server.send(pause, "").await.0, StatusCode::OK);
    for n in 3..5 {
        test_server
            .post("/v1/events", event("grade_change", n))
            .await;
    }
    test_server.close().await;

    for file in ["log.db", "log.db-wal", "log.db-shm"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    let refused = Server::start(config(folder.path())).await.unwrap_err();
    assert!(matches!(refused, StartError::Folder(_)), "{refused}");
    assert!(refused.is_configuration());
    let error = refused.to_string();
    assert!(
        error.contains("log.db is missing") && error.contains("easel repair"),
        "{error}"
    );
    Repair::plan(folder.path(), 0).unwrap().run().unwrap();

    let test_server = TestServer::open(config(folder.path())).await;
    let (_status, answer) = test_server
        .post("/v1/events", event("grade_change", 6))
        .await;
    assert_eq!(answer["results"][0]["offset"], 5);
    let resume = test_server.request("POST", "/v1/subscriptions/all/resume");
    assert_eq!(test_server.send(resume, "").await.0, StatusCode::OK);
    let received = tokio::time::timeout(Duration::from_secs(20), receiver.wait_for(4)).await;
    assert_eq!(received.unwrap()[3].body, event("grade_change", 6));
    // The cursor may move shortly after the first read of the balance.
    let balance = loop {
        let balance = test_server.balance("all").await;
        if balance["pending"] == 0 {
            break balance;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(
        (&balance["delivered"], &balance["damaged"]),
        (&4.into(), &2.into())
    );
    test_server.get("/readyz").await;
    test_server.close().await;
}

#[tokio::test]
async fn undelivered_events_that_retention_drops_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let expired = async |test_server: &TestServer| {
        let metrics = test_server.get("/metrics").await;
        let mut lines = metrics.lines().filter_map(|line| line.split_once(' '));
        let name = "easel_events_expired_undelivered_total";
        let found = lines.find_map(|(found, value)| (found == name).then(|| value.to_owned()));
        found.expect(name)
    };
    let test_server = TestServer::open(config(folder.path())).await;
    assert_eq!(expired(&test_server).await, "0");
    test_server
        .subscribe("all", "", "http://127.0.0.1:1/")
        .await;
    let pause = test_server.request("POST", "/v1/subscriptions/all/pause");
    test_server.send(pause, "").await;
    for n in 0..3 {
        test_server
            .post("/v1/events", event("grade_change", n))
            .await;
    }
    test_server.close().await;

    let mut config = config(folder.path());
    config.log.max_bytes = Some(0);
    let test_server = TestServer::open(config).await;
    let gone = async {
        while test_server.balance("all").await["expired"] != 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while expired(&test_server).await != "3" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "{}", test_server.balance("all").await);
    test_server.close().await;
}

#[tokio::test]
async fn an_upgrade_names_the_subscriptions_that_the_guard_would_stop_and_stops_none() {
    let folder = old_folder(BEFORE_THE_GUARD);
    // Nothing is sent, because the address of `grades` is not on this machine.
    let paused = Config {
        deliveries: Deliveries::Paused,
        ..config(folder.path())
    };
    let test_server = TestServer::open(paused).await;
    let guard = async |name: &str| {
        let shown = test_server.get(&format!("/v1/subscriptions/{name}")).await;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["address_guard"].as_str().unwrap().to_owned()
    };
    // The guard allows the address of `public`, so it applies without an operator.
    while guard("public").await != "enforced" {
        tokio::task::yield_now().await;
    }
    assert_eq!(guard("grades").await, "reported");
    let status = test_server.get("/v1/status").await;
    let detail = "older than the address guard, which does not apply yet: grades";
    assert!(status.contains(detail), "{status}");
    let send = async |method: &str, path: &str, body: &'static str| {
        let request = test_server.request(method, path);
        let request = request.header("content-type", "application/json");
        let (status, answer) = test_server.send(request, body).await;
        (status, String::from_utf8(answer.to_vec()).unwrap())
    };
    let subscription = "/v1/subscriptions/grades";
    let (changed, answer) = send("PATCH", subscription, r#"{"in_flight":2}"#).await;
    assert_eq!(changed, StatusCode::OK, "{answer}");
    assert_eq!(guard("grades").await, "reported");
    // A new algorithm gets its keys, although the guard does not apply.
    let signing = r#"{"webhook":{"signing":{"jwt":{"algorithm":"ES256"}}}}"#;
    let (changed, answer) = send("PATCH", subscription, signing).await;
    assert_eq!(changed, StatusCode::OK, "{answer}");
    let published = test_server.get("/.well-known/jwks.json").await;
    assert!(published.contains("ES256"), "{published}");
    let (refused, answer) = send(
        "PATCH",
        subscription,
        r#"{"webhook":{"url":"http://10.1.2.4/"}}"#,
    )
    .await;
    assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert!(
        answer.contains("the setting webhook.allow can allow it"),
        "{answer}"
    );

    let path = "/v1/subscriptions/grades/enforce-guard";
    let (enforced, answer) = send("POST", path, "").await;
    assert_eq!(enforced, StatusCode::OK, "{answer}");
    assert_eq!(guard("grades").await, "enforced");
    // Now the guard stops it: nothing is dialled, and the reason is shown.
    let (accepted, _) = test_server
        .post("/v1/events", event("grade_change", 1))
        .await;
    assert_eq!(accepted, StatusCode::ACCEPTED);
    send("POST", "/v1/deliveries/resume", "").await;
    let attempts = "/v1/subscriptions/grades/attempts";
    let attempted = loop {
        let page = test_server.get(attempts).await;
        if page.contains("outcome") {
            break page;
        }
        tokio::task::yield_now().await;
    };
    assert!(attempted.contains(r#""outcome":"not_sent""#), "{attempted}");
    test_server.close().await;
}
