//! Decides who a request is, and whether that one may.
//!
//! The decision takes headers and memory only. A token is looked up by the hash of its secret,
//! so how long that takes says nothing about the secrets there are.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use blake3::Hash;

use crate::tokens::hash_of;
use crate::{Problem, Scope, Secret, Tokens};

/// Decides who a request is, and whether that one may.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `None`: everyone may everything.
    tokens: Option<Arc<Tokens>>,
    local: Option<Hash>,
}

impl Gate {
    /// A gate that asks for one of `tokens`.
    pub const fn new(tokens: Arc<Tokens>) -> Self {
        Self {
            tokens: Some(tokens),
            local: None,
        }
    }

    /// A gate that asks for nothing, for a listener nobody else reaches.
    pub const fn open() -> Self {
        Self {
            tokens: None,
            local: None,
        }
    }

    /// Lets in the commands on this machine too, which hold `secret` while the process lives.
    #[must_use]
    pub fn with_local_token(self, secret: &Secret<String>) -> Self {
        Self {
            local: Some(hash_of(secret.expose())),
            ..self
        }
    }

    /// Lets a request in that may do what `scope` says.
    pub fn admit(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
        let Some(tokens) = &self.tokens else {
            return Ok(Caller { token_id: None });
        };
        let hash = hash_of(bearer(headers).ok_or_else(missing)?);
        if self.local == Some(hash) {
            return Ok(Caller { token_id: None });
        }
        let token = tokens.find(&hash).ok_or_else(unknown)?;
        if !token.scopes.contains(scope) {
            return Err(forbidden(scope));
        }
        Ok(Caller {
            token_id: Some(token.id),
        })
    }
}

/// Who a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token shown; none at an open gate, and none for the commands on this machine.
    pub token_id: Option<String>,
}

/// Middleware that lets a request in by its [`Gate`] and leaves its [`Caller`] in the extensions.
pub async fn require_scope(
    State((gate, scope)): State<(Gate, Scope)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = gate.admit(request.headers(), scope)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
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
