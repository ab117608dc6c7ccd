//! The audit of a whole server.

use std::collections::BTreeSet;
use std::path::Path;

use easel_api::AUDIT_RULES;
use easel_catalog::Reach;
use easel_keys::Secret;
use easel_server::{
    ChainFaultKind, Config, KinesisConfig, KinesisKey, Server, Verification, backup, restore,
    rotate_master_key, verify_audit,
};
use hyper::StatusCode;
use serde_json::Value;

use crate::test_server::{TestServer, config, declarations};

/// Returns all entries.
async fn entries(test_server: &TestServer) -> Vec<Value> {
    let answer = test_server.get("/v1/audit?limit=1000").await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["entries"].as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<String> {
    let entries = entries.iter();
    entries
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            format!("{} {} {}", text("actor"), text("action"), text("object"))
        })
        .collect()
}

fn checked(config: &Config, folder: &Path) -> Verification {
    verify_audit(config, folder, None).unwrap()
}

fn change(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join("audit.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn every_operation_of_the_document_has_a_rule_and_every_rule_an_operation() {
    let folder = tempfile::tempdir().unwrap();
    let test_server = TestServer::open(config(folder.path())).await;
    let document = test_server.get("/v1/openapi.json").await;
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut operations = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            operations.insert(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let rules: BTreeSet<_> = AUDIT_RULES.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(operations, rules);
    assert_eq!(rules.len(), AUDIT_RULES.len());
    test_server.close().await;
}

#[tokio::test]
async fn starts_settings_changes_and_looks_are_recorded_and_no_secret_is() {
    let folder = tempfile::tempdir().unwrap();
    let with_keys = |secret: &str| Config {
        subscriptions: declarations(
            r#"[{"name":"declared","webhook":{"url":"http://127.0.0.1:1/"}}]"#,
        ),
        kinesis: KinesisConfig {
            stream: "live-events".to_owned(),
            keys: vec![KinesisKey {
                access_key_id: "AKIAEXAMPLE".to_owned(),
                secret_access_key: Secret::new(secret.to_owned()),
                reach: Reach::Everything,
            }],
        },
        ..config(folder.path())
    };
    let test_server = TestServer::open(with_keys("hunter2hunter2")).await;
    let sent = easel_testkit::event("course_created", 7);
    let (status, _) = test_server.post("/v1/events", sent).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let iterator = r#"{"StreamName":"live-events","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}"#;
    let (_, iterator) = test_server.kinesis("GetShardIterator", iterator).await;
    let iterator = format!(r#"{{"ShardIterator":{}}}"#, iterator["ShardIterator"]);
    let (status, page) = test_server.kinesis("GetRecords", iterator).await;
    assert_eq!(
        (status, page["Records"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );
    test_server.get("/v1/events").await;
    test_server.close().await;

    let test_server = TestServer::open(with_keys("hunter3hunter3")).await;
    let found = entries(&test_server).await;
    let mut listed = actions(&found);
    // The first signing key is created in the background.
    listed.retain(|line| !line.contains("signing_key.create"));
    assert_eq!(
        listed,
        [
            "server server.start ",
            "settings kinesis_key.create AKIAEXAMPLE",
            "settings subscription.create declared",
            "local events.read kinesis",
            "local events.read ",
            "server server.stop ",
            "server server.start ",
            "settings kinesis_key.change AKIAEXAMPLE",
        ]
    );
    assert!(actions(&found).contains(&"server signing_key.create RS256".to_owned()));
    let look = found
        .iter()
        .find(|entry| entry["object"] == "kinesis")
        .unwrap();
    assert_eq!(look["address"], "127.0.0.1");
    assert_eq!(look["details"]["events"], 1);
    let text = serde_json::to_string(&found).unwrap();
    assert!(
        !text.contains("hunter") && !text.contains("metadata"),
        "{text}"
    );
    test_server.close().await;
    let verification = checked(&config(folder.path()), folder.path());
    assert!(verification.is_valid(), "{:?}", verification.faults);
}

#[tokio::test]
async fn tampering_is_found_by_the_running_server_and_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let test_server = TestServer::open(config.clone()).await;
    for name in ["a", "b", "c"] {
        test_server.subscribe(name, "", "http://127.0.0.1:1/").await;
    }
    let found = entries(&test_server).await;
    let number = found.iter().find(|entry| entry["object"] == "b").unwrap()["number"].clone();
    change(
        folder.path(),
        &format!("UPDATE entries SET object = 'x' WHERE number = {number}"),
    );
    let answer = test_server.get("/v1/audit/verify").await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["valid"], false);
    assert_eq!(answer["faults"][0]["fault"], "changed");
    assert_eq!(answer["faults"][0]["first"], number);
    test_server.close().await;
    let verification = checked(&config, folder.path());
    assert_eq!(verification.faults[0].kind, ChainFaultKind::Changed);
    assert_eq!(verification.faults[0].first, number.as_u64());

    let last = verification.newest.number;
    change(
        folder.path(),
        &format!("DELETE FROM entries WHERE number > {}", last - 2),
    );
    let verification = checked(&config, folder.path());
    let cut = verification.faults.last().unwrap();
    assert_eq!(
        (cut.kind, cut.first, cut.last),
        (ChainFaultKind::CutOff, Some(last - 1), Some(last))
    );
    // The server starts, says so, and the damage stays visible.
    let test_server = TestServer::open(config.clone()).await;
    let status: Value = serde_json::from_str(&test_server.get("/v1/status").await).unwrap();
    assert_eq!(status["attention"][0]["code"], "audit_damaged", "{status}");
    test_server.close().await;
    let kinds: Vec<_> = checked(&config, folder.path())
        .faults
        .into_iter()
        .map(|fault| fault.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            ChainFaultKind::Changed,
            ChainFaultKind::Missing,
            ChainFaultKind::FoundAtStart
        ]
    );
}

#[tokio::test]
async fn the_chain_stays_valid_through_rotations_backups_and_restores() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut config = config(&data);
    config.keys.master_key = None;
    let test_server = TestServer::open(config.clone()).await;
    test_server.subscribe("a", "", "http://127.0.0.1:1/").await;
    let (status, _) = test_server.post("/v1/keys/master/rotate", "").await;
    assert_eq!(status, StatusCode::OK);
    test_server.subscribe("b", "", "http://127.0.0.1:1/").await;
    let copy = folder.path().join("copy");
    backup(&data, &copy, &mut |_bytes| ()).unwrap();
    let verification = checked(&config, &copy);
    assert!(verification.is_valid(), "{:?}", verification.faults);
    test_server.close().await;
    rotate_master_key(&config).unwrap();
    let test_server = TestServer::open(config.clone()).await;
    let found = actions(&entries(&test_server).await);
    let rotations = found
        .iter()
        .filter(|line| line.contains("master_key.rotate"));
    assert_eq!(rotations.count(), 2, "{found:?}");
    test_server.close().await;
    let verification = checked(&config, &data);
    assert!(verification.is_valid(), "{:?}", verification.faults);

    backup(&data, &copy, &mut |_bytes| ()).unwrap();
    let restored = folder.path().join("restored");
    restore(&copy, &restored, &mut |_bytes| ()).unwrap();
    let mut config = Config {
        data: restored.clone(),
        ..config
    };
    config.keys.master_key_file = Some(folder.path().join("data.key"));
    let test_server = TestServer::open(config.clone()).await;
    test_server.subscribe("c", "", "http://127.0.0.1:1/").await;
    test_server.close().await;
    let verification = checked(&config, &restored);
    assert!(verification.is_valid(), "{:?}", verification.faults);
    assert!(verification.entry_count > 6);
}

#[tokio::test]
async fn a_new_audit_begins_if_the_keys_were_reset() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut old = config(&data);
    let test_server = TestServer::open(old.clone()).await;
    let keys: Value = serde_json::from_str(&test_server.get("/v1/keys").await).unwrap();
    let lost = keys["master_key"].as_str().unwrap().to_owned();
    test_server.close().await;
    old.keys.master_key = Some(Secret::new("B".repeat(42) + "A="));
    Server::start(old.clone()).await.unwrap_err();
    let reset = easel_server::reset_keys(&old, &lost).unwrap();
    assert!(
        reset.copies.contains(&"audit.db.set-aside-1".to_owned()),
        "{reset:?}"
    );
    assert!(
        reset.copies.contains(&"audit.head.set-aside-1".to_owned()),
        "{reset:?}"
    );
    let test_server = TestServer::open(old.clone()).await;
    let found = actions(&entries(&test_server).await);
    assert_eq!(found[0], format!("local master_key.reset {lost}"));
    test_server.close().await;
    let verification = checked(&old, &data);
    assert!(verification.is_valid(), "{:?}", verification.faults);
}
