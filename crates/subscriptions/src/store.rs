//! The file `state.db`: every subscription with its cursor and counts.
//!
//! SQLite, format 2: the table `subscriptions` and, since format 2, `folder`. Cursors are saved many
//! at a time in one transaction, together with the head of the log that they were read beside.
//! Subscription ids are never reused, so that whatever refers to one later cannot mean another.

use std::path::Path;

use easel_log::Offset;
use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use thiserror::Error;

use crate::{Origin, Settled, Spec, State};

/// What `state.db` looks like.
pub static STATE_LAYOUT: Layout = Layout {
    noun: "file of subscriptions",
    role: "state",
    application_id: 0x4561_7373, // "Eass"
    unnumbered_table: Some("subscriptions"),
    migrations: &[create_tables, create_folder_table],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |connection| {
        let sql = "SELECT coalesce(max(max(cursor, start)), 0) FROM subscriptions";
        let seen: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(seen).unwrap_or(0))
    },
};

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
    /// The file was rejected.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
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
        let connection = easel_sqlite::open(path, &STATE_LAYOUT)?;
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

    /// Saves cursors and counts, and that the log was seen to end at `head`, all or none.
    pub(crate) fn save(&mut self, all: &[(i64, Settled)], head: Offset) -> Result<(), StoreError> {
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
        easel_sqlite::raise_seen(&transaction, head.get())?;
        transaction.commit()?;
        Ok(())
    }
}

/// Where one subscription stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The subscription's name.
    pub name: String,
    /// The next offset that it is owed.
    pub cursor: Offset,
}

/// Where each subscription in the file at `path` stands, while nobody has the file open. None, if
/// there is no file.
pub fn standings(path: &Path) -> Result<Vec<Standing>, StoreError> {
    let Some(connection) = easel_sqlite::open_at_rest(path, &STATE_LAYOUT)? else {
        return Ok(Vec::new());
    };
    let mut all = connection.prepare("SELECT name, cursor FROM subscriptions ORDER BY name")?;
    let standings = all.query_map([], |row| {
        let cursor: i64 = row.get(1)?;
        Ok(Standing {
            name: row.get(0)?,
            cursor: Offset::new(u64::try_from(cursor).unwrap_or(0)),
        })
    })?;
    Ok(standings.collect::<Result<_, _>>()?)
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)
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
