//! What the command's exit code says.
//!
//! | code | name | it means |
//! | ---: | --- | --- |
//! | 0 | | done |
//! | 1 | attention | `easel status` found something that needs an operator |
//! | 64 | usage | the command line is wrong |
//! | 65 | bad input | the server, or this command, refused what it was given |
//! | 69 | unavailable | no server could be reached, it could not take the work, or it stopped before it had drained |
//! | 70 | our bug | Easel is at fault; please report it |
//! | 78 | configuration | a setting, the data folder or the token is wrong |
//!
//! The numbers above 1 are those of `sysexits.h`, so that scripts and service managers can tell a mistake
//! of the operator from an outage.

use std::io;
use std::process::ExitCode;

use crate::settings::SettingsError;

/// Why a command failed, as far as its exit code goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The command line is wrong.
    Usage,
    /// What was given was refused.
    BadInput,
    /// No server could be reached, or it could not take the work.
    Unavailable,
    /// Easel is at fault.
    Bug,
    /// A setting, the data folder or the token is wrong.
    Configuration,
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read stdout has left (`easel tail | head`): nothing failed, and nobody is listening.
    ReaderLeft,
    /// The server answered, and something needs an operator; stdout says what.
    Attention,
    /// Something to tell the user.
    Told {
        /// What kind of failure it is.
        code: Code,
        /// What to say, causes included.
        error: anyhow::Error,
    },
}

impl Failure {
    /// A failure that `error` explains.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self::Told {
            code,
            error: error.into(),
        }
    }

    /// The code the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ReaderLeft => ExitCode::SUCCESS,
            Self::Attention => ExitCode::from(1),
            Self::Told { code, .. } => (*code).into(),
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Usage => 64,
            Code::BadInput => 65,
            Code::Unavailable => 69,
            Code::Bug => 70,
            Code::Configuration => 78,
        })
    }
}

/// A failure to write to stdout.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderLeft,
            _ => Self::new(
                Code::Unavailable,
                anyhow::Error::new(error).context("failed to write"),
            ),
        }
    }
}

/// Settings that were refused.
impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(error.code(), error)
    }
}

/// Gives an error the exit code it ends the command with.
pub(crate) trait OrExit<T> {
    /// The value, or a failure with this code.
    fn or_exit(self, code: Code) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: Code) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, error))
    }
}
