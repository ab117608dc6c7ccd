//! The database file: format 3.
//!
//! An SQLite database with the application id `Easl` and the format as its user version.
//!
//! - `blocks`, one row per block: the header and the ids, as the codec encodes them.
//! - `payloads`, one row per block: the data. It is a table of its own, so that a scan of headers and
//!   ids does not read the data.
//! - `state`, one row: the bounds and totals, with a checksum.
//! - `folder`, since format 2: the data folder of the file, and its role.
//!
//! Format 3 has the same tables as format 2. A file of format 3 may have blocks of the codec's
//! format 1 next to blocks of its format 2; each header says its format. So the migration to format
//! 3 changes only the number. An older version of Easel then rejects the file, because it cannot read
//! blocks of format 2.
//!
//! Every commit is synced before it is acknowledged (`synchronous = FULL`). Only the writer makes
//! checkpoints: nobody would notice a failed fsync of an automatic checkpoint. The space of trimmed
//! blocks is reused, but the file does not shrink.

use std::io;
use std::path::{Path, PathBuf};

use easel_log::backend::stamp;
use easel_log::{Clock, LogName, Offset};
use easel_sqlite::{Checkpoints, Durability, Layout, Migration, create_folder_table};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use crate::state::LogState;

/// "Easl". It distinguishes the file from files of other applications.
const APPLICATION_ID: u32 = 0x4561_736C;

const MIGRATIONS: &[Migration] = &[create_tables, create_folder_table, allow_new_blocks];

static EVENTS: Layout = Layout {
    noun: "event log",
    role: "log",
    application_id: APPLICATION_ID,
    unnumbered_table: None,
    migrations: MIGRATIONS,
    durability: Durability::Full,
    checkpoints: Checkpoints::ByOwner,
    seen: |database| LogState::load(database).map(|state| state.bounds.head.get()),
};

static QUARANTINE: Layout = Layout {
    noun: "quarantine",
    role: "quarantine",
    application_id: APPLICATION_ID,
    unnumbered_table: None,
    migrations: MIGRATIONS,
    durability: Durability::Full,
    checkpoints: Checkpoints::ByOwner,
    // The quarantine has its own offsets, not those of the event log.
    seen: |database| LogState::load(database).map(|_state| 0),
};

const TABLES: &str = "
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        tail INTEGER NOT NULL,
        head INTEGER NOT NULL,
        appended_at INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT;
    CREATE TABLE blocks (
        first INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        appended_at INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        event_types TEXT NOT NULL,
        digest BLOB NOT NULL,
        checksum BLOB NOT NULL,
        ids BLOB NOT NULL
    ) STRICT;
    CREATE TABLE payloads (
        first INTEGER PRIMARY KEY,
        data BLOB NOT NULL
    ) STRICT;
";

/// A query that names every column of a block. Preparing the query fails if the schema is damaged.
const ALL_COLUMNS: &str = "
    SELECT first, count, appended_at, stored_bytes, event_types, digest, checksum, ids, data
    FROM blocks JOIN payloads USING (first)
";

/// Why a log cannot be opened.
#[derive(Debug, Error)]
pub enum OpenLogError {
    /// The file was rejected, or cannot be read or written.
    #[error(transparent)]
    File(#[from] easel_sqlite::OpenError),
    /// The content of the file cannot be read.
    #[error("read the log {}", .path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The writer's thread cannot be started.
    #[error("start the writer thread of the log")]
    Thread {
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Returns the layout of the file of this log.
pub(crate) const fn layout(name: LogName) -> &'static Layout {
    match name {
        LogName::Events => &EVENTS,
        LogName::Quarantine => &QUARANTINE,
    }
}

/// Opens the file for writing. Creates it if it is missing.
pub(crate) fn open_to_write(
    path: &Path,
    name: LogName,
) -> Result<(Connection, LogState), OpenLogError> {
    let connection = easel_sqlite::open(path, layout(name))?;
    let prepare = || {
        prepare_to_write(&connection)?;
        connection.prepare(ALL_COLUMNS)?;
        LogState::load(&connection)
    };
    let state = prepare().map_err(|source| OpenLogError::Storage {
        path: path.to_owned(),
        source,
    })?;
    Ok((connection, state))
}

/// Moves the head of the event log in this file forward to `head`. Does nothing if the log has
/// reached `head` already. Readers get the skipped offsets as damaged. The tail of a log that never
/// had records becomes `tail`.
pub(crate) fn continue_at(
    path: &Path,
    tail: Offset,
    head: Offset,
    clock: &dyn Clock,
) -> Result<(), OpenLogError> {
    let (connection, mut state) = open_to_write(path, LogName::Events)?;
    if state.bounds.head >= head {
        return Ok(());
    }
    if state.bounds.head == Offset::ZERO {
        state.bounds.tail = std::cmp::min(tail, head);
    }
    state.bounds.head = head;
    state.appended_at = stamp(clock, state.appended_at);
    state
        .save(&connection)
        .map_err(|source| OpenLogError::Storage {
            path: path.to_owned(),
            source,
        })
}

/// Opens the file for reading.
pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Only the writer makes checkpoints, so closing this connection must not make one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn prepare_to_write(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Shrinks the WAL after a burst.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)
}

/// Allows blocks of the codec's format 2. Changes no table.
#[expect(clippy::unnecessary_wraps, reason = "a migration can fail")]
const fn allow_new_blocks(_connection: &Connection) -> rusqlite::Result<()> {
    Ok(())
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    LogState::default().save(connection)
}
