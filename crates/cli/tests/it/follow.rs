//! Tests of `easel tail --follow`.

use std::io::BufReader;
use std::process::{Child, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tempfile::tempdir;

use crate::easel::command;
use crate::running::{Running, lines_of};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A follower in its own process, killed on drop.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(running: &Running, args: &[&str]) -> Self {
        let folder = running.data().parent().unwrap();
        let mut command = command(folder, &["tail", "--follow", "--data"]);
        command
            .arg(running.data())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = lines_of(BufReader::new(child.stdout.take().unwrap()));
        Self { child, lines }
    }

    /// Returns the number `n` in the body of the next printed event.
    #[track_caller]
    fn next(&self) -> u64 {
        let line = self.lines.recv_timeout(TIMEOUT).unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        event["body"]["n"].as_u64().unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn emit(running: &Running, event: &str, n: u64) {
    running
        .easel(&["emit", event, "--force", "--set", &format!("n={n}")])
        .stdout();
}

#[test]
fn a_follower_prints_old_and_new_events() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    (0..3).for_each(|n| emit(&running, "x", n));
    let follower = Follower::start(&running, &["-n", "2"]);
    assert_eq!([follower.next(), follower.next()], [1, 2]);
    emit(&running, "x", 3);
    assert_eq!(follower.next(), 3);
}

#[test]
fn a_follower_prints_only_matching_events() {
    let folder = tempdir().unwrap();
    let running = Running::start(&folder.path().join("data"));
    emit(&running, "wanted", 0);
    let follower = Follower::start(&running, &["--event", "want*"]);
    assert_eq!(follower.next(), 0);
    emit(&running, "other", 1);
    emit(&running, "wanted", 2);
    assert_eq!(follower.next(), 2);
}

#[test]
fn a_follower_survives_a_server_restart_and_misses_nothing() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::start(&data);
    emit(&running, "x", 0);
    let follower = Follower::start(&running, &[]);
    assert_eq!(follower.next(), 0);
    running.kill();

    let running = Running::start(&data);
    emit(&running, "x", 1);
    emit(&running, "x", 2);
    assert_eq!([follower.next(), follower.next()], [1, 2]);
}
