//! Identifies the caller of a request and checks its scope.
//!
//! The check of a token uses only the headers and memory. A token is looked up by the hash of its secret, so the
//! time of the lookup reveals nothing about the stored secrets. A token of the operator's identity provider can
//! wait for the keys of the provider. [`Refusals`] counts and logs every refusal.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use blake3::Hash;
use easel_keys::Secret;

use crate::oidc::{OidcError, is_jwt};
use crate::peer::peer_address;
use crate::refusals::{Reason, Refusals, RefusedRequest};
use crate::token_map::FoundToken;
use crate::tokens::hash_of;
use crate::validity::Validity;
use crate::{Caller, Oidc, Problem, Scope, Tokens};

/// `Retry-After` if the keys of the identity provider cannot be fetched.
const KEYS_PAUSE: Duration = Duration::from_secs(30);

/// Identifies the caller of a request and checks its scope.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// `None` allows everything to everyone.
    tokens: Option<Arc<Tokens>>,
    /// The hash of the token of local commands.
    local_hash: Option<Hash>,
    oidc: Option<Arc<Oidc>>,
    refusals: Arc<Refusals>,
}

impl Authorizer {
    /// Creates an authorizer that requires one of `tokens`.
    pub fn new(tokens: Arc<Tokens>) -> Self {
        Self {
            tokens: Some(tokens),
            ..Self::without_tokens()
        }
    }

    /// Creates an authorizer that requires no token, for a listener that only the operator can reach.
    pub fn without_tokens() -> Self {
        Self {
            tokens: None,
            local_hash: None,
            oidc: None,
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

    /// Also accepts tokens of an identity provider.
    #[must_use]
    pub fn with_oidc(self, oidc: Oidc) -> Self {
        Self {
            oidc: Some(Arc::new(oidc)),
            ..self
        }
    }

    /// Returns the caller if its token has `scope`. Otherwise counts and logs the refusal.
    ///
    /// Whoever reads the body of the request must read [`Caller::metered`] in place of the body.
    pub async fn authorize(&self, head: &Parts, scope: Scope) -> Result<Caller, Problem> {
        let decided = self.decide(head, scope).await;
        decided.map_err(|refusal| {
            self.refusals.note(
                head,
                RefusedRequest {
                    reason: refusal.reason(),
                    token_id: refusal.token_id(),
                    access_key_id: None,
                    target: head.uri.path(),
                    detail: &refusal.detail(scope),
                },
            );
            refusal.into()
        })
    }

    async fn decide(&self, head: &Parts, scope: Scope) -> Result<Caller, AuthError> {
        let address = peer_address(head);
        let Some(tokens) = &self.tokens else {
            return Ok(Caller::local(address));
        };
        let bearer = bearer(&head.headers).ok_or(AuthError::Missing)?;
        let hash = hash_of(bearer);
        if self.local_hash == Some(hash) {
            return Ok(Caller::local(address));
        }
        let caller = match (tokens.find(&hash), &self.oidc) {
            (FoundToken::Valid(entry), _) => {
                let token_id = entry.token.id;
                if let Err(wait) = entry.token_use.meter.take_request() {
                    return Err(AuthError::TooFast { token_id, wait });
                }
                Caller {
                    actor: token_id.clone(),
                    token_id: Some(token_id),
                    address,
                    scopes: entry.token.settings.scopes,
                    reach: entry.token.settings.reach,
                    validity: Validity::Secret(hash),
                    token_use: Some(entry.token_use),
                }
            }
            (FoundToken::Expired { token_id }, _) => {
                return Err(AuthError::Expired {
                    token_id: Some(token_id),
                });
            }
            (FoundToken::Unknown, Some(oidc)) if is_jwt(bearer) => oidc
                .verify(bearer, tokens.now())
                .await?
                .into_caller(address),
            (FoundToken::Unknown, _) => return Err(AuthError::Unknown),
        };
        if caller.scopes.contains(scope) {
            return Ok(caller);
        }
        Err(AuthError::Forbidden {
            token_id: caller.token_id,
            scope,
        })
    }
}

/// Why a request is refused.
enum AuthError {
    /// The request has no token.
    Missing,
    /// The token does not exist.
    Unknown,
    /// The token has expired, or a newer secret has replaced this one.
    Expired { token_id: Option<String> },
    /// The token is used faster than its limits allow.
    TooFast { token_id: String, wait: Duration },
    /// The token of the identity provider is refused.
    Oidc(OidcError),
    /// The token lacks the scope.
    Forbidden {
        token_id: Option<String>,
        scope: Scope,
    },
}

impl From<OidcError> for AuthError {
    fn from(error: OidcError) -> Self {
        if error.is_expired() {
            return Self::Expired { token_id: None };
        }
        Self::Oidc(error)
    }
}

impl AuthError {
    const fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::TokenMissing,
            Self::Unknown => Reason::TokenUnknown,
            Self::Expired { .. } => Reason::TokenExpired,
            Self::TooFast { .. } => Reason::RateLimited,
            Self::Oidc(OidcError::NoReach) => Reason::ReachMissing,
            Self::Oidc(OidcError::KeysUnavailable { .. }) => Reason::OidcKeysUnavailable,
            Self::Oidc(_) => Reason::OidcTokenInvalid,
            Self::Forbidden { .. } => Reason::ScopeMissing,
        }
    }

