//! A server in a process of its own.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use easel_server::LocalServer;

use crate::easel::{Ran, command, easel};

/// Longer than anything here takes, so that a test ends with words rather than not at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server in a process of its own, killed when dropped.
///
/// Its data folder outlives it, so that another one can be started on what it left.
pub(crate) struct Running {
    child: Child,
    data: PathBuf,
    local: LocalServer,
    lines: Receiver<String>,
    stderr: String,
}

impl Running {
    /// Starts a server on a data folder, on a port of the system's choice, and waits until it
    /// listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[], |_command| ())
    }

    /// The same with further arguments, and whatever `prepare` does to the command.
    pub(crate) fn start_with(
        data: &Path,
        args: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let mut serve = command(
            data.parent().unwrap(),
            &["serve", "--listen", "127.0.0.1:0"],
        );
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
        // The form of its log decides which of them it says.
        running.wait_for_any(&["easel listens on", "\"server started\""]);
        // A server that was killed leaves a file as well.
        running.local = LocalServer::read(&running.data).unwrap();
        assert_eq!(running.local.pid, running.child.id());
        running
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.local.address)
    }

    /// What it said about itself.
    pub(crate) fn local(&self) -> &LocalServer {
        &self.local
    }

    /// Runs a command against it.
    pub(crate) fn easel(&self, args: &[&str]) -> Ran {
        let data = ["--data", self.data.to_str().unwrap()];
        easel(self.data.parent().unwrap(), &[args, &data].concat())
    }

    /// What it has said on stderr, as far as anyone waited for it.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Waits for a line on its stderr that contains `part`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) {
        self.wait_for_any(&[part]);
    }

    /// Waits for a line on its stderr that contains one of `parts`.
    #[track_caller]
    fn wait_for_any(&mut self, parts: &[&str]) {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("{parts:?} was not said:\n{}", self.stderr);
            };
            self.stderr.extend([&line, "\n"]);
            if parts.iter().any(|part| line.contains(part)) {
                return;
            }
        }
    }

    /// Leaves its stderr, as `head` does.
    pub(crate) fn forget_stderr(&mut self) {
        self.lines = mpsc::channel().1;
    }

    /// Waits for its end.
    pub(crate) fn status(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Tells it that its settings have changed, as a service manager does.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end, and hands over everything it said on stderr.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.stderr.extend([&line, "\n"]);
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.stderr))
    }

    /// Kills it with a signal that it cannot catch.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
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

/// The lines of a pipe, read in the background so that the writer never waits.
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
