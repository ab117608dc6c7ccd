//! What an operator does with the tables of a subscription.

use std::sync::Arc;

use crate::dialect::PostgresDialect;
use crate::observed::ObservedFields;
use crate::postgres::{
    AppliedMigration, CursorKey, PgConnection, PgOptions, Promotion, RebuildRange, RebuildSchemas,
    RebuildTables, SqlFailure, TableSize, TableViews,
};
use crate::schema_plan::{SchemaChange, SchemaPlan};
use crate::sql_table::SqlTable;
use crate::table_layout::{EventTables, TableLayout};

/// The tables of a subscription, for an operator.
#[derive(Clone, Debug)]
pub struct TableAdmin {
    /// The database.
    pub database: PgOptions,
    /// The schema of the tables.
    pub schema: String,
    /// The tables.
    pub tables: Arc<EventTables>,
    /// Which views the schema has.
    pub views: TableViews,
}

/// The tables of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The first offset that the tables do not have; `None` if nothing was written yet.
    pub next_offset: Option<u64>,
    /// The tables, by name.
    pub tables: Vec<TableSize>,
    /// The latest changes of the schema, the newest first.
    pub migrations: Vec<AppliedMigration>,
}

impl TableAdmin {
    /// The maximum number of changes in a [`SchemaStatus`].
    pub const MAX_MIGRATIONS: u32 = 20;

    /// Returns the position of the lane, the tables and the latest changes.
    pub async fn status(&self, key: &CursorKey) -> Result<SchemaStatus, SqlFailure> {
        let connection = PgConnection::open(&self.database).await?;
        let cursor = connection.read_cursor(&self.schema, key).await?;
        Ok(SchemaStatus {
            next_offset: cursor.map(|cursor| cursor.next_offset),
            tables: connection.table_sizes(&self.schema).await?,
            migrations: connection
                .migrations(&self.schema, Self::MAX_MIGRATIONS)
                .await?,
        })
    }

    /// Returns the changes that [`apply`](Self::apply) would make.
    pub async fn plan(&self) -> Result<SchemaPlan, SqlFailure> {
        let connection = PgConnection::open(&self.database).await?;
        let actual = connection.read_schema(&self.schema).await?;
        let wanted = self.tables.catalog_tables();
        Ok(SchemaPlan::compare(
            &PostgresDialect,
            &self.schema,
            &wanted,
            &actual,
        ))
    }

    /// Creates the tables of all event types of the catalogue, and changes those that differ. Returns the
    /// changes.
    pub async fn apply(&self) -> Result<Vec<SchemaChange>, SqlFailure> {
        let connection = PgConnection::open(&self.database).await?;
        let wanted = self.tables.catalog_tables();
        let prepared = connection
            .prepare_schema(&self.schema, &wanted, &wanted, self.views)
            .await?;
        Ok(prepared.changes)
    }

    /// Returns the position of the lane: the first offset that the tables do not have.
    pub async fn position(&self, key: &CursorKey) -> Result<Option<u64>, SqlFailure> {
        let connection = PgConnection::open(&self.database).await?;
        let cursor = connection.read_cursor(&self.schema, key).await?;
        Ok(cursor.map(|cursor| cursor.next_offset))
    }

    /// Creates fresh tables for a rebuild, beside the tables. A [`SqlSink`](crate::SqlSink) with the returned
    /// schema fills them.
    pub async fn begin_rebuild(&self) -> Result<RebuildSchemas, SqlFailure> {
        if self.tables.layout() == TableLayout::Ledbelly {
            return Err(SqlFailure::Refused {
                reason:
                    "the tables of the layout ledbelly are not rebuilt, because their rows have no \
                         offset"
                        .to_owned(),
            });
        }
        let schemas = RebuildSchemas::of(&self.schema);
        let connection = PgConnection::open(&self.database).await?;
        let (wanted, complete) = self.rebuild_tables();
        let tables = RebuildTables {
            wanted: &wanted,
            complete: &complete,
            views: self.views,
        };
        connection.begin_rebuild(&schemas, tables).await?;
        Ok(schemas)
    }

    /// Replaces the tables with the fresh ones, which have the events of `range` from the log. All other rows are
    /// copied. Returns how many.
    ///
    /// # Errors
    ///
    /// Fails if a row would be lost. The tables are then as before.
    pub async fn finish_rebuild(
        &self,
        key: &CursorKey,
        range: RebuildRange,
    ) -> Result<u64, SqlFailure> {
        let connection = PgConnection::open(&self.database).await?;
        let (wanted, complete) = self.rebuild_tables();
        let tables = RebuildTables {
            wanted: &wanted,
            complete: &complete,
            views: self.views,
        };
        let schemas = RebuildSchemas::of(&self.schema);
        connection
            .finish_rebuild(&schemas, tables, key, range)
            .await
    }

    /// Returns the tables of the catalogue, and the same tables without excluded fields.
    fn rebuild_tables(&self) -> (Vec<SqlTable>, Vec<SqlTable>) {
        let catalog = Arc::clone(self.tables.catalog());
        let complete = EventTables::new(catalog, self.tables.layout(), Vec::new());
        (self.tables.catalog_tables(), complete.catalog_tables())
    }

    /// Gives a field of the body a column, and moves its values from the column `extra` there.
    pub async fn promote(&self, event_type: &str, field: &str) -> Result<Promotion, SqlFailure> {
        let table = self.tables.table_of(event_type, &ObservedFields::default());
        let connection = PgConnection::open(&self.database).await?;
        connection.promote(&self.schema, &table, field).await
    }
}
