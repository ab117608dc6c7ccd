//! The file `sources.db`: the sources that the API made, which sources are paused, the last keys of each
//! source and its health, and how far files were imported.
//!
//! SQLite, format 2:
//!
//! - `sources`: one row for each source that the API made. `spec` is its JSON without secrets, for people;
//!   `sealed` is the whole JSON, encrypted.
//! - `states`: one row for each paused source, also for those of the settings file.
//! - `facts`: for each source its health (JSON) and the last good set of keys, so that a start without a
//!   network can verify signatures.
//! - `imports` (format 2): one row for each imported file. `import_store.rs` reads and writes it.

use std::collections::BTreeSet;
use std::path::Path;

use easel_keys::{SealedPlace, Sealer, Secret};
use easel_sqlite::{Checkpoints, Durability, Layout, create_folder_table};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use crate::import_table::{create_imports, imports_seen};
use crate::{SourceJson, SourceName, SourceSpec};

/// The layout of `sources.db`.
pub static SOURCES_LAYOUT: Layout = Layout {
    noun: "file of sources",
    role: "sources",
    application_id: 0x4561_736f, // "Easo"
    unnumbered_table: None,
    migrations: &[create_tables, create_imports],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: imports_seen,
};

const TABLES: &str = "
    CREATE TABLE sources (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        name     TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        spec     TEXT NOT NULL,
        sealed   BLOB NOT NULL
    ) STRICT;
    CREATE TABLE states (
        name   TEXT PRIMARY KEY,
        reason TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (
        name            TEXT PRIMARY KEY,
        health          TEXT,
        jwks_url        TEXT,
        jwks            BLOB,
        jwks_fetched_at INTEGER -- milliseconds since 1970
    ) STRICT, WITHOUT ROWID;
";

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    create_folder_table(connection)
}

/// The open file.
#[derive(Debug)]
pub(crate) struct SourceStore {
    connection: Connection,
}

/// A stored source.
#[derive(Debug)]
pub(crate) struct StoredSource {
    pub(crate) revision: u64,
    pub(crate) spec: SourceSpec,
}

/// The last good keys of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKeys {
    pub(crate) url: String,
    pub(crate) jwks: Vec<u8>,
    pub(crate) fetched_at: Timestamp,
}

/// An error of the file of sources.
#[derive(Debug, Error)]
pub enum SourceStoreError {
    /// SQLite failed.
    #[error("use the file of sources")]
    Sqlite {
        /// The error of SQLite.
        #[from]
        source: rusqlite::Error,
    },
    /// The file was rejected.
    #[error(transparent)]
    Open(#[from] easel_sqlite::OpenError),
    /// A row is invalid.
    #[error("read the source {name:?}: {reason}")]
    Row {
        /// The name of the source.
        name: String,
        /// Why the row is invalid.
        reason: String,
    },
}

impl SourceStore {
    pub(crate) fn open(path: &Path) -> Result<Self, SourceStoreError> {
        let connection = easel_sqlite::open(path, &SOURCES_LAYOUT)?;
        Ok(Self { connection })
    }

    /// Reads all sources that the API made.
    pub(crate) fn load(&self, sealer: &Sealer) -> Result<Vec<StoredSource>, SourceStoreError> {
        let rows = sealed_rows(&self.connection)?.into_iter();
        let opened = rows.map(|row| {
            Ok(StoredSource {
                revision: row.revision.unsigned_abs(),
                spec: row.open(sealer)?,
            })
        });
        opened.collect()
    }

