//! Canvas's own subscription client, in Ruby with its usual libraries, against a real server.
//!
//! The driver `clients/canvas_client.rb` makes the calls and reads the answers as Canvas does. The test sends
//! events while the subscription of the plagiarism tool exists, and looks at it as an operator does.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver as Lines;
use std::time::Duration;

use easel_testkit::{Receiver, report_missing};
use serde_json::Value;

use crate::running::{Running, lines_of};

const SECRET: &str = "astringthatisactually32byteslong";
const TIMEOUT: Duration = Duration::from_mins(2);

/// Returns true if Ruby has the two libraries.
fn has_ruby() -> bool {
    let libraries = r#"require "httparty"; require "json/jwt""#;
    let ran = Command::new("ruby").args(["-e", libraries]).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// Starts a server that answers Canvas's client.
fn start(data: &Path, args: &[&str]) -> Running {
    Running::start_with(data, args, |command| {
        let file = data.parent().unwrap().join("signing-secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        let signing = format!("file:{}", file.display());
        command
            .env("EASEL_CANVAS_SERVICE__SIGNING_SECRET", signing)
            .env("EASEL_CANVAS_SERVICE__ENCRYPTION_SECRET", SECRET)
            // Streams of Data Services can want events of jobs.
            .env("EASEL_REACH__JOB_EVENTS", "true");
    })
}

/// Reads lines up to one that begins with `start`. Returns the rest of that line.
#[track_caller]
fn read_to(lines: &Lines<String>, start: &str) -> String {
    let mut read = Vec::new();
    loop {
        let Ok(line) = lines.recv_timeout(TIMEOUT) else {
            panic!("{start:?} is missing in {read:#?}");
        };
        if let Some(rest) = line.strip_prefix(start) {
            return rest.trim().to_owned();
        }
        read.push(line);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canvas_manages_the_subscription_of_a_plagiarism_tool_and_of_data_services() {
    if !has_ruby() {
        report_missing("ruby with the packages ruby-httparty and ruby-json-jwt");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let running = start(&data, &[]);
    let receiver = Receiver::start().await;
    let driver = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/clients/canvas_client.rb"
    );
    let mut ruby = Command::new("ruby")
        .args([driver, &running.url()])
        .env("SIGNING_SECRET", SECRET)
        .env("ENCRYPTION_SECRET", SECRET)
        .env("TOOL_URL", format!("{}?key=planted", receiver.url()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = lines_of(BufReader::new(ruby.stdout.take().unwrap()));
    let id = read_to(&lines, "id ");

    let emit = |event_type: &str, sets: &[&str]| {
        let mut args = vec!["emit", event_type, "--force"];
        let account = "metadata.root_account_id=\"10000000000001\"";
        for set in [account].iter().chain(sets) {
            args.extend(["--set", set]);
        }
        running.easel(&args).stdout();
    };
    let own = "associated_integration_id=\"tool-guid\"";
    let by_job = "metadata.job_id=\"7\"";
    // None of these is for the tool: another tool, another account, a type and an origin that it does not want.
    emit(
        "submission_created",
        &["associated_integration_id=\"other\""],
    );
    let elsewhere = "metadata.root_account_id=\"20000000000001\"";
    emit(
        "submission_created",
        &[own, elsewhere, "metadata.root_account_uuid=\"x\""],
    );
    emit("grade_change", &[own]);
    emit("submission_updated", &[own]);
    emit("submission_created", &[own]);
    emit("submission_updated", &[own, by_job]);
    let received = receiver.wait_for(2).await;
    let types = received.iter().map(|request| {
        assert_eq!(request.header("easel-subscription"), id);
        assert_eq!(request.header("content-type"), "application/json");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["body"]["associated_integration_id"], "tool-guid");
        body["metadata"]["event_name"].as_str().unwrap().to_owned()
    });
    let mut types: Vec<_> = types.collect();
    types.sort();
    assert_eq!(types, ["submission_created", "submission_updated"]);

    // An operator sees who owns the subscription, and pauses it, but does not edit it.
    let list = running.easel(&["subscriptions", "list"]).stdout();
    assert!(list.contains("OWNER") && list.contains("canvas"), "{list}");
    let shown = running.easel(&["subscriptions", "show", &id]).stdout();
    for part in [
        "canvas, which changes and removes",
        "associated_integration=tool-guid",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let refused = running.easel(&["subscriptions", "edit", &id, "--event", "x"]);
    assert!(refused.stderr.contains("belongs to canvas"), "{refused}");
    assert_ne!(refused.code, Some(0));
    for command in ["pause", "resume"] {
        running.easel(&["subscriptions", command, &id]).stdout();
    }
    let balance = running.easel(&["balance", &id, "--json"]).stdout();
    let balance: Value = serde_json::from_str(&balance).unwrap();
    assert_eq!(balance["delivered"], 2, "{balance}");
    assert_eq!(receiver.count(), 2);

    let mut stdin = ruby.stdin.take().unwrap();
    stdin.write_all(b"go on\n").unwrap();
    read_to(&lines, "done");
    assert!(ruby.wait().unwrap().success());
    let gone = running.easel(&["subscriptions", "show", &id]);
    assert!(gone.stderr.contains("does not exist"), "{gone}");

    // After a kill, everything is there, and no file has a secret.
    running.kill();
    let running = start(&data, &[]);
    let list = running.easel(&["subscriptions", "list", "--json"]).stdout();
    let list: Value = serde_json::from_str(&list).unwrap();
    let list = list["subscriptions"].as_array().unwrap();
    assert_eq!(list.len(), 129);
    assert!(list.iter().all(|item| item["owner"] == "canvas"));
    drop(running);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let has_secret = bytes.windows(7).any(|window| window == b"planted");
        assert!(!has_secret, "{}", path.display());
    }
}

#[test]
fn the_greeting_shows_the_app_host() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--config", "easel.toml"];
    let toml = "[canvas_service]\npath = \"/canvas\"\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(folder.path().join("easel.toml"), toml).unwrap();
    let mut running = start(&folder.path().join("data"), &args);
    running.wait_for("app-host of live-events-subscription-service");
    assert!(running.stderr().contains("/canvas"));
    assert!(
        !running
            .stderr()
            .contains(&format!("{}/canvas", running.url()))
    );
}
