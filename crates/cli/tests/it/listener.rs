//! `easel listen` in a process of its own.

use std::io::{BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::easel::command;
use crate::running::{Running, lines_of};

const PATIENCE: Duration = Duration::from_secs(30);

/// What it says when everything from there on is forwarded.
const READY: &str = "r and Enter";

/// A listener in a process of its own, killed when dropped.
pub(crate) struct Listener {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What it said while it started.
    said: Vec<String>,
}

impl Listener {
    /// Starts one that forwards to `url`, and waits until everything from then on is forwarded.
    pub(crate) fn start(running: &Running, url: &str, args: &[&str]) -> Self {
        Self::start_with(running, url, args, Stdio::piped())
    }

    /// The same with another stdin than a pipe.
    pub(crate) fn start_with(running: &Running, url: &str, args: &[&str], stdin: Stdio) -> Self {
        let folder = running.data().parent().unwrap();
        let mut command = command(folder, &["listen", "--forward", url, "--data"]);
        command
            .arg(running.data())
            .args(args)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut listener = Self {
            stdin: child.stdin.take(),
            stdout: lines_of(BufReader::new(child.stdout.take().unwrap())),
            stderr: lines_of(BufReader::new(child.stderr.take().unwrap())),
            child,
            said: Vec::new(),
        };
        while !listener
            .said
            .last()
            .is_some_and(|line| line.starts_with(READY))
        {
            let Ok(line) = listener.stderr.recv_timeout(PATIENCE) else {
                panic!("it did not start: {:?}", listener.said);
            };
            listener.said.push(line);
        }
        listener
    }

    /// The lines that it said on stderr while it started.
    pub(crate) fn said(&self) -> &[String] {
        &self.said
    }

    /// The next line it prints.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    /// The next answer it prints: the event type, and how the attempt ended. The latency is left out,
    /// and the offset: events of Easel itself may lie between those of a test.
    #[track_caller]
    pub(crate) fn answer(&self) -> String {
        let line = self.line();
        let (head, ending) = line.split_once(" -> ").unwrap();
        let words = head.split_whitespace().skip(1);
        let words: Vec<_> = words.filter(|word| !word.starts_with('#')).collect();
        let mut ending: Vec<_> = ending.split(' ').collect();
        if let Some(unit) = ending.iter().position(|word| word.starts_with("ms")) {
            ending.remove(unit - 1).parse::<u64>().unwrap();
            ending.remove(unit - 2);
        }
        format!("{} -> {}", words.join(" "), ending.join(" "))
    }

    /// Waits for a line on its stderr that contains `part`, and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let mut said = String::new();
        loop {
            let Ok(line) = self.stderr.recv_timeout(PATIENCE) else {
                panic!("{part:?} was not said:\n{said}");
            };
            if line.contains(part) {
                return line;
            }
            said.extend([&line, "\n"]);
        }
    }

    /// Types some lines.
    pub(crate) fn type_in(&mut self, lines: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(lines.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Ends its input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn status(mut self) -> ExitStatus {
        // What it printed before is of no interest.
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(_line) => (),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
