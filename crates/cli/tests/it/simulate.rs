//! Tests of `easel simulate` to files and through every door, and of `easel demo`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::easel::{Ran, command, easel};
use crate::running::Running;

const TERM: [&str; 5] = ["simulate", "--students", "12", "--days", "4"];

fn simulate(folder: &Path, args: &[&str]) -> Ran {
    let ran = easel(folder, &[&TERM[..], args].concat());
    assert_eq!(ran.code, Some(0), "{ran}");
    ran
}

/// Counts the events of each type in lines of events.
fn counts(lines: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let name = event["metadata"]["event_name"].as_str().unwrap();
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn the_same_seed_prints_the_same_events_and_they_conform() {
    let folder = tempdir().unwrap();
    let printed_run = simulate(folder.path(), &["--seed", "7"]);
    assert!(printed_run.stdout == simulate(folder.path(), &["--seed", "7"]).stdout);
    assert!(printed_run.stdout != simulate(folder.path(), &["--seed", "8"]).stdout);
    let events: u64 = counts(&printed_run.stdout).values().sum();
    let last = printed_run.stderr.lines().last().unwrap();
    assert!(
        last.trim_start()
            .starts_with(&format!("{events} events of ")),
        "{last}"
    );

    std::fs::write(folder.path().join("events.ndjson"), &printed_run.stdout).unwrap();
    let checked = easel(folder.path(), &["check", "--summary", "events.ndjson"]);
    assert_eq!(checked.code, Some(0), "{checked}");

    let changes = simulate(folder.path(), &["--seed", "7", "--changes"]);
    std::fs::write(folder.path().join("changes.ndjson"), &changes.stdout).unwrap();
    let made = easel(
        folder.path(),
        &["changes", "explain", "--events", "changes.ndjson"],
    );
    assert_eq!(made.code, Some(0), "{made}");
    assert!(made.stdout == printed_run.stdout);
}

#[tokio::test]
async fn every_door_accepts_the_simulated_events() {
    let folder = tempdir().unwrap();
    let printed = simulate(folder.path(), &[]).stdout;
    for door in ["events", "changes", "kinesis"] {
        let data = folder.path().join(door);
        std::fs::write(
            folder.path().join("easel.toml"),
            "[[kinesis.keys]]\naccess_key_id = \"CAMPUS\"\nsecret_access_key = \"fjord\"\n",
        )
        .unwrap();
        let running = Running::start(&data);
        let mut args = TERM.to_vec();
        args.extend(["--to", door]);
        if door == "kinesis" {
            args.extend(["--access-key-id", "CAMPUS", "--secret-access-key", "fjord"]);
        }
        let ran = running.easel(&args);
        assert_eq!(ran.code, Some(0), "{door}: {ran}");
        let log = Caller::new(&running).log().await;
        let log: Vec<_> = log
            .iter()
            .map(|record| str::from_utf8(record.bytes()).unwrap())
            .collect();
        assert!(log.join("\n") == printed.trim_end(), "{door}");
    }
}

#[test]
fn a_wrong_key_is_rejected() {
    let folder = tempdir().unwrap();
    std::fs::write(
        folder.path().join("easel.toml"),
        "[[kinesis.keys]]\naccess_key_id = \"CAMPUS\"\nsecret_access_key = \"fjord\"\n",
    )
    .unwrap();
    let running = Running::start(&folder.path().join("data"));
    let key = [
        "--to",
        "kinesis",
        "--access-key-id",
        "CAMPUS",
        "--secret-access-key",
        "fjell",
    ];
    let ran = running.easel(&[&TERM[..], &key].concat());
    assert_eq!(ran.code, Some(78), "{ran}");
    assert!(ran.stderr.contains("--secret-access-key"), "{ran}");
}

/// The demo ends, loses no event and deletes its folder.
#[test]
fn the_demo_shows_three_subscriptions_whose_balances_add_up() {
    let folder = tempdir().unwrap();
    let demo = [
        "demo",
        "--students",
        "10",
        "--rate",
        "400",
        "--seconds",
        "8",
    ];
    // The demo creates its folder below `TMPDIR`.
    let output = command(folder.path(), &demo)
        .env("TMPDIR", folder.path())
        .output();
    let ran = Ran::new(&output.unwrap());
    assert_eq!(ran.code, Some(0), "{ran}");
    let balances: Vec<_> = ran
        .stderr
        .lines()
        .filter(|line| line.ends_with("adds up"))
        .collect();
    assert_eq!(balances.len(), 3, "{ran}");
    for name in ["canvas", "caliper", "unreliable"] {
        let balance = balances
            .iter()
            .find(|line| line.starts_with(&format!("{name} ")));
        let balance = balance.unwrap_or_else(|| panic!("{name}: {ran}"));
        assert!(!balance.contains(" 0 delivered"), "{balance}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
