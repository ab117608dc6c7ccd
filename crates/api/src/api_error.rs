//! Converts errors of the rooms to HTTP problems.
//!
//! The public sentence of an internal error does not contain its causes. They are logged here.

use std::error::Error;
use std::time::Duration;

use axum::http::StatusCode;
use easel_access::{Problem, TokensError};
use easel_drift::DriftError;
use easel_log::{ReadError, TrimError};
use easel_subscriptions::{ChangeError, StateStoreError};
use tokio::task::JoinError;
use tracing::error;

/// A problem that a handler answers with.
#[derive(Debug)]
pub(crate) struct ApiError(Problem);

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Problem::new(status, code, detail))
    }

    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    pub(crate) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// Adds the JSON pointer to the invalid place in the body.
    pub(crate) fn with_pointer(self, pointer: &str) -> Self {
        Self(self.0.with("pointer", pointer))
    }

    pub(crate) fn conflict(code: &'static str, detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Logs `error` and returns a problem for a bug in Easel.
    pub(crate) fn bug(error: &dyn Error) -> Self {
        error!(%error, "request failed");
        let detail = "This is a bug in Easel. See the log of the server for details.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail)
    }

    /// Logs `error` with its causes and returns a problem for failed storage.
    pub(crate) fn storage(code: &'static str, error: &dyn Error) -> Self {
        let mut causes = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push_str(": ");
            causes.push_str(&error.to_string());
            cause = error.source();
        }
        error!(error = causes, "request failed");
        let detail = "The storage failed. See the log of the server for the cause.";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        Self(problem.retry_after(Duration::from_secs(5)))
    }
}

impl axum::response::IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        self.0.into_response()
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::storage("log_unavailable", &error)
    }
}

impl From<TrimError> for ApiError {
    fn from(error: TrimError) -> Self {
        Self::storage("log_unavailable", &error)
    }
}

impl From<DriftError> for ApiError {
    fn from(error: DriftError) -> Self {
        Self::storage("drift_unavailable", &error)
    }
}

impl From<TokensError> for ApiError {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::TooManySecrets { max } => {
                let detail = format!(
                    "{max} secrets of this token work now; wait until an overlap ends, or use a shorter one."
                );
                Self::conflict("too_many_secrets", detail)
            }
            TokensError::Open(_)
            | TokensError::Read { .. }
            | TokensError::Write { .. }
            | TokensError::Random { .. } => Self::storage("tokens_unavailable", &error),
        }
    }
}

impl From<JoinError> for ApiError {
    fn from(error: JoinError) -> Self {
        Self::storage("tokens_unavailable", &error)
    }
}

impl From<StateStoreError> for ApiError {
    fn from(error: StateStoreError) -> Self {
        Self::storage("subscriptions_unavailable", &error)
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::NameTaken { .. } => Self::conflict("name_taken", detail),
            ChangeError::DeclaredInFile { .. } => Self::conflict("declared_in_file", detail),
            ChangeError::Owned { .. } => Self::conflict("owned", detail),
            ChangeError::Deactivated { .. } => Self::conflict("deactivated", detail),
            ChangeError::Unknown { .. } => Self::not_found("no_such_subscription", detail),
            ChangeError::UnknownReplay { .. } => Self::not_found("no_such_replay", detail),
            ChangeError::Invalid { .. } => Self::invalid("invalid_subscription", detail),
            ChangeError::Store(error) => error.into(),
            ChangeError::Log(error) => error.into(),
        }
    }
}