    /// Saves a source with its next revision, and returns this revision.
    pub(crate) fn save(
        &mut self,
        sealer: &Sealer,
        spec: &SourceSpec,
    ) -> Result<u64, SourceStoreError> {
        let transaction = self.connection.transaction()?;
        let name = spec.name.as_str();
        let sql = "SELECT id, revision FROM sources WHERE name = ?1";
        let found: Option<(i64, i64)> = transaction
            .query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (id, revision) = match found {
            Some((id, revision)) => (id, revision + 1),
            None => {
                let sql =
                    "INSERT INTO sources (name, revision, spec, sealed) VALUES (?1, 1, '', x'')";
                transaction.execute(sql, [name])?;
                (transaction.last_insert_rowid(), 1)
            }
        };
        let fault = |reason: String| SourceStoreError::Row {
            name: name.to_owned(),
            reason,
        };
        let with_secrets = serde_json::to_vec(&SourceJson::with_secrets(spec));
        let with_secrets = Secret::new(with_secrets.map_err(|error| fault(error.to_string()))?);
        let shown = serde_json::to_string(&SourceJson::without_secrets(spec));
        let shown = shown.map_err(|error| fault(error.to_string()))?;
        let row = id.to_string();
        let sealed = sealer.seal(place(&row, revision), with_secrets.expose());
        let sealed = sealed.map_err(|error| fault(error.to_string()))?;
        transaction.execute(
            "UPDATE sources SET revision = ?2, spec = ?3, sealed = ?4 WHERE id = ?1",
            params![id, revision, shown, sealed],
        )?;
        transaction.commit()?;
        Ok(revision.unsigned_abs())
    }

