//! Why a call is refused, and the answer: JSON with the member `error`, always.
//!
//! Canvas forwards body and status to its own caller, and reads the body as JSON whatever the status is.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use easel_subscriptions::{ChangeError, StateStoreError};
use serde_json::json;
use thiserror::Error;
use tracing::error;

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServiceError {
    /// The body, the query or a header is invalid.
    #[error("{0}")]
    Invalid(String),
    /// There is no valid token of Canvas.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The subscription does not exist, or the caller may not see it. Both have the same answer.
    #[error("the subscription does not exist")]
    UnknownSubscription,
    /// The path does not exist.
    #[error("the path does not exist")]
    UnknownPath,
    /// The path does not support the method.
    #[error("the method is not supported for this path")]
    Method,
    /// The body is too large.
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    /// Other calls changed the subscription at the same time.
    #[error("other calls change the subscription at the same time; try again")]
    ChangedMeanwhile,
    /// The storage failed, or the call took too long.
    #[error("the service cannot answer now; try again later")]
    Unavailable,
}

impl ServiceError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::UnknownSubscription | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ChangedMeanwhile => StatusCode::CONFLICT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn headers(&self) -> HeaderMap {
        let header = match self {
            Self::Unauthorized(_) => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::Unavailable => Some((RETRY_AFTER, "5")),
            Self::Invalid(_)
            | Self::UnknownSubscription
            | Self::UnknownPath
            | Self::Method
            | Self::TooLarge
            | Self::ChangedMeanwhile => None,
        };
        let header = header.map(|(name, value)| (name, HeaderValue::from_static(value)));
        header.into_iter().collect()
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.to_string() }));
        (self.status(), self.headers(), body).into_response()
    }
}

impl From<ChangeError> for ServiceError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid { what, .. } => Self::Invalid(what),
            ChangeError::Unknown { .. } => Self::UnknownSubscription,
            ChangeError::NameTaken { .. }
            | ChangeError::Store(
                StateStoreError::Changed { .. } | StateStoreError::NameTaken { .. },
            ) => Self::ChangedMeanwhile,
            ChangeError::UnknownReplay { .. }
            | ChangeError::DeclaredInFile { .. }
            | ChangeError::Owned { .. }
            | ChangeError::Deactivated { .. } => Self::Invalid(error.to_string()),
            ChangeError::Store(_) | ChangeError::Log(_) => {
                let error: &dyn std::error::Error = &error;
                error!(error, "call of Canvas failed");
                Self::Unavailable
            }
        }
    }
}
