//! Tests of `easel status`.

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use crate::easel::{check, easel};
use crate::running::Running;

#[test]
fn a_healthy_server_is_shown_on_one_screen_with_exit_code_0() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let ran = running.easel(&["status"]);
    let mut lines = ran.stdout.lines();
    let heading = format!(
        "easel       version {} at {}, up for ",
        env!("CARGO_PKG_VERSION"),
        running.url()
    );
    assert!(lines.next().unwrap().starts_with(&heading), "{ran}");
    let names: Vec<_> = lines
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        names,
        ["log", "disk", "lanes", "drift", "quarantine", "attention"],
        "{ran}"
    );
    // The disk of the test machine may be nearly full; everything else must be healthy.
    let (attention, code) = if ran.stdout.contains("the disk is nearly full") {
        ("the disk is nearly full", 1)
    } else {
        ("nothing needs attention", 0)
    };
    assert!(
        ran.stdout.ends_with(&format!("attention   {attention}\n")),
        "{ran}"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{ran}");
}

#[test]
fn an_item_that_needs_attention_gives_exit_code_1_also_with_json() {
    let folder = tempdir().unwrap();
    let text = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://127.0.0.1:1/\"\n";
    fs::write(folder.path().join("easel.toml"), text).unwrap();
    let log = ["--log", "info,easel_deliver=debug"];
    let mut running = Running::start_with(&folder.path().join("data"), &log, |_command| ());
    // Attempts fail because the endpoint is down. After three attempts the lane is on hold, and most
    // events are still pending.
    running
        .easel(&["emit", "grade_change", "--count", "100"])
        .stdout();
    running.wait_for("lane is on hold");
    let mut polls = (0..100).map(|_| running.easel(&["status"]));
    let ran = polls.find(|ran| ran.stdout.contains("on hold")).unwrap();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran}");
    let mut lines = ran.stdout.lines();
    let lane = lines.find(|line| line.starts_with("  grades: "));
    assert!(
        lane.is_some_and(|lane| lane.contains(" pending for ")),
        "{ran}"
    );
    let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("on hold, next attempt in"), "{ran}");
    assert!(
        words.contains("will begin to lose events in 29 days"),
        "{ran}"
    );
    assert!(
        words.contains("on hold after a failed attempt: grades"),
        "{ran}"
    );

    let ran = running.easel(&["status", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let status: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["lanes"][0]["subscription"], "grades");
    let attention = status["attention"].as_array().unwrap();
    assert!(
        attention.iter().any(|item| item["code"] == "holding"),
        "{status}"
    );
    // A restart would not help, so a probe of readiness does not ask for one.
    assert_eq!(running.easel(&["status", "--ready"]).code, Some(0));
}

#[test]
fn without_a_server_the_exit_code_is_unavailable_not_attention() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["status"]), @r"
        exit 69
        --- stdout
        --- stderr
        error: no server is running on easel-data; start one with `easel serve`, or give its folder with --data or its address with --url
        ");
}

#[test]
fn readiness_needs_a_server_that_answers() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let ready = running.easel(&["status", "--ready"]);
    assert_eq!(
        (ready.code, ready.stderr.as_str()),
        (Some(0), ""),
        "{ready}"
    );
    let answer: Value = serde_json::from_str(&ready.stdout).unwrap();
    assert_eq!(answer["ready"], true, "{ready}");
    let data = running.data().to_owned();
    running.kill();
    let args = ["status", "--ready", "--data", data.to_str().unwrap()];
    assert_eq!(easel(folder.path(), &args).code, Some(69));
}
