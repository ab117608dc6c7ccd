//! The name of a source.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

/// The most characters of a name.
const MAX_CHARS: usize = 64;

/// The name of a source: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`.
///
/// The name is a part of paths and is stored with every event, so no character needs escaping there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SourceName(Arc<str>);

/// The error for a text that is not the name of a source.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "name {name:?} is invalid: use 1 to 64 of a-z, 0-9, `-`, `_` and `.`, starting with a letter or digit"
)]
pub struct SourceNameError {
    /// The invalid name.
    pub name: String,
}

impl SourceName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as a text that many events can share.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(name: &str) -> Result<Self, SourceNameError> {
        let is_allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let is_start_valid = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if is_start_valid && name.len() <= MAX_CHARS && name.chars().all(is_allowed) {
            return Ok(Self(name.into()));
        }
        Err(SourceNameError {
            name: name.to_owned(),
        })
    }
}

impl<'de> Deserialize<'de> for SourceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for SourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_needs_escaping_in_a_path_is_rejected() {
        for name in ["hosted", "a.b-c_1", &"x".repeat(64)] {
            assert_eq!(name.parse::<SourceName>().unwrap().as_str(), name);
        }
        for name in ["", "-a", ".", "A", "a/b", "a b", "ü", &"x".repeat(65)] {
            assert!(name.parse::<SourceName>().is_err(), "{name}");
        }
    }
}
