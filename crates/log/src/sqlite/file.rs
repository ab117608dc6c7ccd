//! The database file: format 1.
//!
//! An SQLite database with the application id `Easl` and the format as its user version. A file
//! of another application or format is refused untouched.
//!
//! - `blocks`, one row a block: its header and its ids, as the codec writes them;
//! - `payloads`, one row a block: its data. Apart, so that scanning headers and ids does not read
//!   through the data;
//! - `state`, one row: the bounds and totals, with a checksum.
//!
//! Every commit is synced before it is answered (`synchronous = FULL`). Nothing is moved from the
//! write-ahead log into the database behind the writer's back: a failed sync there would go
//! unnoticed. Space that trimming frees is used again; the file itself does not shrink.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use thiserror::Error;

use super::state::State;

/// "Easl", which tells the file from another application's.
const APPLICATION_ID: i64 = 0x4561_736C;
/// The format this code writes, and the only one there is.
const FORMAT: i64 = 1;

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
pub enum OpenError {
    /// The file cannot be opened, read or prepared.
    #[error("open the log {path}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file is something else.
    #[error("open the log {path}: the file is not an Easel log")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is a log of a format this version does not know.
    #[error("open the log {path}: its format is {found}, this version knows only {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
    },
    /// The writer's thread cannot be started.
    #[error("start the log's writer")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// Opens the file to write, making it when there is none.
pub(super) fn open_to_write(path: &Path) -> Result<(Connection, State), OpenError> {
    let storage = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign {
            path: path.to_owned(),
        },
        _ => OpenError::Storage {
            path: path.to_owned(),
            source,
        },
    };
    let mut connection = Connection::open(path).map_err(storage)?;
    let kind = kind(&connection).map_err(storage)?;
    match kind {
        Kind::New | Kind::Log { format: FORMAT } => (),
        Kind::Log { format: found } => {
            return Err(OpenError::Format {
                path: path.to_owned(),
                found,
            });
        }
        Kind::Foreign => {
            return Err(OpenError::Foreign {
                path: path.to_owned(),
            });
        }
    }
    prepare_to_write(&connection).map_err(storage)?;
    if matches!(kind, Kind::New) {
        create(&mut connection).map_err(storage)?;
    }
    connection.prepare(ALL_COLUMNS).map_err(storage)?;
    let state = State::load(&connection).map_err(storage)?;
    Ok((connection, state))
}

/// Opens the file to read.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    leave_checkpoints_to_the_writer(&connection)?;
    Ok(connection)
}

enum Kind {
    New,
    Log { format: i64 },
    Foreign,
}

fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(match number("PRAGMA application_id")? {
        APPLICATION_ID => Kind::Log {
            format: number("PRAGMA user_version")?,
        },
        0 if number("SELECT count(*) FROM sqlite_schema")? == 0 => Kind::New,
        _ => Kind::Foreign,
    })
}

fn prepare_to_write(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // After a burst the write-ahead log gives its space back.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    leave_checkpoints_to_the_writer(connection)
}

/// Closing a connection would make one, whatever happened before.
fn leave_checkpoints_to_the_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    State::default().save(&transaction)?;
    transaction.commit()
}
