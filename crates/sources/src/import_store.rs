//! The table `imports` of `sources.db`: how far each file was imported.
//!
//! A part of a file is imported in three steps. First the row gets `is_pending` with the heads of both logs. Then
//! the part is appended. Then the row gets the new position. After a crash between the steps, the records after
//! these heads say whether the part is in the logs.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    ImportCounts, ImportFile, ImportKey, ImportState, PendingPart, SavedPart, SourceStoreError,
};

const COLUMNS: &str = "key, name, location, size, version, generation, position, checkpoint, is_finished,
    accepted, duplicates, rejected, through, stored_through, quarantined_through, log_head, quarantine_head,
    is_pending, updated_at";

/// The table, in a connection of its own.
#[derive(Debug)]
pub(crate) struct ImportStore {
    connection: Connection,
}

impl ImportStore {
    pub(crate) const fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn get(&self, key: &ImportKey) -> Result<Option<ImportState>, SourceStoreError> {
        let sql = format!("SELECT {COLUMNS} FROM imports WHERE key = ?1");
        let row = self.connection.query_row(&sql, [key.as_str()], state);
        Ok(row.optional()?)
    }

    /// Returns up to `limit` files after `after`, in the order of their keys.
    pub(crate) fn list(
        &self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ImportState>, SourceStoreError> {
        let sql = format!("SELECT {COLUMNS} FROM imports WHERE key > ?1 ORDER BY key LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, limit], state)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the files with a part that may be in the logs and is not saved.
    pub(crate) fn pending(&self) -> Result<Vec<ImportState>, SourceStoreError> {
        let sql = format!("SELECT {COLUMNS} FROM imports WHERE is_pending = 1 ORDER BY key");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], state)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Starts a new generation of a file, for a new client.
    pub(crate) fn begin(
        &self,
        (key, file): (&ImportKey, &ImportFile),
        heads: PendingPart,
        now: Timestamp,
    ) -> Result<(), SourceStoreError> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO imports (key, name, location, size, version, generation, log_head,
                                  quarantine_head, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)
             ON CONFLICT (key) DO UPDATE SET
                 size = ?4, version = ?5, generation = generation + 1, is_finished = 0, updated_at = ?8",
        )?;
        statement.execute(params![
            key.as_str(),
            file.name.as_str(),
            file.location,
            file.size,
            file.version,
            heads.log,
            heads.quarantine,
            now.as_millisecond()
        ])?;
        Ok(())
    }

    /// Notes that a part will be appended after these heads.
    pub(crate) fn mark_pending(
        &self,
        key: &ImportKey,
        heads: PendingPart,
    ) -> Result<(), SourceStoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE imports SET is_pending = 1, log_head = ?2, quarantine_head = ?3 WHERE key = ?1",
        )?;
        statement.execute(params![key.as_str(), heads.log, heads.quarantine])?;
        Ok(())
    }

    /// Saves what was found in the logs after a crash.
    pub(crate) fn settle(
        &self,
        key: &ImportKey,
        (stored_through, quarantined_through): (Option<u64>, Option<u64>),
        heads: PendingPart,
    ) -> Result<(), SourceStoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE imports SET is_pending = 0, stored_through = ?2, quarantined_through = ?3,
                 log_head = ?4, quarantine_head = ?5
             WHERE key = ?1",
        )?;
        statement.execute(params![
            key.as_str(),
            stored_through,
            quarantined_through,
            heads.log,
            heads.quarantine
        ])?;
        Ok(())
    }

    /// Saves a part that is in the logs. A part may be smaller than one that was interrupted, so the places that were
    /// found in the logs never go back.
    pub(crate) fn save(
        &self,
        key: &ImportKey,
        part: &SavedPart,
        now: Timestamp,
    ) -> Result<(), SourceStoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE imports SET position = ?2, checkpoint = ?3, is_finished = ?4,
                 accepted = accepted + ?5, duplicates = duplicates + ?6, rejected = rejected + ?7,
                 through = coalesce(?8, through),
                 stored_through = nullif(max(coalesce(stored_through, -1), coalesce(?8, -1)), -1),
                 quarantined_through = nullif(max(coalesce(quarantined_through, -1), coalesce(?8, -1)), -1),
                 is_pending = 0, log_head = ?9, quarantine_head = ?10, updated_at = ?11
             WHERE key = ?1",
        )?;
        let ImportCounts {
            accepted,
            duplicates,
            rejected,
        } = part.counts;
        statement.execute(params![
            key.as_str(),
            part.position,
            part.checkpoint,
            part.is_last,
            accepted,
            duplicates,
            rejected,
            part.through,
            part.heads.log,
            part.heads.quarantine,
            now.as_millisecond()
        ])?;
        Ok(())
    }

    /// Removes a file. Returns whether there was one.
    pub(crate) fn remove(&self, key: &ImportKey) -> Result<bool, SourceStoreError> {
        let sql = "DELETE FROM imports WHERE key = ?1";
        Ok(self.connection.execute(sql, [key.as_str()])? > 0)
    }
}

fn state(row: &Row<'_>) -> rusqlite::Result<ImportState> {
    let text = |index: usize| row.get::<_, String>(index);
    let invalid = |index: usize, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, error)
    };
    let updated_at = Timestamp::from_millisecond(row.get(18)?);
    Ok(ImportState {
        key: text(0)?
            .parse()
            .map_err(|error| invalid(0, Box::new(error)))?,
        file: ImportFile {
            name: text(1)?
                .parse()
                .map_err(|error| invalid(1, Box::new(error)))?,
            location: text(2)?,
            size: row.get(3)?,
            version: row.get(4)?,
        },
        generation: row.get(5)?,
        position: row.get(6)?,
        checkpoint: text(7)?,
        is_finished: row.get(8)?,
        counts: ImportCounts {
            accepted: row.get(9)?,
            duplicates: row.get(10)?,
            rejected: row.get(11)?,
        },
        through: row.get(12)?,
        stored_through: row.get(13)?,
        quarantined_through: row.get(14)?,
        heads: PendingPart {
            log: row.get(15)?,
            quarantine: row.get(16)?,
        },
        is_pending: row.get(17)?,
        updated_at: updated_at.unwrap_or_default(),
    })
}
