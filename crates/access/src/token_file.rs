//! The file `access.db`: SQLite, format 3.
//!
//! The table `token` has one row per token, the table `token_secret` one row per secret, with its BLAKE3 hash.
//! Times, scopes and reaches are text. Format 2 added the table `folder`. Format 3 added several secrets per
//! token, reach, expiry, last use and limits. The file never contains a secret.

use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;
use std::sync::Arc;

use blake3::Hash;
use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row, params};

use crate::token_map::{SecretEntry, TokenEntry, TokenMap};
use crate::token_use::TokenUse;
use crate::{Token, TokenLimits, TokenSettings};

/// The layout of `access.db`.
pub static ACCESS_LAYOUT: Layout = Layout {
    noun: "file of tokens",
    role: "access",
    application_id: 0x4561_7361, // "Easa"
    unnumbered_table: Some("token"),
    migrations: &[create_tables, create_folder_table, separate_secrets],
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

const SEPARATE_SECRETS: &str = "
    CREATE TABLE token_secret (
        hash     BLOB PRIMARY KEY,
        token_id TEXT NOT NULL,
        ends_at  TEXT
    ) STRICT;
    INSERT INTO token_secret SELECT hash, id, NULL FROM token;
    CREATE TABLE new_token (
        id                      TEXT PRIMARY KEY,
        name                    TEXT NOT NULL,
        scopes                  TEXT NOT NULL,
        reach                   TEXT NOT NULL,
        created_at              TEXT NOT NULL,
        expires_at              TEXT,
        last_used_at            TEXT,
        max_requests_per_second INTEGER,
        max_bytes_per_second    INTEGER
    ) STRICT;
    INSERT INTO new_token (id, name, scopes, reach, created_at)
        SELECT id, name, scopes, '*', created_at FROM token;
    DROP TABLE token;
    ALTER TABLE new_token RENAME TO token;";

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}

fn separate_secrets(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SEPARATE_SECRETS)
}

pub(crate) fn load(file: &Connection) -> rusqlite::Result<TokenMap> {
    let by_id = file
        .prepare(
            "SELECT id, name, scopes, reach, created_at, expires_at, last_used_at,
                    max_requests_per_second, max_bytes_per_second
             FROM token",
        )?
        .query_map([], |row| {
            let last_used_at = parse_optional(row, 6)?;
            let settings = TokenSettings {
                name: row.get(1)?,
                scopes: parse_column(row, 2)?,
                reach: parse_column(row, 3)?,
                expires_at: parse_optional(row, 5)?,
                limits: TokenLimits {
                    max_requests_per_second: number(row, 7)?.and_then(NonZeroU32::new),
                    max_bytes_per_second: number(row, 8)?.and_then(NonZeroU64::new),
                },
            };
            let token_use = Arc::new(TokenUse::new(settings.limits, last_used_at));
            let token = Token {
                id: row.get(0)?,
                settings,
                created_at: parse_column(row, 4)?,
                last_used_at,
                overlap_ends_at: None,
            };
            Ok((token.id.clone(), TokenEntry { token, token_use }))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let by_hash = file
        .prepare("SELECT hash, token_id, ends_at FROM token_secret")?
        .query_map([], |row| {
            let secret = SecretEntry {
                token_id: row.get(1)?,
                ends_at: parse_optional(row, 2)?,
            };
            Ok((Hash::from_bytes(row.get(0)?), secret))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(TokenMap { by_id, by_hash })
}

pub(crate) fn insert(file: &mut Connection, token: &Token, hash: &Hash) -> rusqlite::Result<()> {
    let transaction = file.transaction()?;
    let settings = &token.settings;
    transaction.execute(
        "INSERT INTO token (id, name, scopes, reach, created_at, expires_at,
                            max_requests_per_second, max_bytes_per_second)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            token.id,
            settings.name,
            settings.scopes.to_string(),
            settings.reach.to_string(),
            token.created_at.to_string(),
            text_of(settings.expires_at),
            request_limit(settings.limits),
            byte_limit(settings.limits),
        ],
    )?;
    transaction.execute(
        "INSERT INTO token_secret (hash, token_id) VALUES (?1, ?2)",
        params![hash.as_bytes().as_slice(), token.id],
    )?;
    transaction.commit()
}

/// Writes what a change of a token can change.
pub(crate) fn update(
    file: &Connection,
    id: &str,
    settings: &TokenSettings,
) -> rusqlite::Result<()> {
    file.execute(
        "UPDATE token SET name = ?2, expires_at = ?3, max_requests_per_second = ?4,
                          max_bytes_per_second = ?5
         WHERE id = ?1",
        params![
            id,
            settings.name,
            text_of(settings.expires_at),
            request_limit(settings.limits),
            byte_limit(settings.limits),
        ],
    )?;
    Ok(())
}

/// Makes `secrets` the secrets of a token.
pub(crate) fn replace_secrets(
    file: &mut Connection,
    id: &str,
    secrets: &[(Hash, Option<Timestamp>)],
) -> rusqlite::Result<()> {
    let transaction = file.transaction()?;
    transaction.execute("DELETE FROM token_secret WHERE token_id = ?1", [id])?;
    for (hash, ends_at) in secrets {
        transaction.execute(
            "INSERT INTO token_secret (hash, token_id, ends_at) VALUES (?1, ?2, ?3)",
            params![hash.as_bytes().as_slice(), id, text_of(*ends_at)],
        )?;
    }
    transaction.commit()
}

pub(crate) fn remove(file: &mut Connection, id: &str) -> rusqlite::Result<()> {
    let transaction = file.transaction()?;
    transaction.execute("DELETE FROM token_secret WHERE token_id = ?1", [id])?;
    transaction.execute("DELETE FROM token WHERE id = ?1", [id])?;
    transaction.commit()
}

pub(crate) fn save_last_uses(
    file: &mut Connection,
    uses: &[(String, Timestamp)],
) -> rusqlite::Result<()> {
    let transaction = file.transaction()?;
    for (id, last_used_at) in uses {
        transaction.execute(
            "UPDATE token SET last_used_at = ?2 WHERE id = ?1",
            params![id, last_used_at.to_string()],
        )?;
    }
    transaction.commit()
}

fn text_of(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

fn request_limit(limits: TokenLimits) -> Option<u32> {
    limits.max_requests_per_second.map(NonZeroU32::get)
}

fn byte_limit(limits: TokenLimits) -> Option<i64> {
    let limit = limits.max_bytes_per_second?;
    Some(i64::try_from(limit.get()).unwrap_or(i64::MAX))
}

fn number<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    let number: Option<i64> = row.get(column)?;
    let number = number.map(T::try_from).transpose();
    number.map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error))
    })
}

/// Parses the text of a column.
fn parse_column<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

/// Parses the text of a column that can be empty.
fn parse_optional<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    if row.get_ref(column)? == ValueRef::Null {
        return Ok(None);
    }
    parse_column(row, column).map(Some)
}
