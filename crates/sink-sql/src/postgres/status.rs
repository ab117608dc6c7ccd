//! Reads what an operator wants to know about a schema.

use jiff::Timestamp;

use super::connection::PgConnection;
use super::failure::SqlFailure;
use crate::dialect::{PostgresDialect, Relation, SqlDialect};
use crate::sql_name::{MIGRATIONS_TABLE, OWN_PREFIX};

const SIZES: &str = "
    select c.relname::text, greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1::text and c.relkind in ('r', 'p') and not starts_with(c.relname::text, $2::text)
    order by c.relname";

/// A table and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The name.
    pub name: String,
    /// The number of rows as the database estimates it.
    pub row_estimate: u64,
    /// The size with indexes, in bytes.
    pub byte_count: u64,
}

/// A change of the schema that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The number of the change.
    pub id: i64,
    /// When it was made.
    pub applied_at: Timestamp,
    /// What changed, in words.
    pub what: String,
    /// The reason.
    pub why: String,
    /// The statements.
    pub sql: String,
}

impl PgConnection {
    /// Returns the tables with events, by name.
    pub(crate) async fn table_sizes(&self, schema: &str) -> Result<Vec<TableSize>, SqlFailure> {
        let rows = self.client.query(SIZES, &[&schema, &OWN_PREFIX]).await?;
        let mut sizes = Vec::with_capacity(rows.len());
        for row in rows {
            let number = |number: i64| u64::try_from(number).unwrap_or_default();
            sizes.push(TableSize {
                name: row.try_get(0)?,
                row_estimate: number(row.try_get(1)?),
                byte_count: number(row.try_get(2)?),
            });
        }
        Ok(sizes)
    }

    /// Returns the latest changes of the schema, the newest first.
    pub(crate) async fn migrations(
        &self,
        schema: &str,
        max_count: u32,
    ) -> Result<Vec<AppliedMigration>, SqlFailure> {
        let relation = PostgresDialect.relation(Relation {
            schema,
            name: MIGRATIONS_TABLE,
        });
        if self.latest_migration(schema).await? == 0 {
            return Ok(Vec::new());
        }
        let sql = format!(
            "select id, (extract(epoch from applied_at) * 1000)::bigint, what, why, sql from {relation} \
             order by id desc limit $1"
        );
        let mut migrations = Vec::new();
        for row in self.client.query(&sql, &[&i64::from(max_count)]).await? {
            let millis: i64 = row.try_get(1)?;
            migrations.push(AppliedMigration {
                id: row.try_get(0)?,
                applied_at: Timestamp::from_millisecond(millis).unwrap_or_default(),
                what: row.try_get(2)?,
                why: row.try_get(3)?,
                sql: row.try_get(4)?,
            });
        }
        Ok(migrations)
    }
}
