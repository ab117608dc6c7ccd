//! Bearer tokens and how their secrets are generated.
//!
//! A secret is `easel_` and 43 characters of base64url: 32 random bytes from the operating system.
//! Nobody can guess 32 random bytes. So one BLAKE3 hash is enough, and a stolen file is useless.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use easel_keys::Secret;
use jiff::Timestamp;

use crate::Scopes;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The public id, for lists and removal. It is not derived from the secret.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What the token may do.
    pub scopes: Scopes,
    /// When the token was created.
    pub created_at: Timestamp,
}

/// Generates an id: 12 characters of base64url. The first is a letter, so that no command line
/// parses the id as an option.
pub(crate) fn new_id() -> Result<String, getrandom::Error> {
    let mut bytes = random::<9>()?;
    bytes[0] &= 0b0111_1111;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Generates a secret. Fails only if the operating system returns no random bytes.
pub fn new_secret() -> Result<Secret<String>, getrandom::Error> {
    let encoded = BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?);
    Ok(Secret::new(format!("easel_{encoded}")))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_begins_with_a_letter() {
        for _ in 0..2000 {
            let id = new_id().unwrap();
            assert_eq!(id.len(), 12);
            assert!(id.starts_with(|c: char| c.is_ascii_alphabetic()), "{id}");
        }
    }

    #[test]
    fn a_secret_is_a_prefix_and_43_characters_and_never_the_same() {
        let (first, second) = (new_secret().unwrap(), new_secret().unwrap());
        let encoded = first.expose().strip_prefix("easel_").unwrap();
        assert_eq!(encoded.len(), 43);
        assert!(
            encoded
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "{encoded}"
        );
        assert_ne!(first.expose(), second.expose());
    }
}
