//! The format of a call and its answer: JSON or CBOR.
//!
//! The header `Content-Type` names the format of a call, and its answer has the same format. Both formats share the
//! operations and their types. Only blobs and times look different, see `blob` and `time`. The AWS SDKs for Java
//! send CBOR.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::cbor;
use super::error::KinesisError;

/// The start of the content types of CBOR. The version follows.
const CBOR_PREFIX: &[u8] = b"application/x-amz-cbor";

/// The header with the name of an error. The SDKs for Java prefer it to the name in the body.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The format of a call and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KinesisFormat {
    Json,
    Cbor,
}

impl KinesisFormat {
    /// Reads the format from the header `Content-Type`. Every type but that of CBOR is read as JSON.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let start = content.and_then(|content| content.get(..CBOR_PREFIX.len()));
        match start {
            Some(start) if start.eq_ignore_ascii_case(CBOR_PREFIX) => Self::Cbor,
            Some(_) | None => Self::Json,
        }
    }

    const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/x-amz-json-1.1",
            Self::Cbor => "application/x-amz-cbor-1.1",
        })
    }

    /// Parses the body of a call.
    pub(super) fn parse<'a, T: Deserialize<'a>>(self, body: &'a [u8]) -> Result<T, KinesisError> {
        let parsed = match self {
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Self::Cbor => cbor::from_slice(body).map_err(|error| error.to_string()),
        };
        parsed.map_err(KinesisError::serialization)
    }

    /// Returns the most bytes of `body` that `parse` copies into strings of their own: strings with escapes in JSON,
    /// and strings in parts in CBOR.
    pub(super) fn copied_bytes(self, body: &[u8]) -> Result<usize, KinesisError> {
        match self {
            Self::Json => Ok(if body.contains(&b'\\') { body.len() } else { 0 }),
            Self::Cbor => cbor::copied_bytes(body)
                .map_err(|error| KinesisError::serialization(error.to_string())),
        }
    }

    /// Returns the response of an operation.
    pub(super) fn answer(self, answer: &impl Serialize) -> Result<Response, KinesisError> {
        let body = self.write(answer).ok_or_else(KinesisError::internal)?;
        Ok(([(CONTENT_TYPE, self.content_type())], body).into_response())
    }

    /// Returns the response of an operation that returns nothing.
    pub(super) fn empty_answer(self) -> Response {
        [(CONTENT_TYPE, self.content_type())].into_response()
    }

    /// Returns the response of a rejected call.
    pub(super) fn error_answer(self, error: &KinesisError) -> Response {
        let body = self.write(&ErrorJson {
            r#type: error.name(),
            message: error.message(),
        });
        let headers = [
            (CONTENT_TYPE, self.content_type()),
            (ERROR_TYPE, HeaderValue::from_static(error.name())),
        ];
        (error.status(), headers, body.unwrap_or_default()).into_response()
    }

    fn write(self, answer: &impl Serialize) -> Option<Bytes> {
        let body = match self {
            Self::Json => serde_json::to_vec(answer).ok(),
            Self::Cbor => {
                let mut body = Vec::new();
                ciborium::into_writer(answer, &mut body).ok().map(|()| body)
            }
        };
        body.map(Bytes::from)
    }
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    #[serde(rename = "__type")]
    r#type: &'a str,
    message: &'a str,
}
