//! The caller of a request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use easel_catalog::Reach;

use crate::metered_body::MeteredBody;
use crate::token_use::TokenUse;
use crate::validity::Validity;
use crate::{Problem, Scopes};

/// The caller of a request.
#[derive(Clone)]
pub struct Caller {
    /// The id of the caller's token. `None` for local commands, for a token of the identity provider, and if no
    /// token is required.
    pub token_id: Option<String>,
    /// Who the caller is: the id of the token, `oidc:` and the subject, or `local`.
    pub actor: String,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// What the caller may do.
    pub scopes: Scopes,
    /// What the caller may see and change.
    pub reach: Reach,
    pub(crate) validity: Validity,
    pub(crate) token_use: Option<Arc<TokenUse>>,
}

impl Caller {
    /// The caller of a local command, and every caller if no token is required.
    pub(crate) fn local(address: Option<IpAddr>) -> Self {
        Self {
            token_id: None,
            actor: "local".to_owned(),
            address,
            scopes: Scopes::ALL,
            reach: Reach::Everything,
            validity: Validity::Unlimited,
            token_use: None,
        }
    }

    /// Refuses a caller that is confined to one root account. For what belongs to the whole server.
    pub fn require_everything(&self) -> Result<(), Problem> {
        match self.reach {
            Reach::Everything => Ok(()),
            Reach::RootAccount(_) => {
                let detail = "This token is confined to one root account, and this call concerns the whole server.";
                Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "reach_too_small",
                    detail,
                ))
            }
        }
    }

    /// Counts the bytes of the body of this caller's request against the limit of its token.
    pub fn metered(&self, body: Body) -> Body {
        match &self.token_use {
            Some(token_use) if token_use.meter.limits_bytes() => {
                Body::new(MeteredBody::new(body, Arc::clone(token_use)))
            }
            Some(_) | None => body,
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("actor", &self.actor)
            .field("scopes", &self.scopes)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}
