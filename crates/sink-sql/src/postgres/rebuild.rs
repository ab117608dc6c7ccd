//! Replaces the tables of a schema with fresh ones.
//!
//! The fresh tables are in a schema of their own, `<schema>_rebuild`. A sink fills them from the log. At the
//! end, one transaction copies the rows that the log does not have, checks that no row is missing, and swaps
//! the names of the schemas. The old tables stay in `<schema>_before_rebuild`. If anything fails, the old
//! tables are as before.

use std::collections::{BTreeMap, HashSet};

use super::connection::PgConnection;
use super::cursor::{CursorKey, signed};
use super::failure::SqlFailure;
use super::schema::TableViews;
use crate::actual_schema::{ActualColumn, ActualRelation, ActualSchema};
use crate::dialect::{PostgresDialect, Relation, SqlDialect};
use crate::schema_plan::SchemaChange;
use crate::sql_name::{CURSORS_TABLE, MIGRATIONS_TABLE, OWN_PREFIX};
use crate::sql_table::{EXTRA_COLUMN, OFFSET_COLUMN, SqlTable};

/// The views outside of the old tables' own views that read from them.
const DEPENDENT_VIEWS: &str = "
    select distinct vn.nspname::text || '.' || v.relname::text
    from pg_depend d
    join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
    join pg_class v on v.oid = r.ev_class
    join pg_namespace vn on vn.oid = v.relnamespace
    join pg_class t on t.oid = d.refobjid and d.refclassid = 'pg_class'::regclass and t.oid <> v.oid
    join pg_namespace tn on tn.oid = t.relnamespace
    where tn.nspname = $1::text and not (vn.nspname = $1::text and v.relname = any($2::text[]))
    order by 1";

/// The schemas of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildSchemas {
    /// The schema whose tables are replaced.
    pub current: String,
    /// The schema of the fresh tables.
    pub fresh: String,
    /// The schema of the old tables at the end.
    pub before: String,
}

/// The events that the fresh tables get from the log: from `from`, and before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildRange {
    /// The first offset.
    pub from: u64,
    /// The offset after the last one.
    pub to: u64,
}

impl RebuildSchemas {
    /// Returns the schemas for a rebuild of `schema`.
    pub fn of(schema: &str) -> Self {
        Self {
            current: schema.to_owned(),
            fresh: format!("{schema}_rebuild"),
            before: format!("{schema}_before_rebuild"),
        }
    }
}

/// The tables of a rebuild, as the catalogue defines them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RebuildTables<'t> {
    /// The tables that the subscription asks for.
    pub(crate) wanted: &'t [SqlTable],
    /// The same tables, without excluded fields. A column that is in neither of them was promoted.
    pub(crate) complete: &'t [SqlTable],
    pub(crate) views: TableViews,
}

impl PgConnection {
    /// Creates the fresh tables, without rows. Removes what a rebuild that did not end has left.
    pub(crate) async fn begin_rebuild(
        &self,
        schemas: &RebuildSchemas,
        tables: RebuildTables<'_>,
    ) -> Result<(), SqlFailure> {
        if self.schema_exists(&schemas.before).await? {
            return Err(refused(format!(
                "the schema {} has the tables from before the last rebuild; drop it first",
                schemas.before
            )));
        }
        if !self.schema_exists(&schemas.current).await? {
            return Err(refused(format!("there is no schema {}", schemas.current)));
        }
        let leftover = self.read_schema(&schemas.fresh).await?;
        if self.schema_exists(&schemas.fresh).await?
            && !leftover.relations.contains_key(CURSORS_TABLE)
        {
            return Err(refused(format!(
                "the schema {} exists, and Easel did not create it",
                schemas.fresh
            )));
        }
        let fresh = PostgresDialect.quote(&schemas.fresh);
        self.execute(&format!("drop schema if exists {fresh} cascade"))
            .await?;
        let old = self.read_schema(&schemas.current).await?;
        let wanted: Vec<_> = tables
            .wanted
            .iter()
            .filter(|table| old.relations.contains_key(&table.name))
            .cloned()
            .collect();
        self.prepare_schema(&schemas.fresh, &wanted, tables.wanted, tables.views)
            .await?;
        for (name, relation) in event_tables(&old) {
            let Some(complete) = tables.complete.iter().find(|table| table.name == *name) else {
                // The catalogue does not know the event type. The columns are those of its events.
                let (new, old) = (
                    qualified(&schemas.fresh, name),
                    qualified(&schemas.current, name),
                );
                let sql = format!("create table {new} (like {old} including all)");
                self.execute(&sql).await?;
                continue;
            };
            for column in promoted_columns(complete, relation) {
                let sql = format!(
                    "alter table {} add column {} {}",
                    qualified(&schemas.fresh, name),
                    PostgresDialect.quote(&column.name),
                    column.type_name
                );
                self.execute(&sql).await?;
            }
        }
        Ok(())
    }

