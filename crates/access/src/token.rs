//! A bearer token, and the making of its secret.
//!
//! A secret is `easel_` and 43 characters of base64url: 32 bytes from the operating system. So
//! much chance needs no slow hash: one BLAKE3 is enough to make a stolen file useless.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use easel_keys::Secret;
use jiff::Timestamp;

use crate::Scopes;

/// What is known about a token; its secret is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Names the token in lists and when it is removed; says nothing about its secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A fresh id: 12 characters of base64url, the first a letter, so that no command takes it for an
/// option.
pub(crate) fn new_id() -> Result<String, getrandom::Error> {
    let mut bytes = random::<9>()?;
    bytes[0] &= 0b0111_1111;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A fresh secret; the only error is that the operating system has no randomness to give.
pub fn new_secret() -> Result<Secret<String>, getrandom::Error> {
    let chance = BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?);
    Ok(Secret::new(format!("easel_{chance}")))
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
            assert!(id.starts_with(|it: char| it.is_ascii_alphabetic()), "{id}");
        }
    }

    #[test]
    fn a_secret_is_a_prefix_and_43_characters_and_never_the_same() {
        let (one, two) = (new_secret().unwrap(), new_secret().unwrap());
        let chance = one.expose().strip_prefix("easel_").unwrap();
        assert_eq!(chance.len(), 43);
        assert!(
            chance
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "{chance}"
        );
        assert_ne!(one.expose(), two.expose());
    }
}
