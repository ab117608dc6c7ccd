//! Opens a data file for writing: validates it, makes it private, then migrates it.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use crate::permissions::create_private;
use crate::{Checkpoints, Layout, OpenError, inspect};

/// SQLite's name for a database without a file.
const IN_MEMORY: &str = ":memory:";

/// Opens the file at `path` for writing, in WAL mode. Creates or migrates it if necessary.
///
/// A rejected file stays unchanged, byte for byte.
pub fn open(path: &Path, layout: &Layout) -> Result<Connection, OpenError> {
    let format = inspect(path, layout)?.map_or(0, |inspection| inspection.format);
    if path != Path::new(IN_MEMORY) {
        create_private(path).map_err(OpenError::io(path))?;
    }
    let sqlite = |source| OpenError::sqlite(path, layout, source);
    let mut connection = Connection::open(path).map_err(sqlite)?;
    prepare(&connection, layout).map_err(sqlite)?;
    if format < layout.format() {
        migrate(&mut connection, layout, format).map_err(sqlite)?;
    }
    Ok(connection)
}

fn prepare(connection: &Connection, layout: &Layout) -> rusqlite::Result<()> {
    if layout.checkpoints == Checkpoints::ByOwner {
        // Otherwise closing a connection makes a checkpoint, even after a failed write.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", layout.durability.pragma())
}

/// Runs the migrations from `format` to the current format in one transaction.
fn migrate(connection: &mut Connection, layout: &Layout, format: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (new_format, migration) in (1_u32..).zip(layout.migrations) {
        if new_format > format {
            migration(&transaction)?;
            transaction.pragma_update(None, "user_version", new_format)?;
        }
    }
    transaction.pragma_update(None, "application_id", layout.application_id)?;
    transaction.execute(
        "UPDATE folder SET role = ?1 WHERE role IS NULL",
        [layout.role],
    )?;
    transaction.commit()
}
