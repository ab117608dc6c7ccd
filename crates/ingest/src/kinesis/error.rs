//! Errors as the AWS JSON protocol says them, with the names and statuses its clients expect.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::CONTENT;
use crate::body::BodyError;
use crate::sigv4::SignatureError;

/// What clients try again, for a whole call and for a single record.
pub(super) const INTERNAL_FAILURE: &str = "InternalFailure";

/// A refusal.
#[derive(Debug)]
pub(super) struct KinesisError {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl KinesisError {
    fn client(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            name,
            message: message.into(),
        }
    }

    pub(super) fn unknown_operation(message: impl Into<String>) -> Self {
        Self::client("UnknownOperationException", message)
    }

    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::client("SerializationException", message)
    }

    pub(super) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::client("InvalidArgumentException", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::client("ResourceNotFoundException", message)
    }

    /// `value` at the member `name` does not satisfy `constraint`.
    pub(super) fn validation(value: &str, name: &str, constraint: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value {value} at '{name}' failed to satisfy constraint: \
             Member must {constraint}"
        );
        Self::client("ValidationException", message)
    }

    pub(super) fn no_keys() -> Self {
        let message = "no Kinesis keys are configured here: add a [[kinesis.keys]] entry to the \
                       settings";
        Self::client("AccessDeniedException", message)
    }

    pub(super) fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            name: INTERNAL_FAILURE,
            message: "the log is not available; try again".to_owned(),
        }
    }

    pub(super) fn no_room() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            name: "ServiceUnavailable",
            message: "there is no room for the call now; try again".to_owned(),
        }
    }
}

impl From<SignatureError> for KinesisError {
    fn from(error: SignatureError) -> Self {
        let name = match error {
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete { .. } => "IncompleteSignatureException",
            SignatureError::UnknownKey => "UnrecognizedClientException",
            SignatureError::Expired { .. }
            | SignatureError::NotYetCurrent { .. }
            | SignatureError::Mismatch { .. } => "InvalidSignatureException",
        };
        Self::client(name, error.to_string())
    }
}

impl From<BodyError> for KinesisError {
    fn from(error: BodyError) -> Self {
        let (status, name) = match error {
            BodyError::TooLarge { .. } | BodyError::TooComplex => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
            ),
            BodyError::NoRoom { .. } => return Self::no_room(),
            BodyError::Stalled => (StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException"),
            BodyError::Broken { .. } => (StatusCode::BAD_REQUEST, "SerializationException"),
        };
        Self {
            status,
            name,
            message: error.to_string(),
        }
    }
}

impl IntoResponse for KinesisError {
    fn into_response(self) -> Response {
        let body = Json(ErrorJson {
            r#type: self.name,
            message: &self.message,
        });
        (self.status, [(CONTENT_TYPE, CONTENT)], body).into_response()
    }
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    #[serde(rename = "__type")]
    r#type: &'a str,
    message: &'a str,
}
