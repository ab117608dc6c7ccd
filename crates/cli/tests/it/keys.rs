//! Tests of `easel keys`.

use std::fs;

use easel_keys::JwkSet;
use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::{check, easel};
use crate::running::Running;

/// The ids of the published keys.
async fn published(running: &Running) -> Vec<String> {
    let answer = Caller::new(running).get("/.well-known/jwks.json").await;
    let keys = JwkSet::parse(&answer.body).unwrap();
    let ids = keys.keys().iter().map(|key| key.kid().to_owned());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_listed_and_a_signing_key_rotates() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let list = || {
        let json = running.easel(&["keys", "list", "--json"]).stdout();
        serde_json::from_str::<Value>(&json).unwrap()
    };
    // The server generates two keys of each algorithm, whether somebody uses the algorithm or not.
    let ids = published(&running).await;
    let before = list();
    let rs256 = &before["signing"][0];
    assert_eq!(
        (&rs256["algorithm"], &rs256["previous"]),
        (&"RS256".into(), &Value::Null)
    );
    let (current, next) = (
        rs256["current"].as_str().unwrap(),
        rs256["next"].as_str().unwrap(),
    );
    assert_eq!(ids.len(), 6);
    assert_eq!(ids[..2], [current, next]);
    let id = before["master_key"].as_str().unwrap();
    let table = running.easel(&["keys", "list"]).stdout();
    let row = |words: &[&str]| {
        let mut lines = table.lines();
        assert!(
            lines.any(|line| words.iter().all(|word| line.contains(word))),
            "{words:?} is missing in {table}"
        );
    };
    row(&["master", id, "encrypts secrets"]);
    row(&["RS256", current, "current, signs since "]);
    row(&["RS256", next, "next, signs from "]);

    let rotated = running.easel(&["keys", "rotate"]);
    assert_eq!(rotated.code, Some(0), "{rotated}");
    let after = list();
    let rs256 = &after["signing"][0];
    assert_eq!(
        (&rs256["previous"], &rs256["current"]),
        (&current.into(), &next.into())
    );
    assert_eq!(
        rotated.stderr,
        format!(
            "RS256 signs with the key {next}; the next key is {}\n",
            rs256["next"].as_str().unwrap()
        )
    );
    assert_eq!(published(&running).await.len(), 7);
    let table = running.easel(&["keys", "list"]).stdout();
    assert!(table.contains("previous, verifies only"), "{table}");
    let rotated = running.easel(&["keys", "rotate", "--algorithm", "EdDSA", "--json"]);
    let rotated: Value = serde_json::from_str(&rotated.stdout()).unwrap();
    let eddsa = &rotated["signing"][2];
    assert_eq!(eddsa["algorithm"], "EdDSA");
    assert!(eddsa["previous"].is_string(), "{eddsa}");
}

#[test]
fn the_master_key_rotates_with_a_server_and_without_one() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("data.key");
    let id_of = |running: &Running| {
        let json = running.easel(&["keys", "list", "--json"]).stdout();
        let json: Value = serde_json::from_str(&json).unwrap();
        json["master_key"].as_str().unwrap().to_owned()
    };
    let running = Running::start(&data);
    running
        .easel(&[
            "subscriptions",
            "add",
            "signed",
            "--webhook",
            "http://127.0.0.1:1/",
            "--sign",
            "standard",
        ])
        .stdout();
    let (first_id, first_key) = (id_of(&running), fs::read_to_string(&file).unwrap());
    let ran = running.easel(&["keys", "rotate-master"]);
    let second_id = id_of(&running);
    assert_ne!(first_id, second_id);
    assert_eq!(
        ran.to_string(),
        format!(
            "exit 0\n--- stdout\n--- stderr\nthe new master key is {second_id}; keep a copy of {}, \
             because backups need it\n",
            file.display()
        )
    );
    assert_ne!(fs::read_to_string(&file).unwrap(), first_key);

    // A killed server leaves its file `local.json`.
    running.kill();
    let args = ["keys", "rotate-master", "--data", "data", "--json"];
    let json = easel(folder.path(), &args).stdout();
    let json: Value = serde_json::from_str(&json).unwrap();
    let third_id = json["master_key"].as_str().unwrap();
    assert!(![first_id, second_id].iter().any(|id| id == third_id));
    let running = Running::start(&data);
    assert_eq!(id_of(&running), third_id);
    let shown = running.easel(&["subscriptions", "show", "signed"]).stdout();
    assert!(shown.contains("signing     standard\n"), "{shown}");
}

#[test]
fn a_master_key_of_the_environment_is_not_rotated_and_a_missing_folder_is_reported() {
    let folder = tempdir().unwrap();
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let running = Running::start_with(&folder.path().join("data"), &[], |serve| {
        serve.env("EASEL_KEYS__MASTER_KEY", key);
    });
    assert!(!folder.path().join("data.key").exists());
    check!(running.easel(&["keys", "rotate-master"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: Failed to rotate the master key: it comes from EASEL_KEYS__MASTER_KEY; set that to a new key and EASEL_KEYS__PREVIOUS_MASTER_KEY to the old one, and restart the server. (master_key_not_in_file)
        ");
    check!(easel(folder.path(), &["keys", "rotate-master", "--data", "missing"]), @r"
        exit 78
        --- stdout
        --- stderr
        error: failed to use data folder missing: No such file or directory (os error 2)
        ");
    assert!(!folder.path().join("missing").exists());
}
