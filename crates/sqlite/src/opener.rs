//! Opening a data file to write: first validated, then made private, then brought to the current
//! format.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use crate::permissions::create_private;
use crate::{Checkpoints, Layout, OpenError, inspect};

/// SQLite's name for a database without a file.
const IN_MEMORY: &str = ":memory:";

/// Opens the file at `path` to write, in WAL mode, in the current format. A missing file is made.
///
/// A file that is rejected stays as it was, byte for byte.
pub fn open(path: &Path, layout: &Layout) -> Result<Connection, OpenError> {
    let format = inspect(path, layout)?.map_or(0, |found| found.format);
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
        // Closing a connection would make a checkpoint, whatever happened before.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", layout.durability.pragma())
}

/// Takes the steps from `format` to the current one, all of them or none.
fn migrate(connection: &mut Connection, layout: &Layout, format: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (next, step) in (1_u32..).zip(layout.migrations) {
        if next > format {
            step(&transaction)?;
            transaction.pragma_update(None, "user_version", next)?;
        }
    }
    transaction.pragma_update(None, "application_id", layout.application_id)?;
    transaction.execute(
        "UPDATE folder SET role = ?1 WHERE role IS NULL",
        [layout.role],
    )?;
    transaction.commit()
}
