//! The mark of a file: its data folder, and how far it has seen the event log.
//!
//! The table `folder` has one row with these columns:
//!
//! - `identity`: 16 random bytes, equal in all files of a data folder. NULL before the first mark.
//! - `role`: the purpose of the file.
//! - `generation`: rises in all files with every start and every clean stop of a server.
//! - `seen`: the first offset of the event log that the file has not seen.

use std::fmt;
use std::str::FromStr;

use rusqlite::Connection;
use rusqlite::types::Type;

/// The identity of a data folder: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity(pub(crate) [u8; 16]);

/// The data folder of a file, and how far the file has seen the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The data folder; `None` before the first mark.
    pub identity: Option<Identity>,
    /// Number of starts and clean stops of a server with this file.
    pub generation: u64,
    /// The first offset of the event log that the file has not seen.
    pub seen: u64,
}

impl Identity {
    /// Creates a random identity.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Creates the table `folder`. Every layout has this migration.
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

/// Reads the mark and the role.
pub(crate) fn read_mark(connection: &Connection) -> rusqlite::Result<(Mark, Option<String>)> {
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

/// Formats the identity as 32 hexadecimal digits.
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
