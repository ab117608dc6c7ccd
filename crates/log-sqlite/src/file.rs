//! The database file: format 3.
//!
//! An SQLite database with the application id `Easl` and the format as its user version.
//!
//! - `blocks`, one row a block: its header and its ids, as the codec writes them;
//! - `payloads`, one row a block: its data. Apart, so that scanning headers and ids does not read
//!   through the data;
//! - `state`, one row: the bounds and totals, with a checksum;
//! - `folder`, since format 2: which data folder the file belongs to, and its role.
//!
//! Format 3 has the same tables. Blocks written since are of the codec's format 2, those before of
//! its format 1, and both lie side by side: each header tells its own. So the step to format 3
//! changes nothing but the number, by which an older version knows that it cannot read the file.
//!
//! Every commit is synced before it is answered (`synchronous = FULL`). Nothing is moved from the
//! write-ahead log into the database behind the writer's back: a failed sync there would go
//! unnoticed. Space that trimming frees is used again; the file itself does not shrink.

use std::io;
use std::path::{Path, PathBuf};

use easel_log::backend::stamp;
use easel_log::{Clock, LogName, Offset};
use easel_sqlite::{Checkpoints, Durability, Layout, Migration, create_folder_table};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use crate::state::LogState;

/// "Easl", which tells the file from another application's.
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
    // Its offsets are its own, not those of the event log.
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

/// Names every column of the blocks: with one of them damaged the file is not to be opened.
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
    /// What the file holds cannot be read.
    #[error("read the log {}", .path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The writer's thread cannot be started.
    #[error("start the log's writer")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// What the file of this log looks like.
pub(crate) const fn layout(name: LogName) -> &'static Layout {
    match name {
        LogName::Events => &EVENTS,
        LogName::Quarantine => &QUARANTINE,
    }
}

/// Opens the file to write, making it when there is none.
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

/// Moves the head of the event log in this file on to `head`, unless it is there already. What lies
/// between reads as damaged. A log that never held anything begins at `tail`.
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

/// Opens the file to read.
pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Closing it would make a checkpoint, which is the writer's alone.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn prepare_to_write(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // After a burst the write-ahead log gives its space back.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)
}

/// From here on there may be blocks of the codec's format 2.
#[expect(clippy::unnecessary_wraps, reason = "a migration can fail")]
const fn allow_new_blocks(_connection: &Connection) -> rusqlite::Result<()> {
    Ok(())
}

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)?;
    LogState::default().save(connection)
}
