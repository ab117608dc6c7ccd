//! The file `audit.db`: the entries, the sealed key of their chain, and the settings that were seen last.
//!
//! SQLite, format 1:
//!
//! - `entries`: one row for each entry. `stored_entry.rs` says what its MAC covers. `commit_first` is the
//!   number of the first entry that was committed together with the row;
//! - `chain_key`, one row: the key, sealed by a data key;
//! - `settings`: for each setting that was declared last and each of its members, an HMAC of the value, so that
//!   a later start can say what changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use easel_keys::{SealError, Sealer};
use easel_sqlite::{Checkpoints, Durability, Layout, OpenError, create_folder_table};
use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;

use crate::audit_head::{AUDIT_HEAD, AuditHead};
use crate::chain_key::ChainKey;
use crate::stored_entry::{COLUMNS, StoredEntry};

/// The layout of `audit.db`.
pub static AUDIT_LAYOUT: Layout = Layout {
    noun: "audit",
    role: "audit",
    application_id: 0x4561_7375, // "Easu"
    unnumbered_table: None,
    migrations: &[create_tables],
    durability: Durability::Full,
    checkpoints: Checkpoints::Automatic,
    seen: |_connection| Ok(0),
};

const TABLES: &str = "
    CREATE TABLE entries (
        number       INTEGER PRIMARY KEY,
        commit_first INTEGER NOT NULL,
        at           INTEGER NOT NULL, -- microseconds since 1970
        actor        TEXT NOT NULL,
        address      TEXT NOT NULL,
        reach        TEXT NOT NULL,
        action       TEXT NOT NULL,
        object       TEXT NOT NULL,
        details      TEXT NOT NULL,
        previous     BLOB NOT NULL,
        mac          BLOB NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_time ON entries (at);
    CREATE INDEX entries_by_reach ON entries (reach, number);
    CREATE TABLE chain_key (
        id     INTEGER PRIMARY KEY CHECK (id = 1),
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE settings (
        kind        TEXT NOT NULL,
        name        TEXT NOT NULL,
        member      TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        PRIMARY KEY (kind, name, member)
    ) STRICT, WITHOUT ROWID;";

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    create_folder_table(connection)
}

/// Why the audit cannot be used.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file was rejected.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite failed.
    #[error("use the audit")]
    Sqlite(#[from] rusqlite::Error),
    /// The head file cannot be read or written.
    #[error("use {}", .path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
    /// The key of the chain cannot be opened or sealed.
    #[error("use the key of the audit: {0}")]
    Key(#[from] SealError),
    /// The audit has entries, but no key.
    #[error("use the key of the audit: the file has no key")]
    NoKey,
    /// The operating system returned no random bytes.
    #[error("generate the key of the audit")]
    Random(#[from] getrandom::Error),
    /// An entry cannot be written.
    #[error("write the audit; see the log for the cause")]
    Write,
    /// The thread that writes could not be started.
    #[error("start the thread that writes the audit")]
    Thread(#[source] std::io::Error),
}

impl AuditError {
    /// Returns true if the key of the audit is lost, so that only a new audit can be written.
    pub const fn is_lost_key(&self) -> bool {
        matches!(self, Self::Key(_) | Self::NoKey)
    }
}

/// A member of a declared setting, as it was last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingRow {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) member: String,
    /// The HMAC of the value.
    pub(crate) fingerprint: Vec<u8>,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct AuditStore {
    connection: Connection,
}

impl AuditStore {
    pub(crate) fn open(path: &Path) -> Result<Self, AuditError> {
        let connection = easel_sqlite::open(path, &AUDIT_LAYOUT)?;
        Ok(Self { connection })
    }

    /// Opens a file that no process writes to. Returns `None` if it is missing.
    pub(crate) fn open_at_rest(path: &Path) -> Result<Option<Self>, AuditError> {
        let connection = easel_sqlite::open_at_rest(path, &AUDIT_LAYOUT)?;
        Ok(connection.map(|connection| Self { connection }))
    }

    /// Returns the key of the chain; `None` in a new file.
    pub(crate) fn key(&self, sealer: &Sealer) -> Result<Option<ChainKey>, AuditError> {
        match self.sealed_key()? {
            Some(sealed) => Ok(Some(ChainKey::open(sealer, &sealed)?)),
            None if self.is_empty()? => Ok(None),
            None => Err(AuditError::NoKey),
        }
    }

    /// Returns the key of the chain. Creates it in a new file.
    pub(crate) fn key_or_new(&self, sealer: &Sealer) -> Result<ChainKey, AuditError> {
        if let Some(key) = self.key(sealer)? {
            return Ok(key);
        }
        let key = ChainKey::generate()?;
        let sealed = key.seal(sealer)?;
        let sql = "INSERT INTO chain_key (id, sealed) VALUES (1, ?1)";
        self.connection.execute(sql, [sealed])?;
        Ok(key)
    }

    fn sealed_key(&self) -> Result<Option<Vec<u8>>, AuditError> {
        let sql = "SELECT sealed FROM chain_key WHERE id = 1";
        Ok(self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .optional()?)
    }

    fn is_empty(&self) -> Result<bool, AuditError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM entries)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Seals the key again if an older data key sealed it. Returns how many keys it sealed.
    fn reseal(&self, sealer: &Sealer) -> Result<usize, AuditError> {
        let Some(sealed) = self.sealed_key()? else {
            return Ok(0);
        };
        if sealer.is_current(&sealed) {
            return Ok(0);
        }
        let sealed = ChainKey::open(sealer, &sealed)?.seal(sealer)?;
        let sql = "UPDATE chain_key SET sealed = ?1 WHERE id = 1";
        Ok(self.connection.execute(sql, [sealed])?)
    }

    /// Calls `work` with every entry from `from` on, in order. Returns why the file could not be read to its end.
    pub(crate) fn for_each(
        &self,
        from: i64,
        work: &mut dyn FnMut(StoredEntry),
    ) -> Result<(), rusqlite::Error> {
        let sql =
            format!("SELECT {COLUMNS} FROM entries NOT INDEXED WHERE number >= ?1 ORDER BY number");
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([from])?;
        while let Some(row) = rows.next()? {
            work(StoredEntry::from_row(row)?);
        }
        Ok(())
    }

    /// Starts to read one moment of the file. Later reads see no later change.
    pub(crate) fn begin_snapshot(&self) -> rusqlite::Result<()> {
        self.connection
            .execute_batch("BEGIN; SELECT count(*) FROM folder")
    }

    pub(crate) fn end_snapshot(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("ROLLBACK")
    }

    /// Stores entries, removes the entries up to `trim_to`, and replaces the fingerprints of settings, in one transaction.
    pub(crate) fn commit(
        &mut self,
        entries: &[StoredEntry],
        trim_to: Option<i64>,
        settings: Option<&[SettingRow]>,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            for entry in entries {
                let texts = entry
                    .texts
                    .each_ref()
                    .map(|text| String::from_utf8_lossy(text));
                let [actor, address, reach, action, object, details] = &texts;
                insert.execute(params![
                    entry.number,
                    entry.commit_first,
                    entry.at,
                    actor,
                    address,
                    reach,
                    action,
                    object,
                    details,
                    entry.previous,
                    entry.mac,
                ])?;
            }
            if let Some(trim_to) = trim_to {
                transaction.execute("DELETE FROM entries WHERE number <= ?1", [trim_to])?;
            }
            if let Some(settings) = settings {
                transaction.execute("DELETE FROM settings", [])?;
                let sql = "INSERT INTO settings VALUES (?1, ?2, ?3, ?4)";
                let mut insert = transaction.prepare_cached(sql)?;
                for row in settings {
                    let SettingRow {
                        kind,
                        name,
                        member,
                        fingerprint,
                    } = row;
                    insert.execute(params![kind, name, member, fingerprint])?;
                }
            }
        }
        transaction.commit()
    }

    /// Returns number and MAC of the oldest entries that are older than `before`, at most `limit`.
    pub(crate) fn oldest_before(
        &self,
        before: i64,
        limit: i64,
    ) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        let sql = "SELECT number, mac, at FROM entries ORDER BY number LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([limit])?;
        let mut old = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(2)? >= before {
                break;
            }
            old.push((row.get(0)?, row.get(1)?));
        }
        Ok(old)
    }

    /// Returns the fingerprints of the settings that were declared last.
    pub(crate) fn settings(&self) -> rusqlite::Result<Vec<SettingRow>> {
        let sql = "SELECT kind, name, member, fingerprint FROM settings";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(SettingRow {
                kind: row.get(0)?,
                name: row.get(1)?,
                member: row.get(2)?,
                fingerprint: row.get(3)?,
            })
        })?;
        rows.collect()
    }

    /// Moves everything from the WAL into the file.
    pub(crate) fn checkpoint(&self) -> rusqlite::Result<()> {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(sql, [], |_row| Ok(()))
    }

    /// Returns the connection, for queries of readers.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Returns the path of the head file beside the audit at `path`.
