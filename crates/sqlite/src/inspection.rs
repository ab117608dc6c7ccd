//! Reads facts about a data file without changing a byte.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::mark::read_mark;
use crate::{Layout, Mark, OpenError, header, side_file};

/// The facts about a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Format of the file.
    pub format: u32,
    /// The mark of the file. `None` if the format of the file has no mark.
    pub mark: Option<Mark>,
    /// The first offset of the event log that the file has not seen.
    pub seen: u64,
}

/// Validates the file at `path` and returns its facts, or `None` if it is missing or empty.
///
/// Changes neither the file nor its WAL. If the WAL has content, SQLite may write the WAL index
/// (`-shm`), which is not data.
pub fn inspect(path: &Path, layout: &Layout) -> Result<Option<Inspection>, OpenError> {
    let Some(file_bytes) = length(path)? else {
        return Ok(None);
    };
    if file_bytes == 0 {
        return Ok(None);
    }
    let wal_bytes = length(&side_file(path, "-wal"))?.unwrap_or(0);
    // The WAL may have newer values of both numbers. The numbers never decrease, so the values in the
    // file can be validated before.
    let found = header::read(path, layout, file_bytes, wal_bytes)?;
    if found.application_id != 0 && found.application_id != layout.application_id {
        return Err(foreign(path, layout));
    }
    if found.format > layout.format() {
        return Err(newer(path, layout, found.format));
    }
    let sqlite = |source| OpenError::sqlite(path, layout, source);
    let connection = connect_at_rest(path).map_err(sqlite)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u32>(0));
    let application_id = number("PRAGMA application_id").map_err(sqlite)?;
    let format = number("PRAGMA user_version").map_err(sqlite)?;
    let has_table = |name: &str| -> Result<bool, OpenError> {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = ?1 OR ?1 = ''";
        let count = connection.query_row(sql, [name], |row| row.get::<_, i64>(0));
        Ok(count.map_err(sqlite)? > 0)
    };
    if application_id == 0 && format == 0 && !has_table("")? {
        return Ok(None);
    }
    let is_unnumbered = match layout.unnumbered_table {
        Some(table) => application_id == 0 && format == 1 && has_table(table)?,
        None => false,
    };
    if application_id != layout.application_id && !is_unnumbered {
        return Err(foreign(path, layout));
    }
    if format > layout.format() {
        return Err(newer(path, layout, format));
    }
    if format == 0 {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            what: "it has no format number".to_owned(),
        });
    }
    let mark = if has_table("folder")? {
        let (mark, role) = read_mark(&connection).map_err(sqlite)?;
        match role {
            Some(found) if found != layout.role => {
                return Err(OpenError::Role {
                    path: path.to_owned(),
                    noun: layout.noun,
                    found,
                });
            }
            _ => Some(mark),
        }
    } else {
        None
    };
    let own_seen = (layout.seen)(&connection).map_err(sqlite)?;
    let seen = std::cmp::max(own_seen, mark.map_or(0, |mark| mark.seen));
    Ok(Some(Inspection { format, mark, seen }))
}

/// Validates a file that no process writes to, and opens it for reading. Returns `None` if it is
/// missing or empty.
pub fn open_at_rest(path: &Path, layout: &Layout) -> Result<Option<Connection>, OpenError> {
    if inspect(path, layout)?.is_none() {
        return Ok(None);
    }
    let connected = connect_at_rest(path);
    connected
        .map(Some)
        .map_err(|source| OpenError::sqlite(path, layout, source))
}

/// Opens a file that no process writes to, for reading. Without a WAL, it is opened as immutable, so
/// that SQLite creates no files beside it.
pub(crate) fn connect_at_rest(path: &Path) -> rusqlite::Result<Connection> {
    let wal_bytes = fs::metadata(side_file(path, "-wal")).map_or(0, |metadata| metadata.len());
    if wal_bytes > 0 {
        return connect_live(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(immutable_uri(path), flags)
}

/// Opens a file that another process may write to, for reading.
pub(crate) fn connect_live(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Returns the path as a URI. Source: <https://www.sqlite.org/uri.html>.
fn immutable_uri(path: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = String::from("file:");
    for byte in absolute.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

fn length(path: &Path) -> Result<Option<u64>, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io(path)(error)),
    }
}

fn foreign(path: &Path, layout: &Layout) -> OpenError {
    OpenError::Foreign {
        path: path.to_owned(),
        noun: layout.noun,
    }
}

fn newer(path: &Path, layout: &Layout, found: u32) -> OpenError {
    OpenError::Format {
        path: path.to_owned(),
        found,
        known: layout.format(),
    }
}
