//! Public keys by their id: a JWK set of RFC 7517, section 5.
//!
//! A set contains only keys that can verify signatures. [`JwkSet::parse`] ignores other keys, as
//! RFC 7517 says, but remembers why, so that a JWT which names such a key is refused with the reason.
//!
//! Not here: fetching a set, and refreshing it.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::jwk::{Jwk, JwkError};

/// Public keys that verify signatures. No two keys have the same id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    ignored: Vec<IgnoredJwk>,
}

/// A key of a parsed set that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IgnoredJwk {
    /// The id of the key, if it could be read.
    pub(crate) kid: Option<String>,
    /// Why the key cannot be used.
    pub(crate) reason: JwkError,
}

impl JwkSet {
    /// The largest text that [`JwkSet::parse`] accepts, in bytes.
    pub const MAX_BYTES: usize = 128 * 1024;
    /// The largest number of keys that [`JwkSet::parse`] accepts, ignored keys included.
    pub const MAX_KEYS: usize = 100;

    /// Makes a set of keys.
    ///
    /// # Errors
    ///
    /// Two keys have the same id.
    pub fn new(keys: Vec<Jwk>) -> Result<Self, JwkSetError> {
        all_different(keys.iter().map(Jwk::kid))?;
        let ignored = Vec::new();
        Ok(Self { keys, ignored })
    }

    /// Reads the JSON of a JWK set. Members of the set other than `keys` are ignored.
    ///
    /// # Errors
    ///
    /// The text is too long, is not the JSON of a JWK set, or has too many keys. Two keys have the
    /// same id, even if one of the two keys cannot be used.
    pub fn parse(json: &[u8]) -> Result<Self, JwkSetError> {
        if json.len() > Self::MAX_BYTES {
            return Err(JwkSetError::TooLong);
        }
        let set: JwkSetJson<'_> =
            serde_json::from_slice(json).map_err(|error| JwkSetError::InvalidJson {
                line: error.line(),
                column: error.column(),
            })?;
        if set.keys.len() > Self::MAX_KEYS {
            return Err(JwkSetError::TooManyKeys);
        }
        let mut parsed = Self::default();
        for jwk in set.keys {
            match Jwk::parse(jwk.get()) {
                Ok(key) => parsed.keys.push(key),
                Err(reason) => parsed.ignored.push(IgnoredJwk {
                    kid: kid(jwk),
                    reason,
                }),
            }
        }
        let ignored = parsed.ignored.iter();
        let ignored_ids = ignored.filter_map(|jwk| jwk.kid.as_deref());
        all_different(parsed.keys.iter().map(Jwk::kid).chain(ignored_ids))?;
        Ok(parsed)
    }

    /// Returns the JSON of the set, without the ignored keys.
    pub fn to_json(&self) -> String {
        let keys: Vec<_> = self.keys.iter().map(Jwk::to_json).collect();
        json!({ "keys": keys }).to_string()
    }

    /// Returns the keys that can be used.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Returns the keys of the parsed text that cannot be used.
    pub(crate) fn ignored(&self) -> &[IgnoredJwk] {
        &self.ignored
    }

    /// Returns the key with an id.
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid() == kid)
    }
}

/// Why a text is no JWK set. The texts contain no part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwkSetError {
    /// The text is longer than [`JwkSet::MAX_BYTES`].
    #[error("read the JWK set: more than {} bytes", JwkSet::MAX_BYTES)]
    TooLong,
    /// The text is not JSON, or it is no object with an array `keys`.
    #[error("read the JWK set: the JSON is invalid at line {line} column {column}")]
    InvalidJson {
        /// The line, from 1; 0 if the place is unknown.
        line: usize,
        /// The column in the line, from 1.
        column: usize,
    },
    /// The set has more than [`JwkSet::MAX_KEYS`] keys.
    #[error("read the JWK set: more than {} keys", JwkSet::MAX_KEYS)]
    TooManyKeys,
    /// Two keys have the same id, so a JWT does not name one key.
    #[error("read the JWK set: two keys have the id {kid:?}")]
    DuplicateKid {
        /// The id.
        kid: String,
    },
}

fn all_different<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), JwkSetError> {
    let mut seen = BTreeSet::new();
    for kid in ids {
        if !seen.insert(kid) {
            let kid = kid.to_owned();
            return Err(JwkSetError::DuplicateKid { kid });
        }
    }
    Ok(())
}

/// Reads the id of a key that could not be read as a whole.
fn kid(jwk: &RawValue) -> Option<String> {
    let jwk: KidJson = serde_json::from_str(jwk.get()).ok()?;
    jwk.kid
}

#[derive(Deserialize)]
struct JwkSetJson<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct KidJson {
    kid: Option<String>,
}

#[cfg(test)]
mod tests;