pub(crate) fn head_path(path: &Path) -> PathBuf {
    path.with_file_name(AUDIT_HEAD)
}

/// Seals the key of the audit at `path` again if an older data key sealed it. Returns how many keys it sealed.
pub fn reseal_audit(path: &Path, sealer: &Sealer) -> Result<usize, AuditError> {
    AuditStore::open(path)?.reseal(sealer)
}

/// Removes all entries and the key of the audit at `path`, whose key is lost. Rename its head file before.
pub fn clear_audit(path: &Path) -> Result<(), AuditError> {
    let mut store = AuditStore::open(path)?;
    let transaction = store.connection.transaction()?;
    for table in ["entries", "chain_key", "settings"] {
        transaction.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(transaction.commit()?)
}

/// Returns true if the key of the audit at `path` cannot be opened.
pub fn is_audit_lost(path: &Path, sealer: &Sealer) -> Result<bool, AuditError> {
    match AuditStore::open(path)?.key(sealer) {
        Ok(_key) => Ok(false),
        Err(error) if error.is_lost_key() => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns the id of the data key that sealed the key of the audit in a file that no process has open.
pub fn audit_sealing_keys(path: &Path) -> Result<BTreeSet<u32>, AuditError> {
    let Some(store) = AuditStore::open_at_rest(path)? else {
        return Ok(BTreeSet::new());
    };
    let sealed = store.sealed_key()?;
    Ok(sealed
        .iter()
        .filter_map(|sealed| Sealer::data_key_of(sealed))
        .collect())
}

/// Makes a copy of an audit end where its head file says. The copy of the head file was made first, so the
/// copy of the entries can have more. Returns false if retention came between the two copies, so that both
/// must be copied again.
pub fn end_copy_at_head(path: &Path) -> Result<bool, AuditError> {
    let head = head_path(path);
    let read = AuditHead::read_unverified(&head);
    let read = read.map_err(|source| AuditError::Head { path: head, source })?;
    let Some(head) = read else {
        return Ok(true);
    };
    let store = AuditStore::open(path)?;
    let sql = "SELECT min(number) FROM entries";
    let first: Option<i64> = store.connection.query_row(sql, [], |row| row.get(0))?;
    let anchor = i64::try_from(head.anchor.number).unwrap_or(i64::MAX);
    if first.is_some_and(|first| first > anchor.saturating_add(1))
        && has_trimmed(&store, head.newest.number)?
    {
        return Ok(false);
    }
    let newest = i64::try_from(head.newest.number).unwrap_or(i64::MAX);
    let sql = "DELETE FROM entries WHERE number > ?1";
    store.connection.execute(sql, [newest])?;
    Ok(true)
}

/// Returns true if retention has removed entries after entry `number` was written.
fn has_trimmed(store: &AuditStore, number: u64) -> Result<bool, AuditError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM entries WHERE number > ?1 AND action = ?2)";
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let params = params![number, crate::verifier::TRIM];
    Ok(store.connection.query_row(sql, params, |row| row.get(0))?)
}
