//! The bounds and totals of the log.
//!
//! The bounds and totals change in the same transaction as the blocks. So offsets are never reused,
//! even after all records were trimmed or the newest blocks were damaged.

use easel_log::backend::{Digest, digest, to_sql};
use easel_log::{Bounds, Offset};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ffi};

/// The bounds and totals of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogState {
    pub(crate) bounds: Bounds,
    /// When the newest block was committed. Later blocks never get an earlier time.
    pub(crate) appended_at: Timestamp,
    pub(crate) stored_bytes: u64,
}

impl Default for LogState {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            appended_at: Timestamp::MIN,
            stored_bytes: 0,
        }
    }
}

impl LogState {
    /// Loads the saved state. A damaged state is an error.
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        const SQL: &str = "SELECT tail, head, appended_at, stored_bytes, checksum FROM state";
        let mut statement = connection.prepare_cached(SQL)?;
        let saved = statement
            .query_row([], |row| Ok(verified_state(row)))
            .optional()?
            .flatten();
        saved.ok_or_else(|| {
            let text = String::from("the row with the bounds of the log is damaged");
            rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(text))
        })
    }

    /// Saves the state, in the current transaction of `connection`.
    pub(crate) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "INSERT OR REPLACE INTO state VALUES (0, ?1, ?2, ?3, ?4, ?5)";
        let [tail, head, appended_at, stored_bytes] = self.columns();
        let checksum = checksum(&self.columns());
        let mut statement = connection.prepare_cached(SQL)?;
        statement.execute((tail, head, appended_at, stored_bytes, checksum))?;
        Ok(())
    }

    fn columns(&self) -> [i64; 4] {
        [
            to_sql(self.bounds.tail.get()),
            to_sql(self.bounds.head.get()),
            self.appended_at.as_microsecond(),
            to_sql(self.stored_bytes),
        ]
    }
}

/// Returns the state in a row, if its checksum is valid.
fn verified_state(row: &Row<'_>) -> Option<LogState> {
    let number = |index| row.get::<_, i64>(index).ok();
    let columns = [number(0)?, number(1)?, number(2)?, number(3)?];
    if row.get::<_, Digest>(4).ok()? != checksum(&columns) {
        return None;
    }
    let [tail, head, appended_at, stored_bytes] = columns;
    let offset = |number| u64::try_from(number).ok().map(Offset::new);
    Some(LogState {
        bounds: Bounds {
            tail: offset(tail)?,
            head: offset(head)?,
        },
        appended_at: Timestamp::from_microsecond(appended_at).ok()?,
        stored_bytes: u64::try_from(stored_bytes).ok()?,
    })
}

fn checksum(columns: &[i64; 4]) -> Digest {
    let bytes = columns.map(i64::to_le_bytes);
    digest(&[bytes.as_flattened()])
}
