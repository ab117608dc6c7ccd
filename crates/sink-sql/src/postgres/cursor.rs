//! The cursor in the database: how far a lane has filled the tables.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::connection::PgConnection;
use super::failure::SqlFailure;
use crate::dialect::{PostgresDialect, Relation, SqlDialect};
use crate::sql_name::{CURSORS_TABLE, MIGRATIONS_TABLE};

/// Which lane a cursor belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CursorKey {
    /// The identity of the data folder.
    pub folder: String,
    /// The subscription.
    pub subscription: String,
    /// The number of the replay; 0 for the live lane.
    pub replay: u32,
}

/// A cursor as the database has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCursor {
    /// The first offset that the tables do not have.
    pub next_offset: u64,
    /// The id of the event before this offset. `None` if no event was written.
    pub last_event_id: Option<Uuid>,
    /// The epoch of the writer that moved the cursor last.
    pub epoch: u64,
    /// The number of the latest change of the schema.
    pub migration_number: i64,
}

impl TableCursor {
    /// Returns an error if a newer owner has moved the cursor.
    pub(crate) fn check_epoch(self, epoch: u64) -> Result<(), SqlFailure> {
        if self.epoch > epoch {
            return Err(SqlFailure::Superseded {
                reason: format!(
                    "another server has written there with the epoch {}, which is newer than {epoch}",
                    self.epoch
                ),
            });
        }
        Ok(())
    }
}

impl CursorKey {
    /// Returns the number of the replay as the database stores it.
    fn replay_number(&self) -> i64 {
        i64::from(self.replay)
    }
}

impl PgConnection {
    /// Returns the cursor. Waits for a transaction that may still move it.
    pub async fn read_cursor(
        &self,
        schema: &str,
        key: &CursorKey,
    ) -> Result<Option<TableCursor>, SqlFailure> {
        self.execute("begin").await?;
        let cursor = self.lock_cursor(schema, key).await?;
        self.roll_back().await?;
        Ok(cursor)
    }

    /// Locks the cursor until the end of the transaction, and returns it. `None` if there is none, or if the
    /// schema does not exist. Waits for a transaction that may still move the cursor.
    pub async fn lock_cursor(
        &self,
        schema: &str,
        key: &CursorKey,
    ) -> Result<Option<TableCursor>, SqlFailure> {
        let own = |name| PostgresDialect.relation(Relation { schema, name });
        let sql = format!(
            "select next_offset, epoch, (select coalesce(max(id), 0) from {}), last_event_id::text from {} \
             where folder = $1 and subscription = $2 and replay = $3 for update",
            own(MIGRATIONS_TABLE),
            own(CURSORS_TABLE),
        );
        let replay = key.replay_number();
        let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
            (&key.folder, Type::TEXT),
            (&key.subscription, Type::TEXT),
            (&replay, Type::INT8),
        ];
        // A typed query needs no round trip to be prepared.
        let rows = self.client.query_typed(&sql, &parameters).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let number = |index: usize| -> Result<i64, SqlFailure> { Ok(row.try_get(index)?) };
        let last_event_id: Option<&str> = row.try_get(3)?;
        Ok(Some(TableCursor {
            next_offset: u64::try_from(number(0)?).unwrap_or_default(),
            last_event_id: last_event_id.and_then(|id| Uuid::try_parse(id).ok()),
            epoch: u64::try_from(number(1)?).unwrap_or_default(),
            migration_number: number(2)?,
        }))
    }

    /// Returns an error if another data folder has written to the tables. Its offsets mean other events, so the
    /// rows must not mix. A folder that was restored from a backup is another data folder.
    pub(crate) async fn check_other_folders(
        &self,
        schema: &str,
        key: &CursorKey,
    ) -> Result<(), SqlFailure> {
        let sql = format!(
            "select max(next_offset) from {} where folder <> $1",
            PostgresDialect.relation(Relation {
                schema,
                name: CURSORS_TABLE,
            }),
        );
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&key.folder, Type::TEXT)];
        let rows = match self.client.query_typed(&sql, &parameters).await {
            Ok(rows) => rows,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let next_offset: Option<i64> = rows.first().map_or(Ok(None), |row| row.try_get(0))?;
        match next_offset {
            None => Ok(()),
            Some(next_offset) => Err(SqlFailure::Superseded {
                reason: format!(
                    "the schema {schema} has events of another data folder up to offset {next_offset}; a \
                     restored data folder needs another schema"
                ),
            }),
        }
    }

    /// Creates the cursor if it is missing, so that it can be locked.
    pub(crate) async fn create_cursor(
        &self,
        schema: &str,
        key: &CursorKey,
        epoch: u64,
    ) -> Result<(), SqlFailure> {
        let sql = format!(
            "insert into {} (folder, subscription, replay, next_offset, epoch) \
             values ($1, $2, $3, 0, $4) on conflict do nothing",
            PostgresDialect.relation(Relation {
                schema,
                name: CURSORS_TABLE,
            }),
        );
        let (replay, epoch) = (key.replay_number(), signed(epoch));
        self.client
            .execute(&sql, &[&key.folder, &key.subscription, &replay, &epoch])
            .await?;
        Ok(())
    }

    /// Moves the cursor behind the last event. The caller must have locked it.
    pub(crate) async fn move_cursor(
        &self,
        schema: &str,
        key: &CursorKey,
        (next_offset, last_event_id): (u64, Uuid),
        epoch: u64,
    ) -> Result<(), SqlFailure> {
        let sql = format!(
            "update {} set next_offset = $4, epoch = $5, last_event_id = $6::text::uuid \
             where folder = $1 and subscription = $2 and replay = $3",
            PostgresDialect.relation(Relation {
                schema,
                name: CURSORS_TABLE,
            }),
        );
        let replay = key.replay_number();
        let (next_offset, epoch) = (signed(next_offset), signed(epoch));
        let last_event_id = last_event_id.to_string();
        let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
            (&key.folder, Type::TEXT),
            (&key.subscription, Type::TEXT),
            (&replay, Type::INT8),
            (&next_offset, Type::INT8),
            (&epoch, Type::INT8),
            (&last_event_id, Type::TEXT),
        ];
        self.client.execute_typed(&sql, &parameters).await?;
        Ok(())
    }
}

/// Offsets and epochs never reach 2⁶³.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// True if the schema or the table does not exist.
fn is_missing(error: &tokio_postgres::Error) -> bool {
    let missing = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME];
    error.code().is_some_and(|code| missing.contains(code))
}
