//! Writing a [`Mark`] into a data file.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use crate::{Layout, Mark, OpenError, open};

/// Writes the mark into the file at `path`. Creates or migrates the file if necessary. `seen` never
/// decreases.
///
/// The mark is synced, regardless of the layout's durability. A checkpoint follows, unless another
/// connection reads the WAL.
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
                to_sql(mark.generation),
                to_sql(mark.seen)
            ],
        )?;
        // This checkpoint includes the WAL of a killed process. A failed checkpoint is an error.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()))
    };
    write().map_err(|source| OpenError::sqlite(path, layout, source))
}

/// Records that the file has seen all offsets before `seen`.
pub fn raise_seen(connection: &Connection, seen: u64) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE folder SET seen = max(seen, ?1) WHERE id = 0")?;
    update.execute([to_sql(seen)])?;
    Ok(())
}

/// Converts a number to a signed SQL integer, saturating. No offset or generation reaches the limit.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
