//! Tokens of the operator's own identity provider (OpenID Connect): JWTs that the provider signed.
//!
//! The signature, `iss`, `exp` and `nbf` are checked by [`JwtVerifier`], with the public keys of the provider.
//! In addition, `exp` and `sub` must be there, and `aud` must name this server. A key that is not known is a
//! reason to ask for newer keys. Who fetches keys, and how often, is decided by an [`OidcKeys`].

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use easel_catalog::Reach;
use easel_keys::{JwtError, JwtVerifier, VerifiedJwt};
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use crate::oidc_rules::{Claims, OidcRules};
use crate::validity::Validity;
use crate::{Caller, Scopes};

/// The most characters of a subject.
const MAX_SUBJECT_CHARS: usize = 255;

/// The public keys of the identity provider.
#[async_trait]
pub trait OidcKeys: Debug + Send + Sync {
    /// Returns the keys that are known, if there are any.
    fn current(&self) -> Option<Arc<JwtVerifier>>;

    /// Returns keys that are newer than `known`; `None` if there are no newer ones.
    ///
    /// # Errors
    ///
    /// Returns why the keys could not be fetched.
    async fn newer_than(
        &self,
        known: Option<&Arc<JwtVerifier>>,
    ) -> Result<Option<Arc<JwtVerifier>>, String>;
}

/// The identity provider whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The keys of the provider.
    pub keys: Arc<dyn OidcKeys>,
    /// What the claims allow.
    pub rules: OidcRules,
    /// How far the clock of the provider may differ. The verifiers of the keys use the same time.
    pub leeway: Duration,
}

/// Why a token of the provider is refused.
#[derive(Debug, Error)]
pub(crate) enum OidcError {
    #[error(transparent)]
    Jwt(#[from] JwtError),
    #[error("verify the JWT: `exp` is missing")]
    NoExpiry,
    #[error("verify the JWT: `aud` does not name this server")]
    WrongAudience,
    #[error("verify the JWT: `sub` is missing or unusable")]
    NoSubject,
    #[error("find the reach in the claims of the JWT")]
    NoReach,
    #[error("fetch the keys of the identity provider: {reason}")]
    KeysUnavailable { reason: String },
}

impl OidcError {
    pub(crate) const fn is_expired(&self) -> bool {
        matches!(self, Self::Jwt(JwtError::Expired { .. }))
    }
}

/// The caller that a token of the provider names, before the address is known.
#[derive(Debug)]
pub(crate) struct OidcCaller {
    subject: String,
    scopes: Scopes,
    reach: Reach,
    ends_at: Timestamp,
}

impl OidcCaller {
    pub(crate) fn into_caller(self, address: Option<std::net::IpAddr>) -> Caller {
        Caller {
            token_id: None,
            actor: format!("oidc:{}", self.subject),
            address,
            scopes: self.scopes,
            reach: self.reach,
            validity: Validity::Until(self.ends_at),
            token_use: None,
        }
    }
}

/// Returns true if a bearer token has the form of a JWT. Tokens of this server never have it.
pub(crate) fn is_jwt(bearer: &str) -> bool {
    !bearer.starts_with("easel_") && bearer.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Oidc {
    /// Verifies a token, and returns its caller.
    pub(crate) async fn verify(&self, jwt: &str, now: Timestamp) -> Result<OidcCaller, OidcError> {
        let verified = self.verify_signature(jwt.as_bytes(), now).await?;
        let claims: Claims = serde_json::from_slice(&verified.payload)
            .map_err(|_invalid| JwtError::NotAnObject { part: "payload" })?;
        if !self.rules.is_addressed(&claims) {
            return Err(OidcError::WrongAudience);
        }
        let ends_at = self.end(&claims).ok_or(OidcError::NoExpiry)?;
        let subject = claims.get("sub").and_then(Value::as_str);
        let is_usable = |subject: &&str| {
            let count = subject.chars().count();
            (1..=MAX_SUBJECT_CHARS).contains(&count) && !subject.contains(char::is_control)
        };
        let subject = subject.filter(is_usable).ok_or(OidcError::NoSubject)?;
        let reach = self.rules.reach(&claims).ok_or(OidcError::NoReach)?;
        Ok(OidcCaller {
            subject: subject.to_owned(),
            scopes: self.rules.scopes(&claims),
            reach,
            ends_at,
        })
    }

    /// Verifies the signature, if necessary with newer keys.
    async fn verify_signature(&self, jwt: &[u8], now: Timestamp) -> Result<VerifiedJwt, OidcError> {
        let known = self.keys.current();
        let refused = match &known {
            None => None,
            Some(verifier) => match verifier.verify(jwt, now) {
                Ok(verified) => return Ok(verified),
                Err(unknown @ JwtError::UnknownKid { .. }) => Some(unknown),
                Err(error) => return Err(error.into()),
            },
        };
        match (self.keys.newer_than(known.as_ref()).await, refused) {
            (Ok(Some(newer)), _) => Ok(newer.verify(jwt, now)?),
            (Ok(None), Some(refused)) => Err(refused.into()),
            (Ok(None), None) => Err(OidcError::KeysUnavailable {
                reason: "there are none".to_owned(),
            }),
            (Err(reason), _) => Err(OidcError::KeysUnavailable { reason }),
        }
    }

    /// Returns when the token ends.
    fn end(&self, claims: &Claims) -> Option<Timestamp> {
        let expires = claims.get("exp")?.as_i64()?;
        let leeway = i64::try_from(self.leeway.as_secs()).unwrap_or(i64::MAX);
        let end = Timestamp::from_second(expires.saturating_add(leeway));
        Some(end.unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests;
