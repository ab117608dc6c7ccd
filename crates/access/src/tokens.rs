//! The tokens there are, and the file that keeps them.
//!
//! The file is SQLite, format 2. The table `token` holds one row per token: its id, name, scopes,
//! time of making (all as text) and the BLAKE3 hash of its secret. Since format 2 there is the table
//! `folder` too. No secret
//! is ever written. Everything is also held in memory, so a request is checked without I/O; the
//! file changes first, so what memory knows is always on stable storage.
//!
//! Making and removing a token waits for the disk; finding one never does.

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

/// What `access.db` looks like.
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

/// The tokens there are.
#[derive(Debug)]
pub struct Tokens {
    file: Mutex<Connection>,
    by_hash: watch::Sender<HashMap<Hash, Token>>,
}

impl Tokens {
    /// Opens the file at `path`, or makes it.
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

    /// Makes a token. Its secret is answered here and never again.
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

    /// Keeps a token whose secret the caller chose.
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

    /// Whether there is a token with this secret.
    pub fn contains(&self, secret: &Secret<String>) -> bool {
        self.find(&hash_of(secret.expose())).is_some()
    }

    /// Every token, oldest first.
    pub fn list(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.by_hash.borrow().values().cloned().collect();
        tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        tokens
    }

    /// Removes the token with this id; whether there was one.
    pub fn remove(&self, id: &str) -> Result<bool, TokensError> {
        let file = self.file();
        let removed = file.execute("DELETE FROM token WHERE id = ?1", [id])?;
        self.by_hash
            .send_modify(|tokens| tokens.retain(|_hash, token| token.id != id));
        Ok(removed > 0)
    }

    /// Waits until there is no token with this id.
    pub async fn removed(&self, id: &str) {
        let mut tokens = self.by_hash.subscribe();
        let gone = |tokens: &HashMap<Hash, Token>| tokens.values().all(|token| token.id != id);
        // The other end is in `self`, so the wait ends in one way only.
        drop(tokens.wait_for(gone).await);
    }

    /// Whether there is no token at all, as at the first start.
    pub fn is_empty(&self) -> bool {
        self.by_hash.borrow().is_empty()
    }

    /// The token whose secret has this hash.
    pub(crate) fn find(&self, hash: &Hash) -> Option<Token> {
        self.by_hash.borrow().get(hash).cloned()
    }

    // A panic under this lock leaves a connection that is still whole, so poison is passed over.
    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands in the file for a secret.
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
                scopes: text(row, 3)?,
                created_at: text(row, 4)?,
            };
            Ok((Hash::from_bytes(row.get(0)?), token))
        })?
        .collect()
}

/// Reads a column whose text another type explains.
fn text<T>(row: &Row<'_>, column: usize) -> Result<T, rusqlite::Error>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

/// Why the tokens could not be read or changed.
#[derive(Debug, Error)]
pub enum TokensError {
    /// The file was rejected, or cannot be opened.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// The tokens in the file cannot be read.
    #[error("read the tokens in {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A change could not be written.
    #[error("write the tokens")]
    Write {
        /// What SQLite said.
        #[from]
        source: rusqlite::Error,
    },
    /// The operating system gave no randomness to make a secret of.
    #[error("make a secret")]
    Random {
        /// What it said.
        #[from]
        source: getrandom::Error,
    },
}

#[cfg(test)]
mod tests;
