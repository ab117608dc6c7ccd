//! A campus that lives: into files, and through every door of a server.

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

/// How many events of each type there are in lines of events.
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
    let one = simulate(folder.path(), &["--seed", "7"]);
    assert!(one.stdout == simulate(folder.path(), &["--seed", "7"]).stdout);
    assert!(one.stdout != simulate(folder.path(), &["--seed", "8"]).stdout);
    let events: u64 = counts(&one.stdout).values().sum();
    let last = one.stderr.lines().last().unwrap();
    assert!(
        last.trim_start()
            .starts_with(&format!("{events} events of ")),
        "{last}"
    );

    std::fs::write(folder.path().join("events.ndjson"), &one.stdout).unwrap();
    let checked = easel(folder.path(), &["check", "--summary", "events.ndjson"]);
    assert_eq!(checked.code, Some(0), "{checked}");

    let changes = simulate(folder.path(), &["--seed", "7", "--changes"]);
    std::fs::write(folder.path().join("changes.ndjson"), &changes.stdout).unwrap();
    let made = easel(
        folder.path(),
        &["changes", "explain", "--events", "changes.ndjson"],
    );
    assert_eq!(made.code, Some(0), "{made}");
    assert!(made.stdout == one.stdout);
}

#[tokio::test]
async fn every_door_takes_the_term() {
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
        let log = Caller::of(&running).log().await;
        let log: Vec<_> = log
            .iter()
            .map(|it| str::from_utf8(it.bytes()).unwrap())
            .collect();
        assert!(log.join("\n") == printed.trim_end(), "{door}");
    }
}

#[test]
fn a_wrong_key_is_refused() {
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

/// The demo ends by itself, nothing is lost, and nothing of it stays.
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
    // What it keeps is kept below there.
    let output = command(folder.path(), &demo)
        .env("TMPDIR", folder.path())
        .output();
    let ran = Ran::of(&output.unwrap());
    assert_eq!(ran.code, Some(0), "{ran}");
    let balances: Vec<_> = ran
        .stderr
        .lines()
        .filter(|it| it.ends_with("adds up"))
        .collect();
    assert_eq!(balances.len(), 3, "{ran}");
    for name in ["canvas", "caliper", "unreliable"] {
        let balance = balances
            .iter()
            .find(|it| it.starts_with(&format!("{name} ")));
        let balance = balance.unwrap_or_else(|| panic!("{name}: {ran}"));
        assert!(!balance.contains(" 0 delivered"), "{balance}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
