//! Errors of the protocol, with the names and statuses that its clients expect.

use axum::http::StatusCode;
use easel_access::Reason;

use crate::body::BodyError;
use crate::sigv4::SignatureError;

/// The error that clients retry, for a whole call and for a single record.
pub(super) const INTERNAL_FAILURE: &str = "InternalFailure";

/// The error of a call.
#[derive(Debug)]
pub(super) struct KinesisError {
    status: StatusCode,
    name: &'static str,
    message: String,
    refusal: Option<Reason>,
}

impl KinesisError {
    fn client(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            name,
            message: message.into(),
            refusal: Some(Reason::CallInvalid),
        }
    }

    fn refused(name: &'static str, message: impl Into<String>, reason: Reason) -> Self {
        Self {
            refusal: Some(reason),
            ..Self::client(name, message)
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

    /// Creates the error for members that violate their constraints; see `Violations`.
    pub(super) fn validation(message: String) -> Self {
        Self::client("ValidationException", message)
    }

    /// Returns the reason for the server's log and metrics, if the sender caused the error.
    pub(super) const fn refusal(&self) -> Option<Reason> {
        self.refusal
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the name of the error in the protocol.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn no_keys() -> Self {
        let message = "no Kinesis keys are configured: add a [[kinesis.keys]] entry to the \
                       settings";
        Self::refused("AccessDeniedException", message, Reason::KeysNotConfigured)
    }

    pub(super) fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            name: INTERNAL_FAILURE,
            message: "the log is not available; retry".to_owned(),
            refusal: None,
        }
    }

    pub(super) fn no_room() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            name: "ServiceUnavailable",
            message: "the server has no free memory for the call now; retry".to_owned(),
            refusal: None,
        }
    }
}

impl From<SignatureError> for KinesisError {
    fn from(error: SignatureError) -> Self {
        let (name, reason) = match error {
            SignatureError::Missing => (
                "MissingAuthenticationTokenException",
                Reason::SignatureMissing,
            ),
            SignatureError::Incomplete { .. } => {
                ("IncompleteSignatureException", Reason::SignatureIncomplete)
            }
            SignatureError::UnknownKey => ("UnrecognizedClientException", Reason::KeyUnknown),
            SignatureError::Expired { .. } | SignatureError::NotYetCurrent { .. } => {
                ("InvalidSignatureException", Reason::SignatureExpired)
            }
            SignatureError::Mismatch { .. } => {
                ("InvalidSignatureException", Reason::SignatureMismatch)
            }
        };
        Self::refused(name, error.to_string(), reason)
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
            refusal: None,
        }
    }
}
