//! Verifies JWTs that others signed: the compact form of RFC 7515 and RFC 7519.
//!
//! The rules follow RFC 8725 (best current practices):
//! - The key is the one that `kid` names. Its algorithm decides how the signature is verified; the
//!   header must name the same algorithm, and the options must allow it. So `none`, and an HMAC made
//!   with the bytes of a public key, are refused.
//! - A key in the header (`jwk`, `jku`, `x5u`, `x5c`) is refused, and so is every extension (`crit`).
//! - Base64url must be canonical, and no name may occur twice in the header or among the claims. So the
//!   header and the claims have one spelling and one meaning. (An ECDSA signature always has a second
//!   valid form, so two tokens must not be compared as text.)
//! - Claims are read only after the signature was verified.
//!
//! `aud` is not verified: hosted Canvas does not address its tokens. Not here: fetching keys.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use thiserror::Error;

use crate::SigningAlgorithm;
use crate::jwk::{Jwk, JwkError};
use crate::jwk_set::JwkSet;
use crate::jwt_json::{JwtClaims, JwtHeader, JwtJsonError};

/// The largest header that is read, in bytes of base64url. A normal header has less than 200.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Members of the header that name a key of the sender's choice or change the meaning of the token
/// (RFC 7515 sections 4.1.2, 4.1.3, 4.1.5, 4.1.6 and 4.1.11).
const REFUSED_MEMBERS: [&str; 5] = ["jku", "jwk", "x5u", "x5c", "crit"];

/// The most characters of a name or id that an error repeats.
const MAX_SHOWN: usize = 100;

/// Verifies JWTs with a set of public keys.
#[derive(Clone, Debug)]
pub struct JwtVerifier {
    keys: JwkSet,
    options: JwtOptions,
}

/// What a [`JwtVerifier`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtOptions {
    /// The algorithms that are accepted. By default only RS256.
    pub algorithms: Vec<SigningAlgorithm>,
    /// What `iss` must be. By default `iss` may be anything, and may be missing.
    pub issuer: Option<String>,
    /// How far the clock of the sender may differ, for `exp` and `nbf`. Five minutes by default.
    pub leeway: Duration,
    /// The largest token that is accepted, in bytes. 3 MiB by default.
    pub max_bytes: usize,
}

impl Default for JwtOptions {
    fn default() -> Self {
        Self {
            algorithms: vec![SigningAlgorithm::Rs256],
            issuer: None,
            leeway: Duration::from_mins(5),
            max_bytes: 3 * 1024 * 1024,
        }
    }
}