    fn token_id(&self) -> Option<&str> {
        match self {
            Self::Missing | Self::Unknown | Self::Oidc(_) => None,
            Self::Expired { token_id } | Self::Forbidden { token_id, .. } => token_id.as_deref(),
            Self::TooFast { token_id, .. } => Some(token_id),
        }
    }

    /// Returns what the log says about the refusal.
    fn detail(&self, scope: Scope) -> String {
        match self {
            Self::Oidc(error) => error.to_string(),
            Self::Missing
            | Self::Unknown
            | Self::Expired { .. }
            | Self::TooFast { .. }
            | Self::Forbidden { .. } => scope.to_string(),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(refusal: AuthError) -> Self {
        match refusal {
            AuthError::Missing => missing(),
            AuthError::Unknown => unknown(),
            AuthError::Expired { .. } => expired(),
            AuthError::TooFast { wait, .. } => too_fast(wait),
            AuthError::Oidc(error) => oidc_refused(&error),
            AuthError::Forbidden { scope, .. } => forbidden(scope),
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
    let caller = authorizer.authorize(&head, scope).await?;
    let body = caller.metered(body);
    head.extensions.insert(caller.clone());
    let mut response = next.run(Request::from_parts(head, body)).await;
    response.extensions_mut().insert(caller);
    Ok(response)
}

/// Middleware that refuses callers that are confined to one root account. [`require_scope`] must come first.
pub async fn require_everything(
    caller: Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    caller.0.require_everything()?;
    Ok(next.run(request).await)
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
    invalid("token_unknown", detail)
}

/// Only who has the whole secret gets this answer, so it tells a guesser nothing.
fn expired() -> Problem {
    let detail = "This token has expired, or a newer secret has replaced it.";
    invalid("token_expired", detail)
}

fn invalid(code: &'static str, detail: impl Into<String>) -> Problem {
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    Problem::new(StatusCode::UNAUTHORIZED, code, detail).with_header(WWW_AUTHENTICATE, challenge)
}

fn too_fast(wait: Duration) -> Problem {
    let detail = "This token is used faster than its limits allow.";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait)
}

fn oidc_refused(error: &OidcError) -> Problem {
    match error {
        OidcError::NoReach => {
            let detail = "The claims of this token do not say what it may reach.";
            Problem::new(StatusCode::FORBIDDEN, "reach_missing", detail)
        }
        // The reason can name addresses, so it is only in the log.
        OidcError::KeysUnavailable { .. } => {
            let detail = "The keys of the identity provider cannot be fetched now.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", detail)
                .retry_after(KEYS_PAUSE)
        }
        OidcError::Jwt(_)
        | OidcError::NoExpiry
        | OidcError::WrongAudience
        | OidcError::NoSubject => {
            let detail =
                format!("This token of the identity provider is refused: failed to {error}.");
            invalid("token_invalid", detail)
        }
    }
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
