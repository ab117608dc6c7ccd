//! Tests of closed pipes: the reader ends before the command, as `head` does.

use std::fs;
use std::io::pipe;
use std::path::Path;
use std::process::Stdio;

use tempfile::tempdir;

use crate::easel::{Ran, command};
use crate::running::Running;

/// The pipes whose reader has closed.
#[derive(Clone, Copy, Debug)]
enum ClosedPipes {
    Stdout,
    Both,
}

/// Runs a command with closed output pipes.
fn run_unread(folder: &Path, args: &[&str], closed_pipes: ClosedPipes) -> Ran {
    let closed = || {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        writer
    };
    let mut command = command(folder, args);
    command.stdout(closed()).stdin(Stdio::null());
    match closed_pipes {
        ClosedPipes::Stdout => command.stderr(Stdio::piped()),
        ClosedPipes::Both => command.stderr(closed()),
    };
    Ran::new(&command.spawn().unwrap().wait_with_output().unwrap())
}

#[test]
fn every_command_ends_quietly_if_its_pipe_is_closed() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    running.easel(&["emit", "course_created"]).stdout();
    let event = running.easel(&["tail"]).stdout();
    fs::write(folder.path().join("event.json"), event).unwrap();
    let change = r#"{"record":"WikiPage","operation":"insert","after":{"id":5}}"#;
    fs::write(folder.path().join("change.json"), change).unwrap();
    let add = "subscriptions add x --webhook http://127.0.0.1:1/";
    running.easel(&add.split(' ').collect::<Vec<_>>()).stdout();
    for line in [
        "--help",
        "--version",
        "emit --help",
        "emit course_created",
        "emit course_created --count 3",
        "emit course_created --json",
        "tail",
        "tail --json",
        "tail --follow -n 1",
        "listen --forward http://127.0.0.1:1/ --from earliest",
        "subscriptions list",
        "subscriptions list --json",
        "subscriptions show x",
        "subscriptions pause x",
        "subscriptions resume x --json",
        "subscriptions edit x --timeout 5s",
        "balance",
        "balance x",
        "catalog",
        "catalog course_created",
        "catalog course_created --schema",
        "catalog --asyncapi",
        "check event.json",
        "check --summary event.json",
        "drift",
        "drift --json",
        "drift clear",
        "tokens create x --scope read",
        "tokens list",
        "quarantine list",
        "quarantine retry",
        "quarantine empty",
        "translate --to caliper event.json",
        "changes explain --json change.json",
        "simulate --students 5 --days 2",
        "config check",
        "config check --json",
        "completions bash",
    ] {
        let args: Vec<_> = line.split(' ').collect();
        let data = ["--data", running.data().to_str().unwrap()];
        for closed_pipes in [ClosedPipes::Stdout, ClosedPipes::Both] {
            let args = [&args[..], &data].concat();
            let ran = run_unread(folder.path(), &args, closed_pipes);
            // A command may still report an invalid input on an open stderr.
            let is_quiet = !ran.stderr.contains("panic") && !ran.stderr.contains("roken pipe");
            assert!(is_quiet, "{line}, {closed_pipes:?}: {ran}");
            let is_rejected = line.starts_with("changes") && ran.code == Some(65);
            assert!(
                ran.code == Some(0) || is_rejected,
                "{line}, {closed_pipes:?}: {ran}"
            );
        }
    }
}

#[test]
fn a_failed_command_keeps_its_exit_code_if_all_pipes_are_closed() {
    let folder = tempdir().unwrap();
    for (line, code) in [
        ("tail --url http://127.0.0.1:1", 69),
        ("emit nonsense", 65),
        ("tail --from yesterday", 64),
        ("config check --config gone.toml", 78),
    ] {
        let args: Vec<_> = line.split(' ').collect();
        let ran = run_unread(folder.path(), &args, ClosedPipes::Both);
        assert_eq!(ran.code, Some(code), "{line}: {ran}");
    }
}

#[test]
fn a_server_continues_if_its_log_pipe_is_closed() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let mut running = Running::start_with(&data, &["--log", "trace"], |_| ());
    running.close_stderr();
    // The reading thread ends at the next line; the server notices at the line after that.
    running.easel(&["balance"]).stdout();
    running.easel(&["emit", "course_created"]).stdout();
    running.terminate();
    assert_eq!(running.status().code(), Some(0));
}
