//! Identifies the caller of a request and checks its scope.
//!
//! The check uses only the headers and memory. A token is looked up by the hash of its secret, so the
//! time of the lookup reveals nothing about the stored secrets. [`Refusals`] counts and logs every
//! refusal.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use blake3::Hash;
use easel_catalog::Reach;
use easel_keys::Secret;

use crate::refusals::{Reason, Refusals, RefusedRequest};
use crate::tokens::hash_of;
use crate::{Problem, Scope, Scopes, Tokens};

/// Identifies the caller of a request and checks its scope.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// `None` allows everything to everyone.
    tokens: Option<Arc<Tokens>>,
    /// The hash of the token of local commands.
    local_hash: Option<Hash>,
    refusals: Arc<Refusals>,
}

impl Authorizer {
    /// Creates an authorizer that requires one of `tokens`.
    pub fn new(tokens: Arc<Tokens>) -> Self {
        Self {
            tokens: Some(tokens),
            local_hash: None,
            refusals: Arc::default(),
        }
    }

    /// Creates an authorizer that requires no token, for a listener that only the operator can reach.
    pub fn without_tokens() -> Self {
        Self {
            tokens: None,
            local_hash: None,
            refusals: Arc::default(),
        }
    }

    /// Counts and logs refusals in the shared `refusals`.
    #[must_use]
    pub fn with_refusals(self, refusals: Arc<Refusals>) -> Self {
        Self { refusals, ..self }
    }

    /// Also accepts `secret`, the token of local commands while this process lives.
    #[must_use]
    pub fn with_local_token(self, secret: &Secret<String>) -> Self {
        Self {
            local_hash: Some(hash_of(secret.expose())),
            ..self
        }
    }

    /// Returns the caller if its token has `scope`. Otherwise counts and logs the refusal.
    pub fn authorize(&self, head: &Parts, scope: Scope) -> Result<Caller, Problem> {
        self.decide(&head.headers, scope).map_err(|refusal| {
            self.refusals.note(
                head,
                RefusedRequest {
                    reason: refusal.reason(),
                    token_id: refusal.token_id(),
                    access_key_id: None,
                    target: head.uri.path(),
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
        if self.local_hash == Some(hash) {
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
            reach: Reach::Everything,
        })
    }
}

/// Why a request is refused.
enum AuthError {
    /// The request has no token.
    Missing,
    /// The token does not exist.
    Unknown,
    /// The token lacks the scope.
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

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The id of the caller's token. `None` for local commands, and if no token is required.
    pub token_id: Option<String>,
    /// What the caller may do.
    pub scopes: Scopes,
    /// What the caller may see and change.
    pub reach: Reach,
}

impl Caller {
    /// The caller of a local command, and every caller if no token is required.
    const LOCAL: Self = Self {
        token_id: None,
        scopes: Scopes::ALL,
        reach: Reach::Everything,
    };

    /// Refuses a caller that is confined to one root account. For what belongs to the whole server.
    pub fn require_everything(&self) -> Result<(), Problem> {
        match self.reach {
            Reach::Everything => Ok(()),
            Reach::RootAccount(_) => Err(confined()),
        }
    }
}

/// Middleware that checks the scope of a request, and adds the [`Caller`] to its extensions and to those of the
/// response.
pub async fn require_scope(
    State((authorizer, scope)): State<(Authorizer, Scope)>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut head, body) = request.into_parts();
    let caller = authorizer.authorize(&head, scope)?;
    head.extensions.insert(caller.clone());
    let mut response = next.run(Request::from_parts(head, body)).await;
    response.extensions_mut().insert(caller);
    Ok(response)
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
    let detail = "This token is unknown; it may have been removed.";
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    Problem::new(StatusCode::UNAUTHORIZED, "token_unknown", detail)
        .with_header(WWW_AUTHENTICATE, challenge)
}

fn confined() -> Problem {
    let detail =
        "This token is confined to one root account, and this call concerns the whole server.";
    Problem::new(StatusCode::FORBIDDEN, "reach_too_small", detail)
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
