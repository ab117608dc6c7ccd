//! All tokens, in memory and in the file `access.db`.
//!
//! The file is SQLite, format 2. The table `token` has one row per token: its id, name, scopes,
//! creation time (all as text) and the BLAKE3 hash of its secret. Format 2 added the table `folder`.
//! The file never contains a secret. All rows are also in memory, so a request is checked without I/O.
//! The file changes first, so every token in memory is on stable storage.
//!
//! Creating and removing a token waits for the disk; a lookup never does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use blake3::Hash;
use easel_keys::Secret;
use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use thiserror::Error;
use tokio::sync::watch;

use crate::token::{new_id, new_secret};
use crate::{Scopes, Token};

/// The layout of `access.db`.
pub static ACCESS_LAYOUT: Layout = Layout {
    noun: "file of tokens",
    role: "access",
    application_id: 0x4561_7361, // "Easa"
    unnumbered_table: Some("token"),
    migrations: &[create_tables, create_folder_table],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |_connection| Ok(0),
};

const TABLES: &str = "
    CREATE TABLE token (
        id         TEXT PRIMARY KEY,
        name       TEXT NOT NULL,
        scopes     TEXT NOT NULL,
        created_at TEXT NOT NULL,
        hash       BLOB NOT NULL UNIQUE
    ) STRICT;";

/// All tokens.
#[derive(Debug)]
pub struct Tokens {
    file: Mutex<Connection>,
    by_hash: watch::Sender<HashMap<Hash, Token>>,
}

impl Tokens {
    /// Opens the file at `path`, or creates it.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        let file = easel_sqlite::open(path, &ACCESS_LAYOUT)?;
        let tokens = load(&file).map_err(|source| TokensError::Read {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            file: Mutex::new(file),
            by_hash: watch::Sender::new(tokens),
        })
    }

    /// Creates a token. Returns its secret, which cannot be read again.
    pub fn create(
        &self,
        name: &str,
        scopes: Scopes,
        now: Timestamp,
    ) -> Result<(Token, Secret<String>), TokensError> {
        let secret = new_secret()?;
        let token = self.add(name, scopes, &secret, now)?;
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
        let token = Token {
            id: new_id()?,
            name: name.to_owned(),
            scopes,
            created_at: now,
        };
        let hash = hash_of(secret.expose());
        let file = self.file();
        file.execute(
            "INSERT INTO token (id, name, scopes, created_at, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                token.id,
                token.name,
                scopes.to_string(),
                now.to_string(),
                hash.as_bytes().as_slice()
            ],
        )?;
        self.by_hash.send_modify(|tokens| {
            tokens.insert(hash, token.clone());
        });
        Ok(token)
    }

    /// Returns true if a token has this secret.
    pub fn has_secret(&self, secret: &Secret<String>) -> bool {
        self.find(&hash_of(secret.expose())).is_some()
    }

    /// Returns all tokens, oldest first.
    pub fn list(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.by_hash.borrow().values().cloned().collect();
        tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        tokens
    }

    /// Removes the token with this id. Returns false if it does not exist.
    pub fn remove(&self, id: &str) -> Result<bool, TokensError> {
        let file = self.file();
        let removed = file.execute("DELETE FROM token WHERE id = ?1", [id])?;
        self.by_hash
            .send_modify(|tokens| tokens.retain(|_hash, token| token.id != id));
        Ok(removed > 0)
    }

    /// Waits until no token has this id.
    pub async fn wait_until_removed(&self, id: &str) {
        let mut tokens = self.by_hash.subscribe();
        let is_removed =
            |tokens: &HashMap<Hash, Token>| tokens.values().all(|token| token.id != id);
        // `self` owns the sender, so the wait cannot fail.
        drop(tokens.wait_for(is_removed).await);
    }

    /// Returns true if no token exists, as at the first start.
    pub fn is_empty(&self) -> bool {
        self.by_hash.borrow().is_empty()
    }

    /// Returns the token whose secret has this hash.
    pub(crate) fn find(&self, hash: &Hash) -> Option<Token> {
        self.by_hash.borrow().get(hash).cloned()
    }

    // A panic under this lock leaves the connection valid, so a poisoned lock is ignored.
    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the hash that the file stores in place of a secret.
pub(crate) fn hash_of(secret: &str) -> Hash {
    blake3::hash(secret.as_bytes())
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}

fn load(file: &Connection) -> Result<HashMap<Hash, Token>, rusqlite::Error> {
    file.prepare("SELECT hash, id, name, scopes, created_at FROM token")?
        .query_map([], |row| {
            let token = Token {
                id: row.get(1)?,
                name: row.get(2)?,
                scopes: parse_column(row, 3)?,
                created_at: parse_column(row, 4)?,
            };
            Ok((Hash::from_bytes(row.get(0)?), token))
        })?
        .collect()
}

/// Parses the text of a column.
fn parse_column<T>(row: &Row<'_>, column: usize) -> Result<T, rusqlite::Error>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
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
