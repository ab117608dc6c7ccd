//! Runs a server in its own process.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use easel_server::LocalServer;

use crate::easel::{Ran, command, easel};

/// Longer than any step takes, so that a hanging test fails with a message.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server in its own process, killed on drop.
///
/// Its data folder is kept, so that another server can be started on it.
pub(crate) struct Running {
    child: Child,
    data: PathBuf,
    local: LocalServer,
    lines: Receiver<String>,
    stderr: String,
}

impl Running {
    /// Starts a server on a data folder and a free port, and waits until it listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[], |_command| ())
    }

    /// Starts a server with more arguments. `prepare` may change the command.
    pub(crate) fn start_with(
        data: &Path,
        args: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        Self::start_at("127.0.0.1:0", data, args, prepare)
    }

    /// Starts a server at this address, with more arguments. `prepare` may change the command.
    pub(crate) fn start_at(
        address: &str,
        data: &Path,
        args: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let mut serve = command(data.parent().unwrap(), &["serve", "--listen", address]);
        serve
            .arg("--data")
            .arg(data)
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        prepare(&mut serve);
        let mut child = serve.spawn().unwrap();
        let lines = lines_of(BufReader::new(child.stderr.take().unwrap()));
        let local = LocalServer {
            address: ([127, 0, 0, 1], 0).into(),
            token: None,
            pid: 0,
        };
        let data = data.to_owned();
        let mut running = Self {
            child,
            data,
            local,
            lines,
            stderr: String::new(),
        };
        // With each log format, the server prints one of these lines.
        running.wait_for_any(&["easel listens on", "\"server started\""]);
        // A killed server leaves an old file, so check the process id.
        running.local = LocalServer::read(&running.data).unwrap();
        assert_eq!(running.local.pid, running.child.id());
        running
    }

    /// Returns the data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Returns the address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.local.address)
    }

    /// Returns the content of its `local.json`.
    pub(crate) fn local(&self) -> &LocalServer {
        &self.local
    }

    /// Runs a command with this server.
    pub(crate) fn easel(&self, args: &[&str]) -> Ran {
        let data = ["--data", self.data.to_str().unwrap()];
        easel(self.data.parent().unwrap(), &[args, &data].concat())
    }

    /// Returns the stderr lines that `wait_for` has read so far.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Waits for a stderr line that contains `part`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) {
        self.wait_for_any(&[part]);
    }

    /// Waits for a stderr line that contains one of `parts`.
    #[track_caller]
    fn wait_for_any(&mut self, parts: &[&str]) {
        loop {
            let Ok(line) = self.lines.recv_timeout(TIMEOUT) else {
                panic!("{parts:?} is missing in stderr:\n{}", self.stderr);
            };
            self.stderr.extend([&line, "\n"]);
            if parts.iter().any(|part| line.contains(part)) {
                return;
            }
        }
    }

    /// Closes the stderr pipe, as `head` does.
    pub(crate) fn close_stderr(&mut self) {
        self.lines = mpsc::channel().1;
    }

    /// Waits until the server ends.
    pub(crate) fn status(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM, as a service manager does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends SIGHUP, as a service manager does after a change of the settings.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Sends a signal, such as `-TERM` or `-6`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until the server ends and returns its whole stderr.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        while let Ok(line) = self.lines.recv_timeout(TIMEOUT) {
            self.stderr.extend([&line, "\n"]);
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.stderr))
    }

    /// Kills the server with a signal that it cannot catch.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

/// Reads the lines of a pipe in the background, so that the writer never waits.
pub(crate) fn lines_of(pipe: impl BufRead + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in pipe.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
