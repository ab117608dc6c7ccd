//! The file `state.db`: every subscription with its cursor and counts.
//!
//! SQLite, `user_version` 1, one table. Cursors are saved many at a time in one transaction.
//! Subscription ids are never reused, so that whatever refers to one later cannot mean another.

use std::path::Path;

use easel_log::Offset;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use thiserror::Error;

use crate::{Origin, Settled, Spec, State};

const FORMAT: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE subscriptions (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        name       TEXT NOT NULL UNIQUE,
        spec       TEXT NOT NULL,
        origin     TEXT NOT NULL,
        state      TEXT NOT NULL,
        reason     TEXT,
        created_at INTEGER NOT NULL, -- milliseconds since 1970
        start      INTEGER NOT NULL,
        cursor     INTEGER NOT NULL,
        delivered  INTEGER NOT NULL DEFAULT 0,
        filtered   INTEGER NOT NULL DEFAULT 0,
        expired    INTEGER NOT NULL DEFAULT 0,
        damaged    INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    PRAGMA user_version = 1;
";

/// Why subscriptions could not be read or saved.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("use the subscription store: {said}")]
    Sqlite {
        /// What it said.
        said: rusqlite::Error,
    },
    /// The file is of another version.
    #[error("use the subscription store: its format is {found}, this program knows {FORMAT}")]
    Format {
        /// The version found.
        found: i64,
    },
    /// A row is not what this program writes.
    #[error("read subscription {name} from the store: {what}")]
    Row {
        /// Whose row.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(said: rusqlite::Error) -> Self {
        Self::Sqlite { said }
    }
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
}

/// A subscription as it is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: i64,
    pub(crate) spec: Spec,
    pub(crate) origin: Origin,
    pub(crate) state: State,
    pub(crate) created_at: Timestamp,
    pub(crate) start: Offset,
    pub(crate) settled: Settled,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?,
            FORMAT => (),
            _ => return Err(StoreError::Format { found }),
        }
        Ok(Self { connection })
    }

    pub(crate) fn load(&self) -> Result<Vec<Kept>, StoreError> {
        let mut all = self
            .connection
            .prepare("SELECT * FROM subscriptions ORDER BY id")?;
        let mut rows = all.query([])?;
        let mut kept = Vec::new();
        while let Some(row) = rows.next()? {
            kept.push(Kept::read(row)?);
        }
        Ok(kept)
    }

    /// Inserts a subscription and gives it its id.
    pub(crate) fn insert(&self, kept: &mut Kept) -> Result<(), StoreError> {
        let (state, reason) = state_columns(&kept.state);
        self.connection.execute(
            "INSERT INTO subscriptions (name, spec, origin, state, reason, created_at, start, cursor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
            params![
                kept.spec.name.as_str(),
                spec_column(&kept.spec)?,
                origin_column(kept.origin),
                state,
                reason,
                kept.created_at.as_millisecond(),
                signed(kept.start.get()),
            ],
        )?;
        kept.id = self.connection.last_insert_rowid();
        Ok(())
    }

    /// Saves everything but the cursor and the counts.
    pub(crate) fn update(&self, kept: &Kept) -> Result<(), StoreError> {
        let (state, reason) = state_columns(&kept.state);
        self.connection.execute(
            "UPDATE subscriptions SET spec = ?2, origin = ?3, state = ?4, reason = ?5 WHERE id = ?1",
            params![
                kept.id,
                spec_column(&kept.spec)?,
                origin_column(kept.origin),
                state,
                reason
            ],
        )?;
        Ok(())
    }

    pub(crate) fn remove(&self, id: i64) -> Result<(), StoreError> {
        self.connection
            .execute("DELETE FROM subscriptions WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Saves cursors and counts, all or none.
    pub(crate) fn save(&mut self, all: &[(i64, Settled)]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut update = transaction.prepare_cached(
                "UPDATE subscriptions SET cursor = ?2, delivered = ?3, filtered = ?4,
                 expired = ?5, damaged = ?6 WHERE id = ?1",
            )?;
            for (id, settled) in all {
                update.execute(params![
                    id,
                    signed(settled.cursor.get()),
                    signed(settled.delivered),
                    signed(settled.filtered),
                    signed(settled.expired),
                    signed(settled.damaged),
                ])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Kept {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let name: String = row.get("name")?;
        let fault = |what: &dyn std::fmt::Display| StoreError::Row {
            name: name.clone(),
            what: what.to_string(),
        };
        let spec: String = row.get("spec")?;
        let origin: String = row.get("origin")?;
        let state: String = row.get("state")?;
        let count = |column| -> Result<u64, StoreError> {
            let number: i64 = row.get(column)?;
            u64::try_from(number).map_err(|error| fault(&error))
        };
        Ok(Self {
            id: row.get("id")?,
            spec: serde_json::from_str(&spec).map_err(|error| fault(&error))?,
            origin: match origin.as_str() {
                "file" => Origin::File,
                "api" => Origin::Api,
                other => return Err(fault(&format_args!("unknown origin {other:?}"))),
            },
            state: match state.as_str() {
                "active" => State::Active,
                "paused" => State::Paused {
                    reason: row.get("reason")?,
                },
                "deactivated" => State::Deactivated,
                other => return Err(fault(&format_args!("unknown state {other:?}"))),
            },
            created_at: Timestamp::from_millisecond(row.get("created_at")?)
                .map_err(|error| fault(&error))?,
            start: Offset::new(count("start")?),
            settled: Settled {
                cursor: Offset::new(count("cursor")?),
                delivered: count("delivered")?,
                filtered: count("filtered")?,
                expired: count("expired")?,
                damaged: count("damaged")?,
            },
        })
    }
}

fn spec_column(spec: &Spec) -> Result<String, StoreError> {
    serde_json::to_string(spec).map_err(|error| StoreError::Row {
        name: spec.name.to_string(),
        what: error.to_string(),
    })
}

const fn origin_column(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "file",
        Origin::Api => "api",
    }
}

fn state_columns(state: &State) -> (&'static str, Option<&str>) {
    match state {
        State::Active => ("active", None),
        State::Paused { reason } => ("paused", reason.as_deref()),
        State::Deactivated => ("deactivated", None),
    }
}

/// SQLite's integers are signed; no count or offset reaches the end of `i64`.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
