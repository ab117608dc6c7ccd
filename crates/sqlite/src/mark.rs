//! Which data folder a file belongs to, and how far it has seen the event log.
//!
//! The table `folder` has one row: `identity` (16 random bytes, the same in all files of a data
//! folder; NULL while the file belongs to none), `role` (what the file is for), `generation` (rises
//! with every start and every clean stop of a server, in all files) and `seen` (the first offset of
//! the event log that the file does not know about).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rusqlite::config::DbConfig;
use rusqlite::types::Type;
use rusqlite::{Connection, params};

use crate::{Layout, OpenError, open};

/// The identity of a data folder: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 16]);

/// Which data folder a file belongs to, and how far it has seen the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The folder; `None` when the file was never in one.
    pub identity: Option<Identity>,
    /// How many starts and clean stops the file has seen.
    pub generation: u64,
    /// The first offset of the event log that the file does not know about.
    pub seen: u64,
}

impl Identity {
    /// A new one.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// The migration that adds the table `folder`.
pub fn create_folder_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE folder (
             id INTEGER PRIMARY KEY CHECK (id = 0),
             identity BLOB,
             role TEXT,
             generation INTEGER NOT NULL,
             seen INTEGER NOT NULL
         ) STRICT;
         INSERT INTO folder VALUES (0, NULL, NULL, 0, 0);",
    )
}

/// Writes the mark into the file at `path`, which is made, or brought to the current format, if
/// need be. `seen` never goes down.
///
/// The mark is synced, whatever the layout's durability, and the write-ahead log is moved into the
/// database, unless somebody else reads it.
pub fn mark(path: &Path, layout: &Layout, mark: Mark) -> Result<(), OpenError> {
    let connection = open(path, layout)?;
    let write = || -> rusqlite::Result<()> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute(
            "UPDATE folder SET identity = ?1, generation = ?2, seen = max(seen, ?3)",
            params![
                mark.identity.map(|identity| identity.0),
                column(mark.generation),
                column(mark.seen)
            ],
        )?;
        // What a killed process left is moved too, here, where a failure is noticed.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()))
    };
    write().map_err(|source| OpenError::sqlite(path, layout, source))
}

/// Notes that the file knows about everything before `seen`.
pub fn raise_seen(connection: &Connection, seen: u64) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE folder SET seen = max(seen, ?1) WHERE id = 0")?;
    update.execute([column(seen)])?;
    Ok(())
}

/// The mark and the role.
pub(crate) fn read(connection: &Connection) -> rusqlite::Result<(Mark, Option<String>)> {
    let sql = "SELECT identity, generation, seen, role FROM folder WHERE id = 0";
    connection.query_row(sql, [], |row| {
        let number = |index| -> rusqlite::Result<u64> {
            let number: i64 = row.get(index)?;
            u64::try_from(number).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(index, Type::Integer, Box::new(error))
            })
        };
        let mark = Mark {
            identity: row.get::<_, Option<[u8; 16]>>(0)?.map(Identity),
            generation: number(1)?,
            seen: number(2)?,
        };
        Ok((mark, row.get(3)?))
    })
}

/// SQLite's integers are signed; no offset and no generation reaches the end of `i64`.
fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// 32 hexadecimal digits.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = u128::from_str_radix(text, 16);
        match (text.len(), number) {
            (32, Ok(number)) if !text.starts_with('+') => Ok(Self(number.to_be_bytes())),
            _ => Err(format!(
                "an identity must have 32 hexadecimal digits, not {text:?}"
            )),
        }
    }
}
