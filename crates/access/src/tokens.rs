//! All tokens, in memory and in the file `access.db`.
//!
//! A request is checked in memory. The file changes first, so every token in memory is on stable storage. Only
//! the times of the last uses are in memory first; [`Tokens::save_last_uses`] writes them now and then.
//!
//! Changes wait for the disk; a lookup never does. A caller changes and sees only the tokens that its reach
//! includes. To the caller, any other token is one that does not exist.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blake3::Hash;
use easel_catalog::Reach;
use easel_keys::Secret;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::token::{new_id, new_secret};
use crate::token_file::{self, ACCESS_LAYOUT};
use crate::token_map::{FoundToken, SecretEnd, SecretEntry, TokenEntry, TokenMap};
use crate::token_use::TokenUse;
use crate::validity::Validity;
use crate::{Caller, Scopes, Token, TokenChange, TokenSettings};

/// The most secrets of one token that work at the same time.
const MAX_SECRETS: usize = 16;

/// How long the hash of a secret is kept after the secret was replaced, so that its owner learns why it is
/// refused.
const MEMORY_OF_REPLACED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest sleep until an end, because the clock of the machine can be set meanwhile.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// Reads the time.
pub type ReadTime = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// All tokens.
pub struct Tokens {
    file: Mutex<Connection>,
    map: watch::Sender<TokenMap>,
    now: ReadTime,
}