    /// Copies the rows that the log does not have, and swaps the tables. Returns how many rows were copied.
    pub(crate) async fn finish_rebuild(
        &self,
        schemas: &RebuildSchemas,
        tables: RebuildTables<'_>,
        key: &CursorKey,
        range: RebuildRange,
    ) -> Result<u64, SqlFailure> {
        self.execute("begin; set local statement_timeout = 0")
            .await?;
        match self.swap(schemas, tables, key, range).await {
            Ok(copied) => {
                self.execute("commit").await?;
                Ok(copied)
            }
            Err(failure) => {
                if !self.is_closed() {
                    self.roll_back().await?;
                }
                Err(failure)
            }
        }
    }

    async fn swap(
        &self,
        schemas: &RebuildSchemas,
        tables: RebuildTables<'_>,
        key: &CursorKey,
        range: RebuildRange,
    ) -> Result<u64, SqlFailure> {
        let RebuildSchemas {
            current,
            fresh,
            before,
        } = schemas;
        self.lock_schema(current).await?;
        // The lane waits from here on.
        let cursors = qualified(current, CURSORS_TABLE);
        let others = format!(
            "select subscription from (select * from {cursors} for update) c \
             where folder <> $1 or subscription <> $2 limit 1"
        );
        if let Some(row) = self
            .client
            .query_opt(&others, &[&key.folder, &key.subscription])
            .await?
        {
            let other: String = row.try_get(0)?;
            return Err(refused(format!(
                "the schema also has the tables of another subscription (number {other})"
            )));
        }
        self.check_dependent_views(current, tables).await?;
        let (old, new) = (
            self.read_schema(current).await?,
            self.read_schema(fresh).await?,
        );
        let mut copied = 0;
        for (name, relation) in event_tables(&old) {
            let Some(target) = new.relations.get(name) else {
                // The table was created after the rebuild began, so all its rows are newer.
                let (new, old) = (qualified(fresh, name), qualified(current, name));
                let sql = format!("create table {new} (like {old} including all)");
                self.execute(&sql).await?;
                copied += self
                    .copy_rows_of(schemas, name, [relation, relation], range)
                    .await?;
                continue;
            };
            self.check_kept(schemas, name, range).await?;
            copied += self
                .copy_rows_of(schemas, name, [relation, target], range)
                .await?;
        }
        self.take_over_position(schemas).await?;
        for grant in self.grants(current, fresh).await? {
            self.execute(&grant).await?;
        }
        let (current, fresh, before) = (
            PostgresDialect.quote(current),
            PostgresDialect.quote(fresh),
            PostgresDialect.quote(before),
        );
        let swap = vec![
            format!("alter schema {current} rename to {before}"),
            format!("alter schema {fresh} rename to {current}"),
        ];
        self.execute(&swap.join(";\n")).await?;
        let change = SchemaChange {
            what: "replace all tables".to_owned(),
            why: "an operator rebuilt the tables".to_owned(),
            sql: swap,
            is_optional: false,
        };
        self.record_change(&schemas.current, &change).await?;
        Ok(copied)
    }

    /// Rejects views of other people, which would go on reading the old tables.
    async fn check_dependent_views(
        &self,
        schema: &str,
        tables: RebuildTables<'_>,
    ) -> Result<(), SqlFailure> {
        let own: Vec<String> =
            crate::sql_view::SqlView::all(&PostgresDialect, schema, tables.complete)
                .into_iter()
                .map(|view| view.name)
                .collect();
        let rows = self.client.query(DEPENDENT_VIEWS, &[&schema, &own]).await?;
        let mut views = Vec::new();
        for row in rows {
            let name: String = row.try_get(0)?;
            views.push(name);
        }
        if views.is_empty() {
            return Ok(());
        }
        Err(refused(format!(
            "views would go on reading the old tables; drop them first and create them again: {}",
            views.join(", ")
        )))
    }

    /// Rejects a table with rows that the fresh table must have from the log, and does not have.
    async fn check_kept(
        &self,
        schemas: &RebuildSchemas,
        name: &str,
        range: RebuildRange,
    ) -> Result<(), SqlFailure> {
        let sql = format!(
            "select count(*), min({offset}) from {old} o where {offset} >= $1 and {offset} < $2 \
             and not exists (select 1 from {new} n where n.{offset} = o.{offset})",
            offset = OFFSET_COLUMN,
            old = qualified(&schemas.current, name),
            new = qualified(&schemas.fresh, name),
        );
        let (from, to) = (signed(range.from), signed(range.to));
        let row = self.client.query_one(&sql, &[&from, &to]).await?;
        let (count, first): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        if count == 0 {
            return Ok(());
        }
        Err(refused(format!(
            "the log does not have {count} rows of the table {name}, the first with the offset {}; they would \
             be lost",
            first.unwrap_or_default()
        )))
    }

