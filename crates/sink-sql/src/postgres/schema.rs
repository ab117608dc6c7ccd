//! Reads the tables of a schema, and changes them.

use tracing::{info, warn};

use super::connection::PgConnection;
use super::failure::SqlFailure;
use crate::actual_schema::{ActualColumn, ActualSchema};
use crate::dialect::{PostgresDialect, Relation, SqlDialect};
use crate::schema_plan::{SchemaChange, SchemaPlan};
use crate::sql_name::MIGRATIONS_TABLE;
use crate::sql_table::SqlTable;
use crate::sql_view::SqlView;

/// The first number of the advisory lock for changes of a schema: `easl`.
const LOCK_CLASS: i32 = 0x6561_736c;

const READ_COLUMNS: &str = "
    select c.relname::text, c.relkind in ('v', 'm'), obj_description(c.oid, 'pg_class'),
           a.attname::text, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',
           col_description(c.oid, a.attnum),
           a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false),
           a.attnotnull and a.attidentity = '' and d.adbin is null
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where n.nspname = $1::text and c.relkind in ('r', 'p', 'f', 'v', 'm')
    order by c.relname, a.attnum";

/// Which views a schema has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableViews {
    /// All views for people.
    #[default]
    All,
    /// No views.
    Off,
}

/// A schema that is ready for tables.
#[derive(Clone, Debug, Default)]
pub struct PreparedSchema {
    /// What the schema has now.
    pub actual: ActualSchema,
    /// The number of the latest change of the schema.
    pub migration_number: i64,
    /// What was changed to make the schema ready.
    pub changes: Vec<SchemaChange>,
}

impl PgConnection {
    /// Returns the tables and views of a schema.
    pub async fn read_schema(&self, schema: &str) -> Result<ActualSchema, SqlFailure> {
        let mut actual = ActualSchema {
            exists: self.schema_exists(schema).await?,
            ..ActualSchema::default()
        };
        for row in self.client.query(READ_COLUMNS, &[&schema]).await? {
            let name: String = row.try_get(0)?;
            let relation = actual.relations.entry(name).or_default();
            relation.is_view = row.try_get(1)?;
            relation.comment = row.try_get(2)?;
            relation.columns.push(ActualColumn {
                name: row.try_get(3)?,
                type_name: row.try_get(4)?,
                is_generated: row.try_get(5)?,
                comment: row.try_get(6)?,
                is_numbered: row.try_get(7)?,
                is_required: row.try_get(8)?,
            });
        }
        Ok(actual)
    }

    pub(super) async fn schema_exists(&self, schema: &str) -> Result<bool, SqlFailure> {
        let sql = "select exists (select 1 from pg_namespace where nspname = $1::text)";
        Ok(self.client.query_one(sql, &[&schema]).await?.try_get(0)?)
    }

    /// Makes the schema ready for `tables`, in a transaction of its own. Several connections can do this at the
    /// same time. `all_tables` are the tables that views use, if they exist.
    pub async fn prepare_schema(
        &self,
        schema: &str,
        tables: &[SqlTable],
        all_tables: &[SqlTable],
        views: TableViews,
    ) -> Result<PreparedSchema, SqlFailure> {
        // A later change must not be missed, so the number is read first.
        let migration_number = self.latest_migration(schema).await?;
        let actual = self.read_schema(schema).await?;
        if SchemaPlan::compare(&PostgresDialect, schema, tables, &actual).is_empty() {
            return Ok(PreparedSchema {
                actual,
                migration_number,
                changes: Vec::new(),
            });
        }
        self.execute("begin").await?;
        match self.change_schema(schema, tables, all_tables, views).await {
            Ok(prepared) => {
                self.execute("commit").await?;
                for change in &prepared.changes {
                    info!(change = change.what, "changed a table");
                }
                Ok(prepared)
            }
            Err(failure) => {
                if !self.is_closed() {
                    self.roll_back().await?;
                }
                Err(as_statement_failure(failure))
            }
        }
    }

    /// Keeps other connections from changing the schema until the end of the transaction.
    pub(crate) async fn lock_schema(&self, schema: &str) -> Result<(), SqlFailure> {
        let lock = "select pg_advisory_xact_lock($1::int4, hashtext($2::text))";
        self.client.execute(lock, &[&LOCK_CLASS, &schema]).await?;
        Ok(())
    }

