//! All tokens in memory: by id, and by the hashes of their secrets.

use std::collections::HashMap;
use std::sync::Arc;

use blake3::Hash;
use jiff::Timestamp;

use crate::Token;
use crate::token_use::TokenUse;

/// All tokens. A token can have several secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenMap {
    pub(crate) by_id: HashMap<String, TokenEntry>,
    pub(crate) by_hash: HashMap<Hash, SecretEntry>,
}

/// A token, without the facts that change with time.
#[derive(Clone, Debug)]
pub(crate) struct TokenEntry {
    pub(crate) token: Token,
    pub(crate) token_use: Arc<TokenUse>,
}

/// A secret of a token.
#[derive(Clone, Debug)]
pub(crate) struct SecretEntry {
    pub(crate) token_id: String,
    /// When the secret ends because a newer one has replaced it.
    pub(crate) ends_at: Option<Timestamp>,
}

/// The answer to the question whose secret this is.
#[derive(Debug)]
pub(crate) enum FoundToken {
    Unknown,
    /// The token has expired, or a newer secret has replaced this one.
    Expired {
        token_id: String,
    },
    Valid(TokenEntry),
}

/// When a secret ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretEnd {
    /// The secret does not exist any more.
    Gone,
    At(Timestamp),
    Open,
}

impl TokenMap {
    pub(crate) fn find(&self, hash: &Hash, now: Timestamp) -> FoundToken {
        let secret = self.by_hash.get(hash);
        let Some(entry) = secret.and_then(|secret| self.by_id.get(&secret.token_id)) else {
            return FoundToken::Unknown;
        };
        match self.end_of(hash) {
            SecretEnd::At(end) if end <= now => FoundToken::Expired {
                token_id: entry.token.id.clone(),
            },
            SecretEnd::Gone | SecretEnd::At(_) | SecretEnd::Open => {
                FoundToken::Valid(entry.clone())
            }
        }
    }

    pub(crate) fn end_of(&self, hash: &Hash) -> SecretEnd {
        let Some(secret) = self.by_hash.get(hash) else {
            return SecretEnd::Gone;
        };
        let Some(entry) = self.by_id.get(&secret.token_id) else {
            return SecretEnd::Gone;
        };
        let ends = [secret.ends_at, entry.token.settings.expires_at];
        match ends.into_iter().flatten().min() {
            Some(end) => SecretEnd::At(end),
            None => SecretEnd::Open,
        }
    }

    /// Returns a token with the facts that change with time.
    pub(crate) fn shown(&self, id: &str, now: Timestamp) -> Option<Token> {
        let entry = self.by_id.get(id)?;
        let secrets = self.by_hash.values().filter(|secret| secret.token_id == id);
        let ends = secrets.filter_map(|secret| secret.ends_at);
        Some(Token {
            last_used_at: entry.token_use.last_used_at(),
            overlap_ends_at: ends.filter(|end| *end > now).max(),
            ..entry.token.clone()
        })
    }
}