    /// Copies the rows outside of the range from the old table to the new one. The values of columns that the fresh table does not have in the same
    /// type go to the column `extra`. Excluded columns are left out.
    async fn copy_rows_of(
        &self,
        schemas: &RebuildSchemas,
        name: &str,
        [old, new]: [&ActualRelation; 2],
        range: RebuildRange,
    ) -> Result<u64, SqlFailure> {
        let quote = |name: &str| PostgresDialect.quote(name);
        let written = |column: &&ActualColumn| !column.is_generated;
        let mut columns = Vec::new();
        let mut folded = Vec::new();
        for column in old.columns.iter().filter(written) {
            if column.name == EXTRA_COLUMN {
                continue;
            }
            match new
                .column(&column.name)
                .filter(|target| !target.is_generated)
            {
                Some(target) if target.type_name == column.type_name => {
                    columns.push(quote(&column.name));
                }
                // The fresh table has another type. The value is kept as it was.
                Some(_) => folded.push(column.name.as_str()),
                // The field is excluded now.
                None => (),
            }
        }
        let extra = quote(EXTRA_COLUMN);
        let members: Vec<_> = folded
            .iter()
            .map(|name| {
                format!(
                    "{}, to_jsonb({})",
                    PostgresDialect.literal(name),
                    quote(name)
                )
            })
            .collect();
        let new_extra = if members.is_empty() {
            extra.clone()
        } else {
            format!(
                "nullif(coalesce({extra}, '{{}}'::jsonb) || jsonb_strip_nulls(jsonb_build_object({})), '{{}}'::jsonb)",
                members.join(", ")
            )
        };
        let columns = columns.join(", ");
        let sql = format!(
            "insert into {} ({columns}, {extra}) select {columns}, {new_extra} from {} \
             where {OFFSET_COLUMN} < $1 or {OFFSET_COLUMN} >= $2",
            qualified(&schemas.fresh, name),
            qualified(&schemas.current, name),
        );
        let (from, to) = (signed(range.from), signed(range.to));
        Ok(self.client.execute(&sql, &[&from, &to]).await?)
    }

    /// Gives the fresh tables the position and the history of the old ones.
    async fn take_over_position(&self, schemas: &RebuildSchemas) -> Result<(), SqlFailure> {
        let own = |schema: &str, name: &str| qualified(schema, name);
        let (old_cursors, new_cursors) = (
            own(&schemas.current, CURSORS_TABLE),
            own(&schemas.fresh, CURSORS_TABLE),
        );
        let (old_migrations, new_migrations) = (
            own(&schemas.current, MIGRATIONS_TABLE),
            own(&schemas.fresh, MIGRATIONS_TABLE),
        );
        // A connection notices the swap, because the next number is greater than every older one.
        self.execute(&format!(
            "delete from {new_cursors}; insert into {new_cursors} select * from {old_cursors}; \
             delete from {new_migrations}; \
             insert into {new_migrations} overriding system value select * from {old_migrations}; \
             select setval(pg_get_serial_sequence('{new_migrations}', 'id'), \
             greatest((select max(id) from {old_migrations}), 1))"
        ))
        .await
    }
}

/// Returns the tables with events, by name.
fn event_tables(schema: &ActualSchema) -> BTreeMap<&String, &ActualRelation> {
    let tables = schema.relations.iter().filter(|(name, relation)| {
        !relation.is_view
            && !name.starts_with(OWN_PREFIX)
            && relation.column(OFFSET_COLUMN).is_some()
            && relation.column(EXTRA_COLUMN).is_some()
    });
    tables.collect()
}

/// Returns the columns that are not in the catalogue.
fn promoted_columns<'r>(
    complete: &SqlTable,
    relation: &'r ActualRelation,
) -> impl Iterator<Item = &'r ActualColumn> {
    let known: HashSet<&str> = complete
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let promoted: Vec<_> = relation
        .columns
        .iter()
        .filter(|column| !column.is_generated && !known.contains(column.name.as_str()))
        .collect();
    promoted.into_iter()
}

fn qualified(schema: &str, name: &str) -> String {
    PostgresDialect.relation(Relation { schema, name })
}

const fn refused(reason: String) -> SqlFailure {
    SqlFailure::Refused { reason }
}
