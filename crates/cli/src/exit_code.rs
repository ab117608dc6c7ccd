//! What the command's exit code says.
//!
//! | code | name | it means |
//! | ---: | --- | --- |
//! | 0 | | done |
//! | 1 | attention | `easel status` found something that needs an operator |
//! | 64 | usage | the command line is wrong |
//! | 65 | bad input | the server, or this command, refused what it was given |
//! | 69 | unavailable | no server could be reached, it could not take the work, it stopped before it had drained, or output could not be written |
//! | 70 | our bug | Easel is at fault; please report it |
//! | 78 | configuration | a setting, the data folder or the token is wrong |
//!
//! The numbers above 1 are those of `sysexits.h`, so that scripts and service managers can tell a mistake
//! of the operator from an outage.

use std::io;
use std::process::ExitCode;

use anyhow::anyhow;
use easel_server::CatalogFaults;

use crate::settings::SettingsFaults;

/// Why a command failed, as far as its exit code goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The command line is wrong.
    Usage,
    /// What was given was refused.
    BadInput,
    /// No server could be reached, it could not take the work, or output could not be written.
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
    /// Several things to tell the user, each of which must change.
    Several {
        /// What kind of failure they are.
        code: Code,
        /// What to say.
        errors: Vec<anyhow::Error>,
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

    /// A failure that several errors explain.
    pub(crate) fn several(code: Code, errors: impl Iterator<Item = anyhow::Error>) -> Self {
        let errors = errors.collect();
        Self::Several { code, errors }
    }

    /// The code the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ReaderLeft => ExitCode::SUCCESS,
            Self::Attention => ExitCode::from(1),
            Self::Told { code, .. } | Self::Several { code, .. } => (*code).into(),
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
impl From<SettingsFaults> for Failure {
    fn from(faults: SettingsFaults) -> Self {
        let code = faults.code();
        Self::several(code, faults.0.into_iter().map(anyhow::Error::new))
    }
}

/// A folder of data files that was refused.
impl From<CatalogFaults> for Failure {
    fn from(faults: CatalogFaults) -> Self {
        let errors = faults.0.into_iter();
        Self::several(Code::Configuration, errors.map(|fault| anyhow!("{fault}")))
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
