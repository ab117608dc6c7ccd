//! Tests of the output on a terminal and of its width.

use std::fs::{self, File};
use std::io::{Read, Write};

use easel_testkit::Receiver;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::tcgetattr;
use tempfile::tempdir;

use crate::easel::command;
use crate::listener::Listener;
use crate::running::Running;

/// Opens a terminal. Returns our end and the end for a command.
fn terminal() -> (File, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (File::from(terminal), end)
}

/// Returns the output of a command on a terminal.
fn on_a_terminal(running: &Running, args: &[&str]) -> String {
    let (mut terminal, end) = terminal();
    let mut command = command(running.data().parent().unwrap(), args);
    command.arg("--data").arg(running.data()).stdout(end);
    let mut child = command.spawn().unwrap();
    // The command holds the other end of the terminal too.
    drop(command);
    let mut shown = Vec::new();
    let mut part = [0; 4096];
    // A read from a closed terminal returns an error instead of the end.
    while let Ok(count @ 1..) = terminal.read(&mut part) {
        shown.extend_from_slice(&part[..count]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[test]
fn on_a_terminal_an_event_is_one_line_of_text() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    running.easel(&["emit", "grade_change"]).stdout();
    let line = on_a_terminal(&running, &["tail"]);
    let words: Vec<_> = line.split_whitespace().collect();
    let id = running.easel(&["tail", "--json"]).stdout();
    let id: serde_json::Value = serde_json::from_str(&id).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert_eq!(
        words[1..5],
        [
            "grade_change",
            "marit.sondergard",
            "Course",
            "70000000000044"
        ]
    );
    assert_eq!(words[5], id["id"]);
    assert!(on_a_terminal(&running, &["tail", "--json"]).starts_with("{\"offset\":0,"));
    let piped = running.easel(&["tail"]).stdout();
    assert!(piped.starts_with("{\"metadata\":"), "{piped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_reads_lines_from_a_terminal_and_does_not_change_its_mode() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let consumer = Receiver::start().await;
    let (mut terminal, end) = terminal();
    let modes = || {
        let now = tcgetattr(&terminal).unwrap();
        (now.input_modes, now.output_modes, now.local_modes)
    };
    let before = modes();
    let stdin = end.try_clone().unwrap().into();
    let listener = Listener::start_with(&running, &consumer.url(), &[], stdin);
    running.easel(&["emit", "grade_change"]).stdout();
    assert_eq!(listener.answer(), "grade_change -> 200 ms");
    (&terminal).write_all(b"r\n").unwrap();
    assert_eq!(listener.answer(), "grade_change -> 200 ms (attempt 2)");
    listener.signal("-KILL");
    assert_eq!(listener.status().code(), None);
    assert_eq!(modes(), before);

    let stdin = end.try_clone().unwrap().into();
    let listener = Listener::start_with(&running, &consumer.url(), &[], stdin);
    terminal.write_all(b"q\n").unwrap();
    assert_eq!(listener.status().code(), Some(0));
}

#[test]
fn every_table_fits_80_columns() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    let name = "a-name-that-is-as-long-as-names-can-be-which-is-64-characters-xx";
    let url = format!("http://127.0.0.1:1/{}", "long/".repeat(30));
    let add = [
        "subscriptions",
        "add",
        name,
        "--webhook",
        &url,
        "--event",
        "submission_*",
    ];
    let more = ["--event", "grade_change", "--event", "quiz_submitted"];
    running.easel(&[&add[..], &more].concat()).stdout();
    running
        .easel(&[
            "tokens", "create", name, "--scope", "read", "--scope", "manage",
        ])
        .stdout();
    let field = format!("{name}={}", "x".repeat(100));
    running
        .easel(&["emit", "grade_change", "--force", "--set", &field])
        .stdout();
    let event = running.easel(&["tail"]).stdout();
    fs::write(folder.path().join("event.json"), event).unwrap();
    let event_file = folder.path().join("event.json");
    for args in [
        &["subscriptions", "list"][..],
        &["balance"],
        &["tokens", "list"],
        &["quarantine", "list"],
        &["drift"],
        &["catalog"],
        &["config", "check"],
        &["check", "--summary", event_file.to_str().unwrap()],
    ] {
        let ran = running.easel(args);
        assert!(ran.stdout.lines().count() > 0, "{args:?}: {ran}");
        for line in ran.stdout.lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {line}");
        }
    }
    let list = running.easel(&["subscriptions", "list"]).stdout();
    let whole: String = list.split_whitespace().collect();
    assert!(whole.contains("grade_"), "{list}");
}
