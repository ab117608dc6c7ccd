//! What a room's error becomes over HTTP.
//!
//! The public sentence of a fault of ours says nothing of its causes; those are logged here.

use std::error::Error;
use std::time::Duration;

use axum::http::StatusCode;
use easel_access::{Problem, TokensError};
use easel_drift::DriftError;
use easel_log::{ReadError, TrimError};
use easel_subscriptions::{ChangeError, StateStoreError};
use tokio::task::JoinError;
use tracing::error;

/// An error on its way to becoming an answer.
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

    /// Adds the JSON pointer to the place in the body that is at fault.
    pub(crate) fn at(self, pointer: &str) -> Self {
        Self(self.0.with("pointer", pointer))
    }

    fn conflict(code: &'static str, detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// A fault of ours that no storage is to blame for.
    pub(crate) fn bug(error: &dyn Error) -> Self {
        error!(%error, "request failed");
        let detail = "This is a bug in Easel; the log of the service says more.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail)
    }

    fn ours(code: &'static str, error: &dyn Error) -> Self {
        let mut causes = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push_str(": ");
            causes.push_str(&error.to_string());
            cause = error.source();
        }
        error!(error = causes, "request failed");
        let detail = "The storage behind this answer failed; the log of the service says how.";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        Self(problem.retry_after(Duration::from_secs(5)))
    }
}

impl axum::response::IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        self.0.into_response()
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::ours("log_unavailable", &error)
    }
}

impl From<TrimError> for ApiError {
    fn from(error: TrimError) -> Self {
        Self::ours("log_unavailable", &error)
    }
}

impl From<DriftError> for ApiError {
    fn from(error: DriftError) -> Self {
        Self::ours("drift_unavailable", &error)
    }
}

impl From<TokensError> for ApiError {
    fn from(error: TokensError) -> Self {
        Self::ours("tokens_unavailable", &error)
    }
}

impl From<JoinError> for ApiError {
    fn from(error: JoinError) -> Self {
        Self::ours("tokens_unavailable", &error)
    }
}

impl From<StateStoreError> for ApiError {
    fn from(error: StateStoreError) -> Self {
        Self::ours("subscriptions_unavailable", &error)
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::NameTaken { .. } => Self::conflict("name_taken", detail),
            ChangeError::DeclaredInFile { .. } => Self::conflict("declared_in_file", detail),
            ChangeError::Deactivated { .. } => Self::conflict("deactivated", detail),
            ChangeError::Unknown { .. } => Self::not_found("no_such_subscription", detail),
            ChangeError::UnknownReplay { .. } => Self::not_found("no_such_replay", detail),
            ChangeError::Invalid { .. } => Self::invalid("invalid_subscription", detail),
            ChangeError::Store(error) => error.into(),
            ChangeError::Log(error) => error.into(),
        }
    }
}
