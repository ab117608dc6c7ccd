//! The file `drift.db`: all drift records, and how far the log was scanned.
//!
//! SQLite, format 2. Format 2 added the table `folder`. Records and progress are saved in one
//! transaction. So a crash loses either both or neither, and a repeated scan counts each finding once.

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

/// The layout of `drift.db`. A power failure may undo the latest saves. In this case the scanner scans the
/// events again.
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

/// An error while reading or saving drift records.
#[derive(Debug, Error)]
pub enum DriftStoreError {
    /// SQLite failed.
    #[error("use the drift store: {cause}")]
    Sqlite {
        /// The error of SQLite.
        cause: rusqlite::Error,
    },
    /// The file was rejected.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// A row is invalid.
    #[error("read the drift store: {reason}")]
    Row {
        /// Why the row is invalid.
        reason: String,
    },
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, DriftStoreError> {
        let connection = easel_sqlite::open(path, &DRIFT_LAYOUT)?;
        Ok(Self { connection })
    }

    pub(crate) fn load(&self) -> Result<DriftRecords, DriftStoreError> {
        let mut progress = ScanProgress::default();
        let mut select_progress = self
            .connection
            .prepare("SELECT name, value FROM progress")?;
        let mut rows = select_progress.query([])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, u64) = (row.get(0)?, unsigned(row, "value")?);
            match name.as_str() {
                CURSOR => progress.cursor = Offset::new(value),
                MISSED => progress.missed = value,
                _ => progress.dropped.add_many(parse_drift(&name)?, value),
            }
        }
        let mut select_records = self.connection.prepare("SELECT * FROM sightings")?;
        let mut rows = select_records.query([])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(record_from(row)?);
        }
        Ok(DriftRecords::new(records, progress))
    }

    /// Saves the changes in one transaction.
    pub(crate) fn save(&mut self, unsaved: &Unsaved) -> Result<(), DriftStoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO sightings
                 (root_account, event_type, drift, path, which, declared, found, first_seen,
                  last_seen, count, offset, id, value)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?;
            for record in &unsaved.records {
                insert.execute(params![
                    record.key.root_account,
                    record.key.event_type,
                    record.key.drift.code(),
                    record.key.path,
                    record.key.which,
                    record.declared,
                    record.found,
                    record.first_seen.as_millisecond(),
                    record.last_seen.as_millisecond(),
                    signed(record.count),
                    signed(record.example.offset.get()),
                    record.example.id.as_bytes(),
                    record.example.value,
                ])?;
            }
        }
        save_progress(&transaction, unsaved.progress)?;
        transaction.commit()?;
        Ok(())
    }

    /// Removes the records of one root account.
    pub(crate) fn clear_of(&mut self, root_account: &str) -> Result<(), DriftStoreError> {
        let sql = "DELETE FROM sightings WHERE root_account = ?1";
        self.connection.execute(sql, [root_account])?;
        Ok(())
    }

    /// Removes all drift records, and saves the progress.
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
        dropped,
    } = progress;
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO progress (name, value) VALUES (?1, ?2)")?;
    insert.execute(params![CURSOR, signed(cursor.get())])?;
    insert.execute(params![MISSED, signed(missed)])?;
    for (drift, count) in dropped.each() {
        insert.execute(params![drift.code(), signed(count)])?;
    }
    Ok(())
}

fn record_from(row: &Row<'_>) -> Result<DriftRecord, DriftStoreError> {
    let time = |column| -> Result<Timestamp, DriftStoreError> {
        let millisecond = row.get(column)?;
        Timestamp::from_millisecond(millisecond).map_err(|error| DriftStoreError::Row {
            reason: error.to_string(),
        })
    };
    let code: String = row.get("drift")?;
    let id: [u8; 16] = row.get("id")?;
    Ok(DriftRecord {
        key: DriftKey {
            root_account: row.get("root_account")?,
            event_type: row.get("event_type")?,
            drift: parse_drift(&code)?,
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

fn parse_drift(code: &str) -> Result<Drift, DriftStoreError> {
    let drift = Drift::ALL.iter().find(|drift| drift.code() == code);
    drift.copied().ok_or_else(|| DriftStoreError::Row {
        reason: format!("unknown drift {code:?}"),
    })
}

fn unsigned(row: &Row<'_>, column: &str) -> Result<u64, DriftStoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| DriftStoreError::Row {
        reason: error.to_string(),
    })
}

/// Converts to SQLite's signed integers. No count or offset reaches `i64::MAX`.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<rusqlite::Error> for DriftStoreError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite { cause }
    }
}
