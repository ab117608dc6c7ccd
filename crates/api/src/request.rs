//! What is read of a request; what cannot be read is refused with a problem.
//!
//! Malformed queries and paths are answered with 400; a body that is JSON of the wrong shape, or
//! none, is refused like one that asks for what cannot be, with the code of its route.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{self, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// The query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Failure> {
        match extract::Query::from_request_parts(head, state).await {
            Ok(extract::Query(query)) => Ok(Self(query)),
            Err(fault) => Err(Failure::new(
                fault.status(),
                "invalid_query",
                fault.body_text(),
            )),
        }
    }
}

/// The variable part of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Failure> {
        match extract::Path::from_request_parts(head, state).await {
            Ok(extract::Path(part)) => Ok(Self(part)),
            Err(fault) => Err(Failure::new(
                fault.status(),
                "invalid_path",
                fault.body_text(),
            )),
        }
    }
}

/// The body as a handler takes it; [`body()`] makes its refusal a problem.
pub(crate) type Body<T> = Result<Json<T>, JsonRejection>;

/// The body, or why it cannot be read; `invalid` is the code when it is not of the right shape.
pub(crate) fn body<T>(body: Body<T>, invalid: &'static str) -> Result<T, Failure> {
    body.map(|Json(it)| it).map_err(|fault| {
        let detail = fault.body_text();
        match fault.status() {
            status @ StatusCode::PAYLOAD_TOO_LARGE => {
                Failure::new(status, "body_too_large", detail)
            }
            status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Failure::new(status, "unsupported_type", detail)
            }
            _ => Failure::invalid(invalid, detail),
        }
    })
}