    async fn change_schema(
        &self,
        schema: &str,
        tables: &[SqlTable],
        all_tables: &[SqlTable],
        views: TableViews,
    ) -> Result<PreparedSchema, SqlFailure> {
        self.lock_schema(schema).await?;
        // Another connection may have changed the schema while this one waited for the lock.
        let actual = self.read_schema(schema).await?;
        let plan = SchemaPlan::compare(&PostgresDialect, schema, tables, &actual);
        if plan.is_empty() {
            return Ok(PreparedSchema {
                actual,
                migration_number: self.latest_migration(schema).await?,
                changes: Vec::new(),
            });
        }
        let mut changes = Vec::new();
        let view_grants = self.view_grants(schema).await?;
        if views == TableViews::All {
            // A view would keep its columns from being widened.
            for view in existing_views(schema, all_tables, &actual) {
                self.try_change(&view.drop(&PostgresDialect, schema))
                    .await?;
            }
        }
        for change in plan.changes {
            let sql = change.sql.join(";\n");
            if !change.is_optional {
                self.execute(&sql).await?;
            } else if !self.try_change(&sql).await? {
                continue;
            }
            self.record_change(schema, &change).await?;
            changes.push(change);
        }
        let actual = self.read_schema(schema).await?;
        if views == TableViews::All {
            for view in existing_views(schema, all_tables, &actual) {
                let sql = view.create(&PostgresDialect, schema).join(";\n");
                self.try_change(&sql).await?;
            }
            for grant in view_grants {
                self.try_change(&grant).await?;
            }
        }
        Ok(PreparedSchema {
            actual,
            migration_number: self.latest_migration(schema).await?,
            changes,
        })
    }

    /// Makes changes that tables can do without, in a transaction of its own.
    pub(crate) async fn change_columns(
        &self,
        schema: &str,
        changes: &[SchemaChange],
    ) -> Result<(), SqlFailure> {
        self.execute("begin").await?;
        self.lock_schema(schema).await?;
        for change in changes {
            if self.try_change(&change.sql.join(";\n")).await? {
                self.record_change(schema, change).await?;
            }
        }
        self.execute("commit").await
    }

    /// Tries a change that tables can do without. Returns false if the database refuses the change.
    async fn try_change(&self, sql: &str) -> Result<bool, SqlFailure> {
        self.execute("savepoint easel_change").await?;
        match self.execute(sql).await {
            Ok(()) => {
                self.execute("release savepoint easel_change").await?;
                Ok(true)
            }
            Err(failure @ (SqlFailure::Refused { .. } | SqlFailure::RowRefused { .. })) => {
                self.execute("rollback to savepoint easel_change").await?;
                warn!(error = %failure, "the database refuses a change of a table");
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Records a change of the schema in the table of migrations.
    pub(crate) async fn record_change(
        &self,
        schema: &str,
        change: &SchemaChange,
    ) -> Result<(), SqlFailure> {
        let sql = format!(
            "insert into {} (what, why, sql) values ($1, $2, $3)",
            PostgresDialect.relation(Relation {
                schema,
                name: MIGRATIONS_TABLE,
            })
        );
        let statements = change.sql.join(";\n");
        self.client
            .execute(&sql, &[&change.what, &change.why, &statements])
            .await?;
        Ok(())
    }

    /// Returns the number of the latest change of the schema; 0 if the schema does not exist.
    pub(super) async fn latest_migration(&self, schema: &str) -> Result<i64, SqlFailure> {
        let migrations = PostgresDialect.relation(Relation {
            schema,
            name: MIGRATIONS_TABLE,
        });
        let exists = "select to_regclass($1::text) is not null";
        let exists: bool = self
            .client
            .query_one(exists, &[&migrations])
            .await?
            .try_get(0)?;
        if !exists {
            return Ok(0);
        }
        let sql = format!("select coalesce(max(id), 0) from {migrations}");
        Ok(self.client.query_one(&sql, &[]).await?.try_get(0)?)
    }
}

/// Returns the views over the tables that exist, with the columns that they really have.
fn existing_views(schema: &str, tables: &[SqlTable], actual: &ActualSchema) -> Vec<SqlView> {
    let existing: Vec<_> = tables
        .iter()
        .filter_map(|table| {
            let relation = actual.relations.get(&table.name)?;
            table.adapted(&PostgresDialect, relation).ok()
        })
        .collect();
    SqlView::all(&PostgresDialect, schema, &existing)
}

/// A table that cannot be created is not the fault of a row.
fn as_statement_failure(failure: SqlFailure) -> SqlFailure {
    match failure {
        SqlFailure::RowRefused { reason, .. } => SqlFailure::Refused { reason },
        failure => failure,
    }
}
