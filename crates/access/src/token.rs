//! Bearer tokens and how their secrets are generated.
//!
//! A secret is `easel_` and 43 characters of base64url: 32 random bytes from the operating system.
//! Nobody can guess 32 random bytes. So one BLAKE3 hash is enough, and a stolen file is useless.

use std::num::{NonZeroU32, NonZeroU64};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use easel_catalog::Reach;
use easel_keys::Secret;
use jiff::Timestamp;

use crate::{Scopes, TokenLimits};

/// A token, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The public id, for lists and removal. It is not derived from the secret.
    pub id: String,
    /// What can be set.
    pub settings: TokenSettings,
    /// When the token was created.
    pub created_at: Timestamp,
    /// When the token was last used, to the second.
    pub last_used_at: Option<Timestamp>,
    /// Until when an older secret works, too. `None` if only the newest secret works.
    pub overlap_ends_at: Option<Timestamp>,
}

/// What can be set for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The name for people.
    pub name: String,
    /// What the token may do.
    pub scopes: Scopes,
    /// What the token may see and change.
    pub reach: Reach,
    /// From when on the token is refused.
    pub expires_at: Option<Timestamp>,
    /// How fast the token may send.
    pub limits: TokenLimits,
}

impl TokenSettings {
    /// The settings of a token that reaches everything, does not expire and has no limits.
    pub fn new(name: &str, scopes: Scopes) -> Self {
        Self {
            name: name.to_owned(),
            scopes,
            reach: Reach::Everything,
            expires_at: None,
            limits: TokenLimits::default(),
        }
    }
}

/// A change of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// The new name; `None` keeps the old one.
    pub name: Option<String>,
    /// The change of the expiry.
    pub expires_at: Amendment<Timestamp>,
    /// The change of the limit of requests.
    pub max_requests_per_second: Amendment<NonZeroU32>,
    /// The change of the limit of bytes.
    pub max_bytes_per_second: Amendment<NonZeroU64>,
}

/// The change of a setting that need not be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Amendment<T> {
    /// The setting stays as it is.
    #[default]
    Keep,
    /// The setting is removed.
    Remove,
    /// The setting gets a value.
    Set(T),
}

impl<T> Amendment<T> {
    /// Converts the value, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the error of `convert`.
    pub fn try_map<U, E>(self, convert: impl FnOnce(T) -> Result<U, E>) -> Result<Amendment<U>, E> {
        match self {
            Self::Keep => Ok(Amendment::Keep),
            Self::Remove => Ok(Amendment::Remove),
            Self::Set(value) => convert(value).map(Amendment::Set),
        }
    }

    fn apply(self, setting: &mut Option<T>) {
        match self {
            Self::Keep => (),
            Self::Remove => *setting = None,
            Self::Set(value) => *setting = Some(value),
        }
    }
}

impl TokenChange {
    /// Changes `settings`.
    pub(crate) fn apply(self, settings: &mut TokenSettings) {
        if let Some(name) = self.name {
            settings.name = name;
        }
        self.expires_at.apply(&mut settings.expires_at);
        let limits = &mut settings.limits;
        self.max_requests_per_second
            .apply(&mut limits.max_requests_per_second);
        self.max_bytes_per_second
            .apply(&mut limits.max_bytes_per_second);
    }
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
