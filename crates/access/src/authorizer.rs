//! Decides who a request is, and whether that one may.
//!
//! The decision takes headers and memory only. A token is looked up by the hash of its secret,
//! so how long that takes says nothing about the secrets there are. Every refusal is counted and
//! logged by [`Refusals`].

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use blake3::Hash;
use easel_keys::Secret;

use crate::refusals::{Reason, Refusals, RefusedRequest};
use crate::tokens::hash_of;
use crate::{Problem, Scope, Scopes, Tokens};

/// Decides who a request is, and whether that one may.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// `None`: everyone may everything.
    tokens: Option<Arc<Tokens>>,
    local: Option<Hash>,
    refusals: Arc<Refusals>,
}

impl Authorizer {
    /// A gate that asks for one of `tokens`.
    pub fn new(tokens: Arc<Tokens>) -> Self {
        Self {
            tokens: Some(tokens),
            local: None,
            refusals: Arc::default(),
        }
    }

    /// A gate that asks for nothing, for a listener nobody else reaches.
    pub fn open() -> Self {
        Self {
            tokens: None,
            local: None,
            refusals: Arc::default(),
        }
    }

    /// Notes refusals where others note theirs.
    #[must_use]
    pub fn with_refusals(self, refusals: Arc<Refusals>) -> Self {
        Self { refusals, ..self }
    }

    /// Lets in the commands on this machine too, which hold `secret` while the process lives.
    #[must_use]
    pub fn with_local_token(self, secret: &Secret<String>) -> Self {
        Self {
            local: Some(hash_of(secret.expose())),
            ..self
        }
    }

    /// Lets the request with this head in if it may do what `scope` says. Notes the refusal
    /// otherwise.
    pub fn admit(&self, head: &Parts, scope: Scope) -> Result<Caller, Problem> {
        self.decide(&head.headers, scope).map_err(|refusal| {
            self.refusals.note(
                head,
                RefusedRequest {
                    reason: refusal.reason(),
                    token_id: refusal.token_id(),
                    access_key_id: None,
                    asked: head.uri.path(),
                    detail: scope.as_str(),
                },
            );
            refusal.into()
        })
    }

    fn decide(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, AuthError> {
        let Some(tokens) = &self.tokens else {
            return Ok(Caller::LOCAL);
        };
        let hash = hash_of(bearer(headers).ok_or(AuthError::Missing)?);
        if self.local == Some(hash) {
            return Ok(Caller::LOCAL);
        }
        let token = tokens.find(&hash).ok_or(AuthError::Unknown)?;
        if !token.scopes.contains(scope) {
            let token_id = token.id;
            return Err(AuthError::Forbidden { token_id, scope });
        }
        Ok(Caller {
            token_id: Some(token.id),
            scopes: token.scopes,
        })
    }
}

/// Why a request may not come in.
enum AuthError {
    /// It shows no token.
    Missing,
    /// It shows a token that does not exist.
    Unknown,
    /// Its token lacks the scope.
    Forbidden { token_id: String, scope: Scope },
}

impl AuthError {
    const fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::TokenMissing,
            Self::Unknown => Reason::TokenUnknown,
            Self::Forbidden { .. } => Reason::ScopeMissing,
        }
    }

    fn token_id(&self) -> Option<&str> {
        match self {
            Self::Missing | Self::Unknown => None,
            Self::Forbidden { token_id, .. } => Some(token_id),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(refusal: AuthError) -> Self {
        match refusal {
            AuthError::Missing => missing(),
            AuthError::Unknown => unknown(),
            AuthError::Forbidden { scope, .. } => forbidden(scope),
        }
    }
}

/// Who a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token shown; none at an open gate, and none for the commands on this machine.
    pub token_id: Option<String>,
    /// What the caller may do.
    pub scopes: Scopes,
}

impl Caller {
    /// Whoever comes in by an open gate, and the commands on this machine.
    const LOCAL: Self = Self {
        token_id: None,
        scopes: Scopes::ALL,
    };
}

/// Middleware that lets a request in by its [`Authorizer`] and leaves its [`Caller`] in the extensions.
pub async fn require_scope(
    State((gate, scope)): State<(Authorizer, Scope)>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut head, body) = request.into_parts();
    let caller = gate.admit(&head, scope)?;
    head.extensions.insert(caller);
    Ok(next.run(Request::from_parts(head, body)).await)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = authorization.split_once([' ', '\t'])?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn missing() -> Problem {
    let detail = "Send a token: `Authorization: Bearer easel_…`.";
    Problem::new(StatusCode::UNAUTHORIZED, "token_missing", detail)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn unknown() -> Problem {
    let detail = "This token is not known here; it may have been removed.";
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    Problem::new(StatusCode::UNAUTHORIZED, "token_unknown", detail)
        .with_header(WWW_AUTHENTICATE, challenge)
}

fn forbidden(scope: Scope) -> Problem {
    let detail = format!("This token lacks the scope `{scope}`.");
    let challenge = HeaderValue::from_static(match scope {
        Scope::Ingest => "Bearer error=\"insufficient_scope\", scope=\"ingest\"",
        Scope::Read => "Bearer error=\"insufficient_scope\", scope=\"read\"",
        Scope::Manage => "Bearer error=\"insufficient_scope\", scope=\"manage\"",
    });
    Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail)
        .with("scope", scope.as_str())
        .with_header(WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests;
