//! The file `drift.db`: every sighting, and how far the log was looked at.
//!
//! SQLite, format 2, with the table `folder` since format 2. Sightings and progress are saved in one transaction, so a crash loses
//! both or none of what came since, and what is looked at again is counted once.

use std::path::Path;

use easel_catalog::Drift;
use easel_log::Offset;
use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use thiserror::Error;
use uuid::Uuid;

use crate::drift_record::{DriftKey, DriftRecord, Example};
use crate::drift_records::{DriftRecords, ScanProgress, Unsaved};

/// What `drift.db` looks like. A power failure may take back what can be looked at again.
pub static DRIFT_LAYOUT: Layout = Layout {
    noun: "file of drift",
    role: "drift",
    application_id: 0x4561_7364, // "Easd"
    unnumbered_table: Some("sightings"),
    migrations: &[create_tables, create_folder_table],
    durability: Durability::Normal,
    checkpoints: Checkpoints::Automatic,
    seen: |connection| {
        let sql = "SELECT coalesce(max(value), 0) FROM progress WHERE name = ?1";
        let cursor: i64 = connection.query_row(sql, [CURSOR], |row| row.get(0))?;
        Ok(u64::try_from(cursor).unwrap_or(0))
    },
};

const SCHEMA: &str = "
    CREATE TABLE sightings (
        root_account TEXT NOT NULL, -- empty when the events tell none
        event_type   TEXT NOT NULL,
        drift        TEXT NOT NULL,
        path         TEXT NOT NULL,
        which        TEXT NOT NULL, -- what came, where different things are told apart
        declared     TEXT,
        found        TEXT NOT NULL,
        first_seen   INTEGER NOT NULL, -- milliseconds since 1970
        last_seen    INTEGER NOT NULL,
        count        INTEGER NOT NULL,
        offset       INTEGER NOT NULL, -- of the example, like the two below
        id           BLOB NOT NULL,
        value        TEXT NOT NULL,
        PRIMARY KEY (root_account, event_type, drift, path, which)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE progress (
        name  TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

const CURSOR: &str = "cursor";
const MISSED: &str = "missed";

/// The open file.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
}

/// Why sightings could not be read or saved.
#[derive(Debug, Error)]
pub enum DriftStoreError {
    /// SQLite said no.
    #[error("use the drift store: {said}")]
    Sqlite {
        /// What it said.
        said: rusqlite::Error,
    },
    /// The file was rejected.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// A row is not what this program writes.
    #[error("read the drift store: {what}")]
    Row {
        /// What is wrong with it.
        what: String,
    },
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, DriftStoreError> {
        let connection = easel_sqlite::open(path, &DRIFT_LAYOUT)?;
        Ok(Self { connection })
    }

    pub(crate) fn load(&self) -> Result<DriftRecords, DriftStoreError> {
        let mut progress = ScanProgress::default();
        let mut numbers = self
            .connection
            .prepare("SELECT name, value FROM progress")?;
        let mut rows = numbers.query([])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, u64) = (row.get(0)?, unsigned(row, "value")?);
            match name.as_str() {
                CURSOR => progress.cursor = Offset::new(value),
                MISSED => progress.missed = value,
                _ => progress.untold.add_many(drift(&name)?, value),
            }
        }
        let mut sightings = self.connection.prepare("SELECT * FROM sightings")?;
        let mut rows = sightings.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(DriftRecords::new(all, progress))
    }

    /// Saves what changed.
    pub(crate) fn save(&mut self, unsaved: &Unsaved) -> Result<(), DriftStoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut sighting = transaction.prepare_cached(
                "INSERT OR REPLACE INTO sightings
                 (root_account, event_type, drift, path, which, declared, found, first_seen,
                  last_seen, count, offset, id, value)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?;
            for it in &unsaved.sightings {
                sighting.execute(params![
                    it.key.root_account,
                    it.key.event_type,
                    it.key.drift.code(),
                    it.key.path,
                    it.key.which,
                    it.declared,
                    it.found,
                    it.first_seen.as_millisecond(),
                    it.last_seen.as_millisecond(),
                    signed(it.count),
                    signed(it.example.offset.get()),
                    it.example.id.as_bytes(),
                    it.example.value,
                ])?;
            }
        }
        save_progress(&transaction, unsaved.progress)?;
        transaction.commit()?;
        Ok(())
    }

    /// Removes every sighting, and saves how far the log was looked at.
    pub(crate) fn clear(&mut self, progress: ScanProgress) -> Result<(), DriftStoreError> {
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM sightings", [])?;
        save_progress(&transaction, progress)?;
        transaction.commit()?;
        Ok(())
    }
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)
}

fn save_progress(
    transaction: &Transaction<'_>,
    progress: ScanProgress,
) -> Result<(), DriftStoreError> {
    let ScanProgress {
        cursor,
        missed,
        untold,
    } = progress;
    let mut number = transaction
        .prepare_cached("INSERT OR REPLACE INTO progress (name, value) VALUES (?1, ?2)")?;
    number.execute(params![CURSOR, signed(cursor.get())])?;
    number.execute(params![MISSED, signed(missed)])?;
    for (drift, count) in untold.each() {
        number.execute(params![drift.code(), signed(count)])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<DriftRecord, DriftStoreError> {
    let time = |column| -> Result<Timestamp, DriftStoreError> {
        let millisecond = row.get(column)?;
        Timestamp::from_millisecond(millisecond).map_err(|error| DriftStoreError::Row {
            what: error.to_string(),
        })
    };
    let kind: String = row.get("drift")?;
    let id: [u8; 16] = row.get("id")?;
    Ok(DriftRecord {
        key: DriftKey {
            root_account: row.get("root_account")?,
            event_type: row.get("event_type")?,
            drift: drift(&kind)?,
            path: row.get("path")?,
            which: row.get("which")?,
        },
        declared: row.get("declared")?,
        found: row.get("found")?,
        first_seen: time("first_seen")?,
        last_seen: time("last_seen")?,
        count: unsigned(row, "count")?,
        example: Example {
            offset: Offset::new(unsigned(row, "offset")?),
            id: Uuid::from_bytes(id),
            value: row.get("value")?,
        },
        is_unsaved: false,
    })
}

fn drift(code: &str) -> Result<Drift, DriftStoreError> {
    let known = Drift::ALL.iter().find(|it| it.code() == code);
    known.copied().ok_or_else(|| DriftStoreError::Row {
        what: format!("unknown drift {code:?}"),
    })
}

fn unsigned(row: &Row<'_>, column: &str) -> Result<u64, DriftStoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| DriftStoreError::Row {
        what: error.to_string(),
    })
}

/// SQLite's integers are signed; no count or offset reaches the end of `i64`.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<rusqlite::Error> for DriftStoreError {
    fn from(said: rusqlite::Error) -> Self {
        Self::Sqlite { said }
    }
}
