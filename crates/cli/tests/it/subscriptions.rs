//! `easel subscriptions test` and `edit`.

use std::fs;

use easel_testkit::Receiver;
use http::StatusCode;
use serde_json::Value;
use tempfile::tempdir;

use crate::easel::{Ran, check, command};
use crate::running::Running;

fn add(running: &Running, url: &str) {
    let args = ["subscriptions", "add", "grades", "--webhook", url];
    let more = ["--event", "grade_*", "--condition", "course=1"];
    running.easel(&[&args[..], &more].concat()).stdout();
}

fn show(running: &Running) -> Value {
    let json = running
        .easel(&["subscriptions", "show", "grades", "--json"])
        .stdout();
    serde_json::from_str(&json).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_prints_what_the_endpoint_answers() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let receiver = Receiver::start().await;
    receiver.set_body("thanks\u{1b}[2J");
    add(&running, &receiver.url());
    let told = running.easel(&["subscriptions", "test", "grades"]).stdout();
    assert!(
        told.starts_with("sent      grade_change to http://127.0.0.1:"),
        "{told}"
    );
    assert!(told.contains("\nanswered  200 after "), "{told}");
    assert!(told.ends_with("\nbody      thanks\\u{1b}[2J\n"), "{told}");
    assert_eq!(receiver.received()[0].header("easel-test"), "true");

    receiver.set_status(StatusCode::NOT_FOUND);
    receiver.set_body("");
    let url = receiver.url();
    let args = [
        "subscriptions",
        "test",
        &url,
        "--event",
        "course_created",
        "--json",
    ];
    let ran = running.easel(&args);
    assert_eq!(ran.code, Some(69), "{ran}");
    assert_eq!(ran.stderr, "error: send: the endpoint answered 404\n");
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&told["status"], &told["event"]),
        (&404.into(), &"course_created".into())
    );
    check!(running.easel(&["subscriptions", "test", &url, "--event", "x"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: The catalogue has no event type "x". (invalid_test)
        "#);
    check!(running.easel(&["subscriptions", "test", "nobody"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: there is no subscription named "nobody" (no_such_subscription)
        "#);
    check!(running.easel(&["subscriptions", "test", "ftp://a/"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: The endpoint cannot be sent to: read the URL: it is neither http nor https. (invalid_test)
        ");
}

#[test]
fn flags_change_fields_and_leave_the_others() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let args = [
        "subscriptions",
        "edit",
        "grades",
        "--timeout",
        "5s",
        "--condition",
        "user=7",
    ];
    check!(running.easel(&args), @r"
        exit 0
        --- stdout
        --- stderr
        grades is active
        ");
    let shown = show(&running);
    assert_eq!(shown["webhook"]["timeout"], "5s");
    assert_eq!(shown["webhook"]["url"], "http://127.0.0.1:1/");
    assert_eq!(shown["events"], serde_json::json!(["grade_*"]));
    assert_eq!(shown["conditions"], serde_json::json!({ "user": ["7"] }));
    check!(running.easel(&["subscriptions", "edit", "grades", "--in-flight", "1000"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: --in-flight: in_flight is 1 to 256; 1000 is not. (invalid_subscription)
        ");
    check!(running.easel(&["subscriptions", "edit", "nobody", "--timeout", "5s"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: there is no subscription named "nobody" (no_such_subscription)
        "#);
}

#[test]
fn without_flags_the_editor_changes_it_and_what_is_refused_is_kept() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let edit = |editor: &str| {
        let args = ["subscriptions", "edit", "grades", "--data"];
        let mut command = command(folder.path(), &args);
        command
            .arg(running.data())
            .env("EDITOR", editor)
            .env("TMPDIR", folder.path())
            .env("PATH", "/usr/bin:/bin");
        Ran::of(&command.output().unwrap())
    };
    let ran = edit("sed -i s/grade_/submission_/");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), "grades is active\n"));
    assert_eq!(
        show(&running)["events"],
        serde_json::json!(["submission_*"])
    );
    assert_eq!(edit("true").stderr, "nothing was changed\n");

    for (editor, words) in [
        ("sed -i s/{/[/", "this is not valid JSON; see line "),
        ("sed -i s/15s/15h/", "--timeout: a time-out is 1s to 5m"),
    ] {
        let ran = edit(editor);
        assert_eq!(ran.code, Some(65), "{ran}");
        assert!(ran.stderr.contains(words), "{ran}");
        let (_, kept) = ran
            .stderr
            .split_once("what was edited is kept in ")
            .unwrap();
        let kept = kept.lines().next().unwrap();
        assert!(fs::read_to_string(kept).unwrap().contains("submission_*"));
    }
    let ran = edit("false");
    assert_eq!(ran.code, Some(69), "{ran}");
    assert_eq!(
        show(&running)["events"],
        serde_json::json!(["submission_*"])
    );
}

#[test]
fn what_is_removed_is_told_as_json_too() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let told = running
        .easel(&["subscriptions", "remove", "grades", "--json"])
        .stdout();
    assert_eq!(told, "{\"removed\":\"grades\"}\n");
    let made = running
        .easel(&["tokens", "create", "x", "--scope", "read", "--json"])
        .stdout();
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = made["id"].as_str().unwrap();
    let told = running.easel(&["tokens", "remove", id, "--json"]).stdout();
    assert_eq!(told, format!("{{\"removed\":\"{id}\"}}\n"));
}
