//! Reads queries, paths and bodies of requests, and rejects malformed ones with a problem.
//!
//! A malformed query or path gets 400. A body that is not JSON or has the wrong shape gets 422 with
//! the code of its route, like a body with invalid values. A refusal names the parameter, or has the
//! JSON pointer to the place in its member `pointer`.

mod tree;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api_error::ApiError;
use tree::{Tree, TreeFault};

/// The query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let refused = |detail| ApiError::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
        let pairs = extract::Query::from_request_parts(head, state).await;
        let extract::Query(pairs) = pairs.map_err(|_unreadable| {
            refused("The query must be pairs such as `limit=10`, joined by `&`.".to_owned())
        })?;
        T::deserialize(Tree::from_query(pairs))
            .map(Self)
            .map_err(|fault| {
                // A parameter has a name, not a JSON pointer.
                let sentence = fault.sentence("The query");
                refused(sentence.replacen("`/", "`", 1))
            })
    }
}

/// The variable part of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match extract::Path::from_request_parts(head, state).await {
            Ok(extract::Path(part)) => Ok(Self(part)),
            Err(_unreadable) => Err(bad_path()),
        }
    }
}

/// Returns the problem of a path that cannot be read.
pub(crate) fn bad_path() -> ApiError {
    let detail = "The path must be UTF-8 after its percent-encoding is decoded.";
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", detail)
}

/// Returns the problem of a request whose route does not identify its caller. No request should reach it.
pub(crate) fn no_caller() -> ApiError {
    let detail = "This is a bug in Easel: the route does not identify its caller.";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail)
}

/// A JSON body that is not parsed yet, because only the route knows the code of a refusal.
pub(crate) struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(unsupported_type());
        }
        Ok(Self(body_bytes(Bytes::from_request(request, state).await)?))
    }
}

impl Body {
    /// Parses the body. `invalid` is the code of the problem if the body is invalid.
    pub(crate) fn parse<T: DeserializeOwned>(&self, invalid: &'static str) -> Result<T, ApiError> {
        let tree: Tree = self.parse_json(invalid)?;
        T::deserialize(tree).map_err(|fault| wrong_shape(invalid, &fault))
    }

    /// Applies the body to `old` as a merge patch (RFC 7396): a member replaces the member of `old`,
    /// `null` removes the member, and objects are merged recursively.
    pub(crate) fn parse_patch<T: DeserializeOwned>(
        &self,
        mut old: Value,
        invalid: &'static str,
    ) -> Result<T, ApiError> {
        let patch: Value = self.parse_json(invalid)?;
        if !patch.is_object() {
            return Err(ApiError::invalid(invalid, "The body must be an object."));
        }
        merge(&mut old, patch);
        T::deserialize(Tree::from(old)).map_err(|fault| wrong_shape(invalid, &fault))
    }

    fn parse_json<T: DeserializeOwned>(&self, invalid: &'static str) -> Result<T, ApiError> {
        serde_json::from_slice(&self.0).map_err(|fault| {
            let (line, column) = (fault.line(), fault.column());
            let detail = if fault.is_eof() {
                "The JSON of the body ends too early.".to_owned()
            } else {
                format!("The body is not valid JSON; see line {line}, column {column}.")
            };
            ApiError::invalid(invalid, detail)
        })
    }
}

/// An optional JSON body.
pub(crate) struct OptionalBody(Option<Body>);

impl<S: Send + Sync> FromRequest<S> for OptionalBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = body_bytes(Bytes::from_request(request, state).await)?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if is_json {
            return Ok(Self(Some(Body(bytes))));
        }
        Err(unsupported_type())
    }
}

impl OptionalBody {
    /// Parses the body, if there is one. `invalid` is the code of the problem if the body is invalid.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        invalid: &'static str,
    ) -> Result<Option<T>, ApiError> {
        self.0.as_ref().map(|body| body.parse(invalid)).transpose()
    }
}

/// The maximum number of entries in one answer.
const MAX_LIMIT: usize = 1000;
/// The default number of entries in one answer.
const DEFAULT_LIMIT: usize = 100;

/// Returns the maximum number of entries of an answer. Rejects a limit that is out of range.
pub(crate) fn check_limit(limit: Option<usize>) -> Result<usize, ApiError> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    let detail = format!("`limit` must be 1 to {MAX_LIMIT}, not {limit}.");
    Err(ApiError::invalid("invalid_range", detail))
}

fn unsupported_type() -> ApiError {
    let detail = "The content type of the body must be application/json.";
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        detail,
    )
}

/// Returns the bytes of a body, or a refusal.
pub(crate) fn body_bytes(body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|fault| match fault.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = "The body is larger than the limit of 2 MiB.";
            ApiError::new(status, "body_too_large", detail)
        }
        _ => {
            let detail = "The body was not received completely.";
            ApiError::new(StatusCode::BAD_REQUEST, "body_broken", detail)
        }
    })
}

/// Returns whether the content type is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"))
}

fn wrong_shape(code: &'static str, fault: &TreeFault) -> ApiError {
    ApiError::invalid(code, fault.sentence("The body")).with_pointer(&fault.pointer)
}

fn merge(old: &mut Value, patch: Value) {
    match patch {
        Value::Object(changes) => {
            if !old.is_object() {
                *old = Value::Object(serde_json::Map::new());
            }
            let Some(members) = old.as_object_mut() else {
                return;
            };
            for (key, change) in changes {
                if change.is_null() {
                    members.remove(&key);
                } else {
                    merge(members.entry(key).or_insert(Value::Null), change);
                }
            }
        }
        new => *old = new,
    }
}