/// A JWT whose signature and claims are valid.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedJwt {
    /// The id of the key that verified the signature.
    pub kid: String,
    /// The claims, byte for byte as they were signed: a JSON object in UTF-8. Objects inside the
    /// claims may have two members of one name.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for VerifiedJwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedJwt")
            .field("kid", &self.kid)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl JwtVerifier {
    /// Makes a verifier. With an empty set of keys, or no algorithms, it refuses every token.
    pub const fn new(keys: JwkSet, options: JwtOptions) -> Self {
        Self { keys, options }
    }

    /// Verifies a token in the compact form, without white space or quotes around it. A token without
    /// `exp` does not expire.
    pub fn verify(&self, token: &[u8], now: Timestamp) -> Result<VerifiedJwt, JwtError> {
        let max = self.options.max_bytes;
        if token.len() > max {
            return Err(JwtError::TooLong { max });
        }
        let parts = JwtParts::split(token).ok_or(JwtError::NotThreeParts)?;
        let key = self.key(parts.header)?;
        let signature = decode("signature", parts.signature)?;
        if !key.verifies(parts.signed, &signature) {
            return Err(JwtError::InvalidSignature);
        }
        let payload = decode("payload", parts.payload)?;
        let claims = JwtClaims::read(&payload).map_err(|error| error.in_part("payload"))?;
        self.check_claims(&claims, now)?;
        let kid = key.kid().to_owned();
        Ok(VerifiedJwt { kid, payload })
    }

    /// Returns the key that the header names, if the header is acceptable.
    fn key(&self, encoded: &[u8]) -> Result<&Jwk, JwtError> {
        if encoded.len() > MAX_HEADER_BYTES {
            return Err(JwtError::HeaderTooLong);
        }
        let decoded = decode("header", encoded)?;
        let header = JwtHeader::read(&decoded).map_err(|error| error.in_part("header"))?;
        if let Some(member) = REFUSED_MEMBERS
            .into_iter()
            .find(|name| header.contains(name))
        {
            return Err(JwtError::RefusedMember { member });
        }
        let name = header.text("alg").ok_or(JwtError::MissingAlgorithm)?;
        let algorithm = self.allowed_algorithm(&name)?;
        let kid = header.text("kid").ok_or(JwtError::MissingKid)?;
        let Some(key) = self.keys.find(&kid) else {
            return Err(self.without_key(&kid));
        };
        if key.algorithm() == algorithm {
            Ok(key)
        } else {
            Err(JwtError::WrongAlgorithm {
                algorithm,
                key_algorithm: key.algorithm(),
            })
        }
    }

    fn allowed_algorithm(&self, name: &str) -> Result<SigningAlgorithm, JwtError> {
        let mut allowed = self.options.algorithms.iter().copied();
        allowed
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or_else(|| JwtError::AlgorithmNotAllowed {
                algorithm: shown(name),
            })
    }

    fn without_key(&self, kid: &str) -> JwtError {
        let mut ignored = self.keys.ignored().iter();
        match ignored.find(|jwk| jwk.kid.as_deref() == Some(kid)) {
            Some(jwk) => JwtError::UnusableKey {
                kid: shown(kid),
                source: jwk.reason.clone(),
            },
            None => JwtError::UnknownKid { kid: shown(kid) },
        }
    }

    /// Checks `iss`, `exp` and `nbf` (RFC 7519 section 4.1).
    fn check_claims(&self, claims: &JwtClaims<'_>, now: Timestamp) -> Result<(), JwtError> {
        if let Some(issuer) = &self.options.issuer
            && claims.issuer().as_ref() != Some(issuer)
        {
            let issuer = issuer.clone();
            return Err(JwtError::WrongIssuer { issuer });
        }
        let not_an_integer = |claim| move |_invalid| JwtError::InvalidTime { claim };
        let expires = claims.expires().map_err(not_an_integer("exp"))?;
        let not_before = claims.not_before().map_err(not_an_integer("nbf"))?;
        let leeway = i64::try_from(self.options.leeway.as_secs()).unwrap_or(i64::MAX);
        let now = now.as_second();
        if let Some(time) = expires.filter(|time| now >= time.saturating_add(leeway)) {
            return Err(JwtError::Expired { time });
        }
        if let Some(time) = not_before.filter(|time| now < time.saturating_sub(leeway)) {
            return Err(JwtError::NotYetValid { time });
        }
        Ok(())
    }
}

/// The parts of a token, in base64url.
struct JwtParts<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
    /// The bytes that the signature covers: the header, a dot and the payload.
    signed: &'a [u8],
}

impl<'a> JwtParts<'a> {
    fn split(token: &'a [u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let signed = token.get(..header.len() + 1 + payload.len())?;
        let parts = parts.next().is_none().then_some(Self {
            header,
            payload,
            signature,
            signed,
        })?;
        Some(parts)
    }
}

/// Decodes base64url without padding. Bits after the last byte must be zero, so that two texts never
/// mean the same bytes.
fn decode(part: &'static str, encoded: &[u8]) -> Result<Vec<u8>, JwtError> {
    let decoded = URL_SAFE_NO_PAD.decode(encoded);
    decoded.map_err(|_invalid| JwtError::InvalidBase64 { part })
}

