//! `easel sources`, and sources of the settings file.

use std::fs;

use easel_testkit::Receiver;
use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::check;
use crate::running::Running;

const SECRET: &str = "0123456789abcdef-secret";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_added_edited_paused_and_removed() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let jwks = Receiver::start().await;
    running
        .easel(&[
            "sources",
            "add",
            "hosted",
            "--jwks-url",
            &jwks.url(),
            "--root-account",
            "7",
        ])
        .stdout();
    check!(running.easel(&["sources", "list"]), @r"
        exit 0
        --- stdout
        NAME    KIND   STATE   LAST EVENT  PER MIN  EVENTS 24 H  FAILED 24 H
        hosted  https  active  never       0.0                0            0
        --- stderr
        ");
    let json =
        |args: &[&str]| -> Value { serde_json::from_str(&running.easel(args).stdout()).unwrap() };
    let show = ["sources", "show", "hosted", "--json"];
    assert_eq!(json(&show)["root_accounts"][0], "7");
    running
        .easel(&[
            "sources", "edit", "hosted", "--issuer", "*", "--secret", SECRET,
        ])
        .stdout();
    let shown = json(&show);
    assert_eq!(shown["issuer"], "*");
    assert_eq!(shown["secret"], "…");
    assert_eq!(shown["jwks_url"], jwks.url());
    // An edit of something else keeps the secret.
    running
        .easel(&["sources", "edit", "hosted", "--root-account", "8"])
        .stdout();
    assert_eq!(json(&show)["secret"], "…");
    running.easel(&["sources", "pause", "hosted"]).stdout();
    assert_eq!(json(&show)["state"], "paused");
    check!(running.easel(&["sources", "add", "hosted"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: the name hosted is taken (name_taken)
        ");
    check!(running.easel(&["sources", "add", "x", "--unsigned"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: secret is required if events are not signed (invalid_source)
        ");
    check!(running.easel(&["sources", "resume", "other"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: there is no source "other" (no_such_source)
        "#);
    running.easel(&["sources", "remove", "hosted"]).stdout();
    assert_eq!(
        json(&["sources", "list", "--json"])["sources"],
        Value::Array(Vec::new())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_of_the_settings_file_takes_events_and_is_changed_only_there() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("secret"), SECRET).unwrap();
    let settings = "[[sources]]\nname = \"unsigned\"\nkind = \"https\"\nsigned = false\nsecret = \"file:secret\"\n";
    fs::write(folder.path().join("easel.toml"), settings).unwrap();
    let running = Running::start(&folder.path().join("data"));
    let caller = Caller::new(&running);
    let event = easel_testkit::event("logged_in", 1);
    let path = format!("/v1/hooks/unsigned/{SECRET}");
    let body: Value = serde_json::from_slice(&event).unwrap();
    let answer = caller
        .call(http::Method::POST, &path, Some(body))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(caller.log().await.len(), 1);
    check!(running.easel(&["sources", "remove", "unsigned"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: the source unsigned is defined in the settings file; change it there (defined_in_file)
        ");
    let status: Value = caller.read("/v1/status").await;
    assert_eq!(status["sources"][0]["source"], "unsigned");
    // The server applies a changed file at once.
    fs::write(folder.path().join("easel.toml"), "").unwrap();
    running.hang_up();
    let sources = |list: &Value| list["sources"].as_array().unwrap().len();
    caller
        .wait_until::<Value>("/v1/sources", |list| sources(list) == 0)
        .await;
}

#[test]
fn faults_of_sources_name_their_place_and_no_secret() {
    let folder = tempdir().unwrap();
    let settings = "\
[[sources]]
name = \"a\"
kind = \"https\"
queue_url = \"https://q/1\"

[[sources]]
name = \"b\"
kind = \"ftp\"
signed = 1

[[sources]]
name = \"c\"
kind = \"https\"
signed = false
secret = \"hush\"

[[sources]]
name = \"d\"
kind = \"https\"
secret = \"env:NOT_SET\"

[[sources]]
name = \"d\"
kind = \"https\"

[[sources]]
name = \"e\"
kind = \"sqs\"
queue_url = \"https://queues.example/1/q\"
";
    fs::write(folder.path().join("easel.toml"), settings).unwrap();
    check!(crate::easel::easel(folder.path(), &["config", "check"]), @r#"
        exit 78
        --- stdout
        --- stderr
        error: easel.toml:1:1: queue_url does not belong to a source of the kind https
        error: easel.toml:8:8: `kind` must be "https" or "sqs", not "ftp"
        error: easel.toml:9:10: `signed` must be true or false, not a number
        error: easel.toml:11:1: secret must be 16 to 200 of A-Z, a-z, 0-9, `-`, `_`, `.` and `~`
        error: easel.toml:17:1: source d: secret: the environment variable NOT_SET is not set
        error: easel.toml:22:1: source d is defined twice
        error: easel.toml:26:1: source e: endpoint_url is required, because the host of queue_url is not one of AWS; for an emulator, it is the address of the emulator, such as http://127.0.0.1:9324
        "#);
}
