//! The key of an imported file, and the place of a record in such a file.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::SourceName;

/// The number of hexadecimal digits of a key.
const DIGITS: usize = 16;

/// The key of an imported file: 16 hexadecimal digits, derived from the name of the import and the location of the
/// file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportKey(Arc<str>);

impl ImportKey {
    /// Derives the key of the file at `location` in the import `name`.
    pub fn derive(name: &SourceName, location: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(name.as_str().as_bytes());
        // A name has no line break, so no two pairs of name and location are the same bytes.
        hasher.update(b"\n");
        hasher.update(location.as_bytes());
        let hex = hasher.finalize().to_hex();
        Self(hex.chars().take(DIGITS).collect::<String>().into())
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImportKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == DIGITS && text.bytes().all(is_digit) {
            return Ok(Self(text.into()));
        }
        Err(NotAKey)
    }
}

/// The error for a text that is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of an imported file has 16 hexadecimal digits")]
pub struct NotAKey;

/// The place of a record in an imported file. The log stores it with the record, so the position of an import can
/// be found in the log after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The key of the file.
    pub key: ImportKey,
    /// The first byte of the record in the uncompressed text.
    pub at: u64,
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.at)
    }
}

impl FromStr for RecordPlace {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (key, at) = text.split_once(':').ok_or(NotAKey)?;
        Ok(Self {
            key: key.parse()?,
            at: at.parse().map_err(|_not_a_number| NotAKey)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_location_decide_the_key() {
        let key = |name: &str, location| ImportKey::derive(&name.parse().unwrap(), location);
        assert_eq!(key("a", "/x.json"), key("a", "/x.json"));
        assert_ne!(key("a", "/x.json"), key("b", "/x.json"));
        assert_ne!(key("a", "/x.json"), key("a", "/y.json"));
        assert_eq!(key("a", "/x.json").as_str().len(), DIGITS);
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let key = ImportKey::derive(&"a".parse().unwrap(), "/x.json");
        let place = RecordPlace { key, at: 1 << 40 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "1:2", "0123456789abcdeF:1", "0123456789abcdef:", "x"] {
            assert!(text.parse::<RecordPlace>().is_err(), "{text}");
        }
    }
}
