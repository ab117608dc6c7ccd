//! Runs the command in a folder, without the settings of the user who runs the tests.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Returns the command with `args`, in `folder`, with an empty environment.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_easel"));
    command.args(args).current_dir(folder).env_clear();
    command
}

/// Runs the command until it ends.
pub(crate) fn easel(folder: &Path, args: &[&str]) -> Ran {
    Ran::new(&command(folder, args).output().unwrap())
}

/// Runs a command with `input` as its stdin until it ends.
pub(crate) fn run_with_stdin(command: &mut Command, input: impl AsRef<[u8]>) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    if let Err(error) = stdin.write_all(input.as_ref()) {
        // A command that does not read stdin can end first.
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    drop(stdin);
    Ran::new(&child.wait_with_output().unwrap())
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Converts the output of a process.
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Returns stdout. The command must have succeeded.
    #[track_caller]
    pub(crate) fn stdout(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }
}

/// Shows everything that the caller sees.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        let code = code.map_or("a signal".to_owned(), |code| code.to_string());
        write!(f, "exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

/// Compares the output of a command with a snapshot. Values that change from run to run are masked.
macro_rules! check {
    ($ran:expr, @$wanted:literal) => {
        $crate::easel::masks().bind(|| insta::assert_snapshot!($ran, @$wanted))
    };
}
pub(crate) use check;

/// Returns the masks for values that change from run to run.
pub(crate) fn masks() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d{5}", "127.0.0.1:[port]");
    settings.add_filter(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[id]");
    settings.add_filter(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]");
    settings.add_filter(r"\beasel_[0-9A-Za-z_-]{43}", "[token]");
    settings.add_filter(r"/\S*/\.tmp\w+", "[folder]");
    settings.add_filter(r#"version="[^"]+""#, r#"version="[version]""#);
    settings.add_filter(r"\(process \d+\)", "(process [pid])");
    settings
}