    /// Removes a source with everything that is stored about it.
    pub(crate) fn remove(&mut self, name: &SourceName) -> Result<(), SourceStoreError> {
        let transaction = self.connection.transaction()?;
        for table in ["sources", "states", "facts"] {
            let sql = format!("DELETE FROM {table} WHERE name = ?1");
            transaction.execute(&sql, [name.as_str()])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Returns the paused sources with the reason, if there is one.
    pub(crate) fn paused(&self) -> Result<Vec<(String, Option<String>)>, SourceStoreError> {
        let mut statement = self.connection.prepare("SELECT name, reason FROM states")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn pause(&self, name: &SourceName) -> Result<(), SourceStoreError> {
        let sql = "INSERT OR REPLACE INTO states (name, reason) VALUES (?1, NULL)";
        self.connection.execute(sql, [name.as_str()])?;
        Ok(())
    }

    pub(crate) fn resume(&self, name: &SourceName) -> Result<(), SourceStoreError> {
        let sql = "DELETE FROM states WHERE name = ?1";
        self.connection.execute(sql, [name.as_str()])?;
        Ok(())
    }

    pub(crate) fn health(&self, name: &SourceName) -> Result<Option<String>, SourceStoreError> {
        let sql = "SELECT health FROM facts WHERE name = ?1";
        let found = self
            .connection
            .query_row(sql, [name.as_str()], |row| row.get(0))
            .optional()?;
        Ok(found.flatten())
    }

    /// Saves the health of several sources in one transaction.
    pub(crate) fn save_health(
        &mut self,
        all: &[(SourceName, String)],
    ) -> Result<(), SourceStoreError> {
        let transaction = self.connection.transaction()?;
        for (name, health) in all {
            transaction.execute(
                "INSERT INTO facts (name, health) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET health = ?2",
                params![name.as_str(), health],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    pub(crate) fn keys(&self, name: &SourceName) -> Result<Option<StoredKeys>, SourceStoreError> {
        let sql = "SELECT jwks_url, jwks, jwks_fetched_at FROM facts
                   WHERE name = ?1 AND jwks IS NOT NULL";
        let found = self.connection.query_row(sql, [name.as_str()], |row| {
            let fetched_at: i64 = row.get(2)?;
            Ok(StoredKeys {
                url: row.get(0)?,
                jwks: row.get(1)?,
                fetched_at: Timestamp::from_millisecond(fetched_at).unwrap_or_default(),
            })
        });
        Ok(found.optional()?)
    }

    pub(crate) fn save_keys(
        &self,
        name: &SourceName,
        keys: &StoredKeys,
    ) -> Result<(), SourceStoreError> {
        self.connection.execute(
            "INSERT INTO facts (name, jwks_url, jwks, jwks_fetched_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET jwks_url = ?2, jwks = ?3, jwks_fetched_at = ?4",
            params![
                name.as_str(),
                keys.url,
                keys.jwks,
                keys.fetched_at.as_millisecond()
            ],
        )?;
        Ok(())
    }

    /// Returns the ids of the data keys that sealed the sources in a file that no process has open.
    pub(crate) fn sealing_keys(path: &Path) -> Result<BTreeSet<u32>, SourceStoreError> {
        let Some(connection) = easel_sqlite::open_at_rest(path, &SOURCES_LAYOUT)? else {
            return Ok(BTreeSet::new());
        };
        let mut statement = connection.prepare("SELECT sealed FROM sources")?;
        let sealed = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
        let ids = sealed.iter().filter_map(|bytes| Sealer::data_key_of(bytes));
        Ok(ids.collect())
    }

    /// Seals those sources again that an older data key sealed. Returns their number.
    pub(crate) fn reseal(&mut self, sealer: &Sealer) -> Result<usize, SourceStoreError> {
        let transaction = self.connection.transaction()?;
        let mut count = 0;
        for row in sealed_rows(&transaction)? {
            if sealer.is_current(&row.sealed) {
                continue;
            }
            let id = row.id.to_string();
            let place = place(&id, row.revision);
            let opened = sealer.open(place, &row.sealed);
            let sealed = opened.and_then(|opened| sealer.seal(place, opened.expose()));
            let sealed = sealed.map_err(|error| row.fault(error.to_string()))?;
            let sql = "UPDATE sources SET sealed = ?2 WHERE id = ?1";
            transaction.execute(sql, params![row.id, sealed])?;
            count += 1;
        }
        transaction.commit()?;
        Ok(count)
    }

    /// Returns the names of sources whose secrets cannot be opened.
    pub(crate) fn lost(&self, sealer: &Sealer) -> Result<Vec<String>, SourceStoreError> {
        let rows = sealed_rows(&self.connection)?.into_iter();
        let lost = rows.filter(|row| row.open(sealer).is_err());
        Ok(lost.map(|row| row.name).collect())
    }

    /// Removes the sources whose secrets cannot be opened. Returns their names.
    pub(crate) fn forget_lost(&mut self, sealer: &Sealer) -> Result<Vec<String>, SourceStoreError> {
        let lost = self.lost(sealer)?;
        for name in &lost {
            let sql = "DELETE FROM sources WHERE name = ?1";
            self.connection.execute(sql, [name])?;
        }
        Ok(lost)
    }
}

/// A row of the table `sources`.
struct SealedRow {
    id: i64,
    name: String,
    revision: i64,
    sealed: Vec<u8>,
}

impl SealedRow {
    fn open(&self, sealer: &Sealer) -> Result<SourceSpec, SourceStoreError> {
        let id = self.id.to_string();
        let opened = sealer.open(place(&id, self.revision), &self.sealed);
        let opened = opened.map_err(|error| self.fault(error.to_string()))?;
        serde_json::from_slice(opened.expose()).map_err(|error| self.fault(error.to_string()))
    }

    fn fault(&self, reason: String) -> SourceStoreError {
        SourceStoreError::Row {
            name: self.name.clone(),
            reason,
        }
    }
}

fn sealed_rows(connection: &Connection) -> Result<Vec<SealedRow>, SourceStoreError> {
    let sql = "SELECT id, name, revision, sealed FROM sources ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(SealedRow {
            id: row.get(0)?,
            name: row.get(1)?,
            revision: row.get(2)?,
            sealed: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const fn place(row: &str, revision: i64) -> SealedPlace<'_> {
    SealedPlace {
        table: "sources.db/sources",
        row,
        version: revision.unsigned_abs(),
    }
}