/// The beginning of a text from a token, for an error.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

impl JwtJsonError {
    fn in_part(self, part: &'static str) -> JwtError {
        match self {
            Self::NotAnObject => JwtError::NotAnObject { part },
            Self::Duplicate(name) => JwtError::DuplicateMember {
                part,
                name: shown(&name),
            },
        }
    }
}

/// Why a JWT is refused. The texts contain no value of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwtError {
    /// The token is longer than the options allow.
    #[error("verify the JWT: it is longer than {max} bytes")]
    TooLong {
        /// The allowed length in bytes.
        max: usize,
    },
    /// The token does not consist of a header, a payload and a signature.
    #[error("verify the JWT: it must have three parts separated by dots")]
    NotThreeParts,
    /// A part is not canonical base64url without padding (RFC 7515 section 2).
    #[error("verify the JWT: the {part} is not base64url without padding")]
    InvalidBase64 {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// The header is longer than any header that is in use.
    #[error("verify the JWT: the header is longer than {MAX_HEADER_BYTES} bytes")]
    HeaderTooLong,
    /// The header or the payload is not a JSON object in UTF-8.
    #[error("verify the JWT: the {part} is not a JSON object")]
    NotAnObject {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// Two members of an object have the same name.
    #[error("verify the JWT: the {part} has two members with the name {name:?}")]
    DuplicateMember {
        /// `header` or `payload`.
        part: &'static str,
        /// The beginning of the name.
        name: String,
    },
    /// The header has a member that carries a key or requires an extension.
    #[error("verify the JWT: `{member}` is not allowed in the header")]
    RefusedMember {
        /// The name of the member.
        member: &'static str,
    },
    /// `alg` is missing or is not a string.
    #[error("verify the JWT: `alg` is missing in the header")]
    MissingAlgorithm,
    /// The options do not allow the algorithm of the header.
    #[error("verify the JWT: the algorithm {algorithm:?} is not allowed")]
    AlgorithmNotAllowed {
        /// The beginning of `alg`.
        algorithm: String,
    },
    /// `kid` is missing or is not a string.
    #[error("verify the JWT: `kid` is missing in the header")]
    MissingKid,
    /// No key has the id. The keys of the sender may have changed.
    #[error("verify the JWT: no key has the id {kid:?}")]
    UnknownKid {
        /// The beginning of `kid`.
        kid: String,
    },
    /// The key with the id cannot be used.
    #[error("verify the JWT: the key {kid:?} cannot be used")]
    UnusableKey {
        /// The beginning of `kid`.
        kid: String,
        /// Why the key cannot be used.
        source: JwkError,
    },
    /// The header names another algorithm than the one of the key.
    #[error("verify the JWT: the algorithm is {algorithm}, but the key is for {key_algorithm}")]
    WrongAlgorithm {
        /// The algorithm of the header.
        algorithm: SigningAlgorithm,
        /// The algorithm of the key.
        key_algorithm: SigningAlgorithm,
    },
    /// The key did not sign this token.
    #[error("verify the JWT: the signature is invalid")]
    InvalidSignature,
    /// `iss` is missing or is another issuer.
    #[error("verify the JWT: `iss` must be {issuer:?}")]
    WrongIssuer {
        /// The required issuer.
        issuer: String,
    },
    /// `exp` or `nbf` is not an integer of 64 bits.
    #[error("verify the JWT: `{claim}` must be an integer")]
    InvalidTime {
        /// The name of the claim.
        claim: &'static str,
    },
    /// The token has expired.
    #[error("verify the JWT: it expired at {time} seconds of Unix time")]
    Expired {
        /// `exp` in seconds of Unix time.
        time: i64,
    },
    /// The token is not valid yet.
    #[error("verify the JWT: it is valid only from {time} seconds of Unix time")]
    NotYetValid {
        /// `nbf` in seconds of Unix time.
        time: i64,
    },
}

#[cfg(test)]
mod tests;
