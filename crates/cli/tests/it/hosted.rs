//! Tests of the door for hosted Canvas with senders that other libraries sign for: `PyJWT` and `jose`.
//!
//! `EASEL_TEST_PYTHON` names a Python with `PyJWT`, `EASEL_TEST_NODE_MODULES` a folder with `jose`.
//! `scripts/clients` installs them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use easel_testkit::{Receiver, event, report_missing};
use serde::Deserialize;
use serde_json::Value;
use tempfile::tempdir;

use crate::caller::Caller;
use crate::running::Running;

/// The number of different events.
const EVENTS: u64 = 20;

/// The number of answers by status.
#[derive(Debug, Deserialize)]
struct Summary {
    good: BTreeMap<u16, u64>,
    forged: BTreeMap<u16, u64>,
}

/// Runs a sender that writes its keys to a file, prints a line, and reads events from stdin.
///
/// Returns what it printed, with the requests for its keys.
async fn run(mut sender: Command, jwks: &Path, receiver: &Receiver) -> Summary {
    let mut child = sender
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "keys\n");
    receiver.set_body(std::fs::read(jwks).unwrap());
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..EVENTS {
        let event = event("logged_in", number);
        stdin.write_all(&event).unwrap();
        stdin.write_all(b"\n").unwrap();
    }
    drop(stdin);
    let ended = tokio::task::spawn_blocking(move || {
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success());
        rest
    });
    serde_json::from_str(&ended.await.unwrap()).unwrap()
}

/// Sends events with a sender that `command` creates for a URL and a file for its keys. Each event is sent
/// `copies` times.
async fn check_sender(
    command: impl FnOnce(&str, &Path) -> Command,
    copies: u64,
    forged_count: u64,
) {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let (caller, receiver) = (Caller::new(&running), Receiver::start().await);
    let jwks_url = receiver.url();
    running
        .easel(&["sources", "add", "hosted", "--jwks-url", &jwks_url])
        .stdout();
    let jwks = folder.path().join("jwks.json");
    let url = format!("{}/v1/hooks/hosted", running.url());
    let Summary { good, forged } = run(command(&url, &jwks), &jwks, &receiver).await;
    assert_eq!(good, BTreeMap::from([(200, EVENTS * copies)]));
    assert_eq!(forged, BTreeMap::from([(401, forged_count)]));
    let log = caller.log().await;
    assert_eq!(log.len() as u64, EVENTS, "each event is stored once");
    let source: Value = caller.read("/v1/sources/hosted").await;
    assert_eq!(source["last_day"]["accepted"], EVENTS);
    assert_eq!(source["last_day"]["duplicate"], EVENTS * (copies - 1));
    assert_eq!(source["last_day"]["failed"], forged_count);
    assert!(source["last_event_at"].is_string(), "{source}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_signed_by_pyjwt_are_stored_once_and_forged_ones_are_refused() {
    let Some(python) = std::env::var_os("EASEL_TEST_PYTHON") else {
        report_missing("PyJWT; scripts/test installs it");
        return;
    };
    let command = |url: &str, jwks: &Path| {
        let mut command = Command::new(python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/hosted_sender.py");
        command.arg(script).args(["--url", url, "--jwks"]).arg(jwks);
        command
    };
    check_sender(command, 6, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_signed_by_jose_are_stored_once_and_forged_ones_are_refused() {
    let Some(node_modules) = std::env::var_os("EASEL_TEST_NODE_MODULES") else {
        report_missing("jose for Node.js; scripts/test installs it");
        return;
    };
    let command = |url: &str, jwks: &Path| {
        let mut command = Command::new("node");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/hosted_sender.mjs");
        command.arg(script).arg(url).arg(jwks).arg(node_modules);
        command
    };
    check_sender(command, 2, 6).await;
}
