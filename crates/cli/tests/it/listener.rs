//! Runs `easel listen` in its own process.

use std::io::{BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::easel::command;
use crate::running::{Running, lines_of};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The start of the line that the listener prints when it is ready.
const READY: &str = "r and Enter";

/// A listener in its own process, killed on drop.
pub(crate) struct Listener {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// The stderr lines of its start.
    start_lines: Vec<String>,
}

impl Listener {
    /// Starts a listener that forwards to `url` and waits until it is ready.
    pub(crate) fn start(running: &Running, url: &str, args: &[&str]) -> Self {
        Self::start_with(running, url, args, Stdio::piped())
    }

    /// Starts a listener with the given stdin.
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
            start_lines: Vec::new(),
        };
        while !listener
            .start_lines
            .last()
            .is_some_and(|line| line.starts_with(READY))
        {
            let Ok(line) = listener.stderr.recv_timeout(TIMEOUT) else {
                panic!("the listener did not start: {:?}", listener.start_lines);
            };
            listener.start_lines.push(line);
        }
        listener
    }

    /// Returns the lines that it wrote to stderr during its start.
    pub(crate) fn start_lines(&self) -> &[String] {
        &self.start_lines
    }

    /// Returns the next line of stdout.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(TIMEOUT).unwrap()
    }

    /// Returns the next printed answer: event type and result, without latency and offset. Offsets vary
    /// because the log also has events of Easel itself.
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

    /// Waits for a stderr line that contains `part` and returns the line.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let mut stderr = String::new();
        loop {
            let Ok(line) = self.stderr.recv_timeout(TIMEOUT) else {
                panic!("{part:?} is missing in stderr:\n{stderr}");
            };
            if line.contains(part) {
                return line;
            }
            stderr.extend([&line, "\n"]);
        }
    }

    /// Writes lines to stdin.
    pub(crate) fn type_in(&mut self, lines: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(lines.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Closes stdin.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the process ends.
    pub(crate) fn status(mut self) -> ExitStatus {
        // Ignore the remaining output.
        loop {
            match self.stdout.recv_timeout(TIMEOUT) {
                Ok(_line) => (),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the listener did not end"),
            }
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
