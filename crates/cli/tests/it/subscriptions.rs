//! Tests of `easel subscriptions test` and `edit`.

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
async fn a_test_prints_the_answer_of_the_endpoint() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let receiver = Receiver::start().await;
    receiver.set_body("thanks\u{1b}[2J");
    add(&running, &receiver.url());
    let printed = running.easel(&["subscriptions", "test", "grades"]).stdout();
    assert!(
        printed.starts_with("sent      grade_change to http://127.0.0.1:"),
        "{printed}"
    );
    assert!(printed.contains("\nanswered  200 after "), "{printed}");
    assert!(
        printed.ends_with("\nbody      thanks\\u{1b}[2J\n"),
        "{printed}"
    );
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
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&printed["status"], &printed["event"]),
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
        error: subscription "nobody" does not exist (no_such_subscription)
        "#);
    check!(running.easel(&["subscriptions", "test", "ftp://a/"]), @r"
        exit 65
        --- stdout
        --- stderr
        error: The endpoint cannot be used: parse the URL: its scheme must be http or https. (invalid_test)
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
        error: --in-flight: in_flight must be 1 to 256, not 1000. (invalid_subscription)
        ");
    check!(running.easel(&["subscriptions", "edit", "nobody", "--timeout", "5s"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: subscription "nobody" does not exist (no_such_subscription)
        "#);
}

#[test]
fn without_flags_an_editor_opens_and_a_rejected_text_is_kept() {
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
        Ran::new(&command.output().unwrap())
    };
    let ran = edit("sed -i s/grade_/submission_/");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), "grades is active\n"));
    assert_eq!(
        show(&running)["events"],
        serde_json::json!(["submission_*"])
    );
    assert_eq!(edit("true").stderr, "nothing was changed\n");

    for (editor, words) in [
        ("sed -i s/{/[/", "the JSON is invalid at line "),
        (
            "sed -i s/15s/15h/",
            "--timeout: the timeout must be 1s to 5m",
        ),
    ] {
        let ran = edit(editor);
        assert_eq!(ran.code, Some(65), "{ran}");
        assert!(ran.stderr.contains(words), "{ran}");
        let (_, path) = ran.stderr.split_once("the edited text is in ").unwrap();
        let path = path.lines().next().unwrap();
        assert!(fs::read_to_string(path).unwrap().contains("submission_*"));
    }
    let ran = edit("false");
    assert_eq!(ran.code, Some(69), "{ran}");
    assert_eq!(
        show(&running)["events"],
        serde_json::json!(["submission_*"])
    );
}

#[test]
fn a_removal_is_also_printed_as_json() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    add(&running, "http://127.0.0.1:1/");
    let printed = running
        .easel(&["subscriptions", "remove", "grades", "--json"])
        .stdout();
    assert_eq!(printed, "{\"removed\":\"grades\"}\n");
    let made = running
        .easel(&["tokens", "create", "x", "--scope", "read", "--json"])
        .stdout();
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = made["id"].as_str().unwrap();
    let printed = running.easel(&["tokens", "remove", id, "--json"]).stdout();
    assert_eq!(printed, format!("{{\"removed\":\"{id}\"}}\n"));
}
