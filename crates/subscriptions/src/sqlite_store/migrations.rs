//! The migrations from each format of `state.db` to the next.

use rusqlite::Connection;

/// Creates the tables of format 1.
pub(super) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE subscriptions (
             id         INTEGER PRIMARY KEY AUTOINCREMENT,
             name       TEXT NOT NULL UNIQUE,
             spec       TEXT NOT NULL,
             origin     TEXT NOT NULL,
             state      TEXT NOT NULL,
             reason     TEXT,
             created_at INTEGER NOT NULL, -- milliseconds since 1970
             start      INTEGER NOT NULL,
             cursor     INTEGER NOT NULL,
             delivered  INTEGER NOT NULL DEFAULT 0,
             filtered   INTEGER NOT NULL DEFAULT 0,
             expired    INTEGER NOT NULL DEFAULT 0,
             damaged    INTEGER NOT NULL DEFAULT 0
         ) STRICT;",
    )
}

/// Migrates to format 3: the columns that change with every save move to the table `lanes`. The id
/// sequence continues, so the ids of removed subscriptions are not reused.
pub(super) fn split_off_lanes(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE lanes (
             subscription INTEGER NOT NULL,
             replay       INTEGER NOT NULL, -- 0 is the lane of the live events
             journal      INTEGER NOT NULL,
             cursor       INTEGER NOT NULL,
             counts       TEXT NOT NULL,
             spans        TEXT NOT NULL,
             note         BLOB,
             PRIMARY KEY (subscription, replay)
         ) STRICT;
         INSERT INTO lanes SELECT id, 0, 0, cursor,
             json_object('delivered', delivered, 'filtered', filtered,
                         'expired', expired, 'damaged', damaged),
             '[]', NULL
         FROM subscriptions;

         ALTER TABLE subscriptions RENAME TO subscriptions_2;
         CREATE TABLE subscriptions (
             id         INTEGER PRIMARY KEY AUTOINCREMENT,
             reach      TEXT NOT NULL,
             name       TEXT NOT NULL,
             revision   INTEGER NOT NULL,
             spec       TEXT NOT NULL,
             origin     TEXT NOT NULL,
             state      TEXT NOT NULL,
             reason     TEXT,
             created_at INTEGER NOT NULL, -- milliseconds since 1970
             start      INTEGER NOT NULL,
             UNIQUE (reach, name)
         ) STRICT;
         INSERT INTO subscriptions
             SELECT id, '*', name, 1, spec, origin, state, reason, created_at, start
             FROM subscriptions_2;
         DELETE FROM sqlite_sequence WHERE name = 'subscriptions';
         UPDATE sqlite_sequence SET name = 'subscriptions' WHERE name = 'subscriptions_2';
         DROP TABLE subscriptions_2;

         CREATE TABLE lease (
             id    INTEGER PRIMARY KEY CHECK (id = 0),
             epoch INTEGER NOT NULL
         ) STRICT;
         INSERT INTO lease VALUES (0, 0);",
    )
}

/// Migrates to format 4: rows for parked and dead deliveries, replays, and the clock of each lane.
pub(super) fn add_rows(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "ALTER TABLE subscriptions ADD COLUMN replay_count INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE lanes ADD COLUMN stopped_millis INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE lanes ADD COLUMN stopped_since INTEGER; -- milliseconds since 1970
         ALTER TABLE lanes ADD COLUMN held_since INTEGER; -- milliseconds since 1970

         CREATE TABLE parked (
             subscription INTEGER NOT NULL,
             replay       INTEGER NOT NULL,
             \"offset\"     INTEGER NOT NULL,
             batch        INTEGER NOT NULL,
             failures     INTEGER NOT NULL,
             waits_for    TEXT NOT NULL,
             due          INTEGER NOT NULL, -- milliseconds on the lane's clock
             key          INTEGER,
             reason       TEXT NOT NULL,
             attempts     TEXT NOT NULL,
             attempt_count INTEGER NOT NULL,
             PRIMARY KEY (subscription, replay, \"offset\")
         ) STRICT, WITHOUT ROWID;

         CREATE TABLE dead (
             subscription INTEGER NOT NULL,
             replay       INTEGER NOT NULL,
             \"offset\"     INTEGER NOT NULL,
             event_id     BLOB NOT NULL,
             event_type   TEXT NOT NULL,
             reason       TEXT NOT NULL,
             attempts     TEXT NOT NULL,
             attempt_count INTEGER NOT NULL,
             answer       BLOB,
             died_at      INTEGER NOT NULL, -- milliseconds since 1970
             discarded    INTEGER NOT NULL,
             PRIMARY KEY (subscription, replay, \"offset\")
         ) STRICT;
         CREATE INDEX dead_by_time ON dead (died_at);

         CREATE TABLE attempts (
             subscription INTEGER NOT NULL,
             replay       INTEGER NOT NULL,
             epoch        INTEGER NOT NULL,
             part         INTEGER NOT NULL,
             content      TEXT NOT NULL,
             PRIMARY KEY (subscription, replay, epoch, part)
         ) STRICT, WITHOUT ROWID;

         CREATE TABLE replays (
             subscription INTEGER NOT NULL,
             replay       INTEGER NOT NULL,
             spec         TEXT NOT NULL,
             created_at   INTEGER NOT NULL, -- milliseconds since 1970
             PRIMARY KEY (subscription, replay)
         ) STRICT;",
    )
}

/// Migrates to format 5: sealed specs, and the state of the address guard. The store seals the specs when it
/// opens the file. The guard does not stop existing subscriptions.
pub(super) fn add_sealed_specs(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "ALTER TABLE subscriptions ADD COLUMN sealed BLOB;
         ALTER TABLE subscriptions ADD COLUMN guard TEXT NOT NULL DEFAULT 'enforced';
         UPDATE subscriptions SET guard = 'reported';

         -- One row until the plain text of older formats is erased from the file.
         CREATE TABLE pending_erasure (id INTEGER PRIMARY KEY CHECK (id = 0)) STRICT;
         INSERT INTO pending_erasure VALUES (0);",
    )
}

/// Migrates to a format whose `counts` can have the term `other_format`. An older program would not read
/// such a row, so the number tells it that it cannot read the file. Nothing else changes.
#[expect(clippy::unnecessary_wraps, reason = "a migration can fail")]
pub(super) fn allow_other_format(_connection: &Connection) -> rusqlite::Result<()> {
    Ok(())
}

/// Migrates to format 7: the owners of subscriptions, and what is left of removed ones.
pub(super) fn add_owners(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "ALTER TABLE subscriptions ADD COLUMN owner TEXT;
         ALTER TABLE subscriptions ADD COLUMN owner_id TEXT;
         ALTER TABLE subscriptions ADD COLUMN document TEXT;
         ALTER TABLE subscriptions ADD COLUMN sealed_document BLOB;

         CREATE TABLE tombstones (
             owner           TEXT NOT NULL,
             owner_id        TEXT NOT NULL,
             removed_at      INTEGER NOT NULL, -- milliseconds since 1970
             document        TEXT NOT NULL,
             sealed_document BLOB NOT NULL,
             PRIMARY KEY (owner, owner_id)
         ) STRICT;",
    )
}

/// Returns true if the file has format 7 or later.
pub(super) fn has_owners(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'tombstones'";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Returns true if the file has format 5 or later.
pub(super) fn has_sealed_specs(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'pending_erasure'";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Returns true if the file has format 3 or later.
pub(super) fn has_lanes(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'lanes'";
    connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? > 0))
}
