//! `easel status`

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use crate::easel::{check, easel};
use crate::running::Running;

#[test]
fn a_server_that_is_well_says_so_on_one_screen_and_ends_with_0() {
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
    // The machine's disk may really be nearly full, and nothing else is amiss.
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
fn what_needs_attention_is_said_and_is_exit_code_1_also_with_json() {
    let folder = tempdir().unwrap();
    let text = "[[subscriptions]]\nname = \"grades\"\nwebhook.url = \"http://127.0.0.1:1/\"\n";
    fs::write(folder.path().join("easel.toml"), text).unwrap();
    let log = ["--log", "info,easel_deliver=debug"];
    let mut running = Running::start_with(&folder.path().join("data"), &log, |_command| ());
    // Attempts fail at once, for nobody listens there. After three the lane holds; most events are
    // pending still.
    running
        .easel(&["emit", "grade_change", "--count", "100"])
        .stdout();
    running.wait_for("lane holds");
    let mut tries = (0..100).map(|_| running.easel(&["status"]));
    let ran = tries.find(|ran| ran.stdout.contains("on hold")).unwrap();
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
        attention.iter().any(|one| one["code"] == "holding"),
        "{status}"
    );
}

#[test]
fn without_a_server_the_status_is_an_outage_and_not_a_thing_to_attend_to() {
    let folder = tempdir().unwrap();
    check!(easel(folder.path(), &["status"]), @r"
        exit 69
        --- stdout
        --- stderr
        error: no server is running on easel-data; start one with `easel serve`, or name its folder with --data or its address with --url
        ");
}
