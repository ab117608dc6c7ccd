//! The definition of the table `imports` of `sources.db`. `import_store.rs` says how it is used.

use rusqlite::Connection;

const TABLE: &str = "
    CREATE TABLE imports (
        key                 TEXT PRIMARY KEY,
        name                TEXT NOT NULL,
        location            TEXT NOT NULL,
        size                INTEGER,
        version             TEXT,
        generation          INTEGER NOT NULL,
        position            INTEGER NOT NULL DEFAULT 0,
        checkpoint          TEXT NOT NULL DEFAULT '',
        is_finished         INTEGER NOT NULL DEFAULT 0,
        accepted            INTEGER NOT NULL DEFAULT 0,
        duplicates          INTEGER NOT NULL DEFAULT 0,
        rejected            INTEGER NOT NULL DEFAULT 0,
        through             INTEGER,
        stored_through      INTEGER,
        quarantined_through INTEGER,
        log_head            INTEGER NOT NULL,
        quarantine_head     INTEGER NOT NULL,
        is_pending          INTEGER NOT NULL DEFAULT 0,
        updated_at          INTEGER NOT NULL -- milliseconds since 1970
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX imports_by_log_head ON imports (log_head);
    CREATE INDEX pending_imports ON imports (key) WHERE is_pending = 1;
";

/// Creates the table.
pub(crate) fn create_imports(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)
}

/// Returns the highest head of the log of events that a row has.
pub(crate) fn imports_seen(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(log_head), 0) FROM imports";
    connection.query_row(sql, [], |row| row.get(0))
}
