//! The key that protects all other keys of a data folder.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroize;

use crate::Secret;

/// The context of the hash that identifies a master key.
const ID_CONTEXT: &str = "easel 2026-11-30 id of a master key";

/// The bytes of a master key.
const BYTES: usize = 32;

/// The key that protects all other keys of a data folder: 32 random bytes, as text in base64.
///
/// Whoever has this key and the data folder can read every secret in the folder.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Secret<[u8; BYTES]>);

/// Why a text is not a master key. The error never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "parse the master key: it must be 32 bytes in base64, 44 characters, for example from `openssl rand -base64 32`"
)]
pub struct MasterKeyError;

impl MasterKey {
    /// Returns a new random key.
    ///
    /// # Errors
    ///
    /// Fails if the operating system returns no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Secret::new(bytes)))
    }

    /// Parses a key. White space around it is ignored.
    ///
    /// # Errors
    ///
    /// Fails if the text is not 32 bytes in base64.
    pub fn parse(text: &Secret<String>) -> Result<Self, MasterKeyError> {
        let decoded = STANDARD.decode(text.expose().trim());
        let mut bytes = decoded.map_err(|_not_base64| MasterKeyError)?;
        let key = <[u8; BYTES]>::try_from(bytes.as_slice());
        bytes.zeroize();
        key.map(|key| Self(Secret::new(key)))
            .map_err(|_other_length| MasterKeyError)
    }

    /// Returns the key as text, which [`parse`](Self::parse) reads.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(STANDARD.encode(self.0.expose()))
    }

    /// Returns the public id of the key: 16 hexadecimal digits of a hash. The key cannot be computed from
    /// its id.
    pub fn id(&self) -> String {
        let hash = blake3::Hash::from(blake3::derive_key(ID_CONTEXT, self.0.expose()));
        hash.to_hex().chars().take(16).collect()
    }

    #[cfg(feature = "store")]
    pub(crate) const fn bytes(&self) -> &[u8; BYTES] {
        self.0.expose()
    }
}

/// Prints the id of the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_written_as_text_is_parsed_back() {
        let key = MasterKey::generate().unwrap();
        let text = key.to_text();
        assert_eq!(text.expose().len(), 44);
        let with_line_break = Secret::new(format!(" {}\n", text.expose()));
        assert_eq!(MasterKey::parse(&with_line_break), Ok(key));
    }

    #[test]
    fn a_text_of_another_length_is_not_a_key() {
        for text in [
            "",
            "c2hvcnQ=",
            "no base64 at all, but 44 characters long!!!!",
            &"A".repeat(88),
        ] {
            let parsed = MasterKey::parse(&Secret::new(text.to_owned()));
            assert_eq!(parsed, Err(MasterKeyError), "{text}");
        }
    }

    #[test]
    fn debug_output_has_only_the_id() {
        let key = MasterKey::parse(&Secret::new("A".repeat(43) + "=")).unwrap();
        assert_eq!(format!("{key:?}"), format!("MasterKey({})", key.id()));
        assert_eq!(key.id().len(), 16);
        assert_ne!(key.id(), MasterKey::generate().unwrap().id());
    }
}
