//! The exit codes of the command.
//!
//! | code | name | meaning |
//! | ---: | --- | --- |
//! | 0 | | success |
//! | 1 | attention, not verified | `easel status` found something that needs an operator, `easel verify` rejected a message, or `easel audit verify` found a fault |
//! | 64 | usage | the command line is wrong |
//! | 65 | bad input | the input is invalid, or the server rejected it |
//! | 69 | unavailable | no server was reached, the server could not do the work, the server stopped before it had drained, or output could not be written |
//! | 70 | our bug | Easel is at fault; please report it |
//! | 78 | configuration | a setting, the data folder or the token is wrong |
//!
//! The numbers above 1 are from `sysexits.h`. They let scripts and service managers distinguish a mistake of
//! the operator from an outage.

use std::io;
use std::process::ExitCode;

use anyhow::anyhow;
use easel_server::CatalogFaults;

/// The kind of a failure, which determines the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The command line is wrong.
    Usage,
    /// The input is invalid, or the server rejected it.
    BadInput,
    /// No server was reached, the server could not do the work, or output could not be written.
    Unavailable,
    /// Easel is at fault.
    Bug,
    /// A setting, the data folder or the token is wrong.
    Configuration,
    /// `easel verify` rejected a message.
    NotVerified,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of stdout closed the pipe, as in `easel tail | head`. This is not an error.
    PipeClosed,
    /// Something needs an operator: the server reported it, or a check found it. The command has printed it on
    /// stdout.
    Attention,
    /// One error.
    Single {
        /// The kind of the failure.
        code: Code,
        /// The error with its causes.
        error: anyhow::Error,
    },
    /// Several errors. The user must correct all of them.
    Several {
        /// The kind of the failures.
        code: Code,
        /// The errors.
        errors: Vec<anyhow::Error>,
    },
}

impl Failure {
    /// Creates a failure with one error.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self::Single {
            code,
            error: error.into(),
        }
    }

    /// Creates a failure with several errors.
    pub(crate) fn several(code: Code, errors: impl Iterator<Item = anyhow::Error>) -> Self {
        let errors = errors.collect();
        Self::Several { code, errors }
    }

    /// Returns the exit code of the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::PipeClosed => ExitCode::SUCCESS,
            Self::Attention => ExitCode::from(1),
            Self::Single { code, .. } | Self::Several { code, .. } => (*code).into(),
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::NotVerified => 1,
            Code::Usage => 64,
            Code::BadInput => 65,
            Code::Unavailable => 69,
            Code::Bug => 70,
            Code::Configuration => 78,
        })
    }
}

/// Converts an error of writing to stdout.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::new(
                Code::Unavailable,
                anyhow::Error::new(error).context("failed to write"),
            ),
        }
    }
}

/// Converts the faults of a folder of catalogue files.
impl From<CatalogFaults> for Failure {
    fn from(faults: CatalogFaults) -> Self {
        let errors = faults.0.into_iter();
        Self::several(Code::Configuration, errors.map(|fault| anyhow!("{fault}")))
    }
}

/// Attaches an exit code to an error.
pub(crate) trait OrExit<T> {
    /// Returns the value, or a failure with this code.
    fn or_exit(self, code: Code) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: Code) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, error))
    }
}