impl Tokens {
    /// Opens the file at `path`, or creates it.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        let file = easel_sqlite::open(path, &ACCESS_LAYOUT)?;
        let map = token_file::load(&file).map_err(|source| TokensError::Read {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            file: Mutex::new(file),
            map: watch::Sender::new(map),
            now: Arc::new(Timestamp::now),
        })
    }

    /// Uses another clock than that of the system.
    #[must_use]
    pub fn with_clock(self, now: ReadTime) -> Self {
        Self { now, ..self }
    }

    /// Creates a token that reaches everything, does not expire and has no limits. Returns its secret, which
    /// cannot be read again.
    pub fn create(
        &self,
        name: &str,
        scopes: Scopes,
        now: Timestamp,
    ) -> Result<(Token, Secret<String>), TokensError> {
        self.create_with(TokenSettings::new(name, scopes), now)
    }

    /// Creates a token. Returns its secret, which cannot be read again.
    pub fn create_with(
        &self,
        settings: TokenSettings,
        now: Timestamp,
    ) -> Result<(Token, Secret<String>), TokensError> {
        let secret = new_secret()?;
        let token = self.insert(settings, &secret, now)?;
        Ok((token, secret))
    }

    /// Adds a token whose secret the caller chose.
    pub fn add(
        &self,
        name: &str,
        scopes: Scopes,
        secret: &Secret<String>,
        now: Timestamp,
    ) -> Result<Token, TokensError> {
        self.insert(TokenSettings::new(name, scopes), secret, now)
    }

    fn insert(
        &self,
        settings: TokenSettings,
        secret: &Secret<String>,
        now: Timestamp,
    ) -> Result<Token, TokensError> {
        let token_use = Arc::new(TokenUse::new(settings.limits, None));
        let token = Token {
            id: new_id()?,
            settings,
            created_at: now,
            last_used_at: None,
            overlap_ends_at: None,
        };
        let hash = hash_of(secret.expose());
        let mut file = self.file();
        token_file::insert(&mut file, &token, &hash)?;
        self.map.send_modify(|map| {
            let (id, token) = (token.id.clone(), token.clone());
            map.by_id
                .insert(id.clone(), TokenEntry { token, token_use });
            let secret = SecretEntry {
                token_id: id,
                ends_at: None,
            };
            map.by_hash.insert(hash, secret);
        });
        Ok(token)
    }

    /// Returns true if a token has this secret.
    pub fn has_secret(&self, secret: &Secret<String>) -> bool {
        let hash = hash_of(secret.expose());
        self.map.borrow().by_hash.contains_key(&hash)
    }

    /// Returns the tokens that `reach` includes, oldest first.
    pub fn list(&self, reach: &Reach) -> Vec<Token> {
        let (map, now) = (self.map.borrow(), (self.now)());
        let entries = map.by_id.values();
        let seen = entries.filter(|entry| reach.includes(&entry.token.settings.reach));
        let mut tokens: Vec<Token> = seen
            .filter_map(|entry| map.shown(&entry.token.id, now))
            .collect();
        tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        tokens
    }

    /// Changes a token. `None` if `reach` includes no token with this id.
    pub fn change(
        &self,
        id: &str,
        reach: &Reach,
        change: TokenChange,
    ) -> Result<Option<Token>, TokensError> {
        let file = self.file();
        let Some(entry) = self.entry(id, reach) else {
            return Ok(None);
        };
        let mut settings = entry.token.settings;
        change.apply(&mut settings);
        token_file::update(&file, id, &settings)?;
        entry.token_use.meter.set_limits(settings.limits);
        self.map.send_modify(|map| {
            if let Some(entry) = map.by_id.get_mut(id) {
                entry.token.settings = settings;
            }
        });
        Ok(self.map.borrow().shown(id, (self.now)()))
    }

    /// Gives a token a new secret. The secrets that it has work until `overlap` is over. `None` if `reach`
    /// includes no token with this id.
    pub fn rotate(
        &self,
        id: &str,
        reach: &Reach,
        overlap: Duration,
    ) -> Result<Option<(Token, Secret<String>)>, TokensError> {
        let secret = new_secret()?;
        let mut file = self.file();
        if self.entry(id, reach).is_none() {
            return Ok(None);
        }
        let now = (self.now)();
        let end = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        let mut secrets = Vec::new();
        let mut working_count = 1;
        for (hash, old) in &self.map.borrow().by_hash {
            let ends_at = old.ends_at.map_or(end, |old| std::cmp::min(old, end));
            let is_remembered = now.duration_since(ends_at) < MEMORY_OF_REPLACED;
            if old.token_id == id && is_remembered {
                secrets.push((*hash, Some(ends_at)));
                working_count += usize::from(ends_at > now);
            }
        }
        if working_count > MAX_SECRETS {
            return Err(TokensError::TooManySecrets { max: MAX_SECRETS });
        }
        secrets.push((hash_of(secret.expose()), None));
        token_file::replace_secrets(&mut file, id, &secrets)?;
        self.map.send_modify(|map| {
            map.by_hash.retain(|_hash, secret| secret.token_id != id);
            let secrets = secrets.into_iter().map(|(hash, ends_at)| {
                let token_id = id.to_owned();
                (hash, SecretEntry { token_id, ends_at })
            });
            map.by_hash.extend(secrets);
        });
        let token = self.map.borrow().shown(id, now);
        Ok(token.map(|token| (token, secret)))
    }

    /// Removes a token. Returns false if `reach` includes no token with this id.
    pub fn remove(&self, id: &str, reach: &Reach) -> Result<bool, TokensError> {
        let mut file = self.file();
        if self.entry(id, reach).is_none() {
            return Ok(false);
        }
        token_file::remove(&mut file, id)?;
        self.map.send_modify(|map| {
            map.by_id.remove(id);
            map.by_hash.retain(|_hash, secret| secret.token_id != id);
        });
        Ok(true)
    }

    /// Writes the times of last uses that the file does not have.
    pub fn save_last_uses(&self) -> Result<(), TokensError> {
        let mut file = self.file();
        let unsaved: Vec<_> = {
            let map = self.map.borrow();
            let entries = map.by_id.values().filter_map(|entry| {
                let last = entry.token_use.unsaved()?;
                Some((entry.token.id.clone(), last, Arc::clone(&entry.token_use)))
            });
            entries.collect()
        };
        if unsaved.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = unsaved
            .iter()
            .map(|(id, last, _use)| (id.clone(), *last))
            .collect();
        token_file::save_last_uses(&mut file, &rows)?;
        for (_id, last, token_use) in unsaved {
            token_use.mark_saved(last);
        }
        Ok(())
    }

    /// Waits until the token of a caller ends: because it was removed, because it expired, or because a newer
    /// secret has replaced the one of the caller.
    pub async fn wait_for_end(&self, caller: &Caller) {
        match caller.validity {
            Validity::Unlimited => std::future::pending().await,
            Validity::Until(end) => self.sleep_until(end).await,
            Validity::Secret(hash) => self.wait_for_end_of(&hash).await,
        }
    }

    async fn wait_for_end_of(&self, hash: &Hash) {
        let mut map = self.map.subscribe();
        loop {
            let end = map.borrow_and_update().end_of(hash);
            // `self` owns the sender, so the wait for a change cannot fail.
            match end {
                SecretEnd::Gone => return,
                SecretEnd::Open => drop(map.changed().await),
                SecretEnd::At(end) => tokio::select! {
                    changed = map.changed() => drop(changed),
                    () = self.sleep_until(end) => return,
                },
            }
        }
    }

    async fn sleep_until(&self, end: Timestamp) {
        loop {
            match Duration::try_from(end.duration_since((self.now)())) {
                Ok(left) if left > Duration::ZERO => sleep(std::cmp::min(left, MAX_SLEEP)).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Returns true if no token exists, as at the first start.
    pub fn is_empty(&self) -> bool {
        self.map.borrow().by_id.is_empty()
    }

    /// Returns the token whose secret has this hash, and notes its use.
    pub(crate) fn find(&self, hash: &Hash) -> FoundToken {
        let now = (self.now)();
        let found = self.map.borrow().find(hash, now);
        if let FoundToken::Valid(entry) = &found {
            entry.token_use.note(now);
        }
        found
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn entry(&self, id: &str, reach: &Reach) -> Option<TokenEntry> {
        let map = self.map.borrow();
        let entry = map.by_id.get(id)?;
        let is_seen = reach.includes(&entry.token.settings.reach);
        is_seen.then(|| entry.clone())
    }

    // A panic under this lock leaves the connection valid, so a poisoned lock is ignored.
    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Returns the hash that the file stores in place of a secret.
pub(crate) fn hash_of(secret: &str) -> Hash {
    blake3::hash(secret.as_bytes())
}

/// Why tokens could not be read or changed.
#[derive(Debug, Error)]
pub enum TokensError {
    /// The file is invalid or cannot be opened.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// The tokens in the file cannot be read.
    #[error("read the tokens in {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// A change could not be written.
    #[error("write the tokens")]
    Write {
        /// The error of SQLite.
        #[from]
        source: rusqlite::Error,
    },
    /// Too many secrets of one token would work at the same time.
    #[error("rotate the token: {max} secrets of a token can work at the same time")]
    TooManySecrets {
        /// The most secrets.
        max: usize,
    },
    /// The operating system returned no random bytes for a secret.
    #[error("generate a secret")]
    Random {
        /// The error of the operating system.
        #[from]
        source: getrandom::Error,
    },
}

#[cfg(test)]
mod tests;
