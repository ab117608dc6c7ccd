//! The statements of PostgreSQL, from version 12 on.

use std::borrow::Cow;

use super::{ActualType, Relation, SqlDialect};
use crate::sql_column::{ColumnSource, SqlColumn};
use crate::sql_name::{CURSORS_TABLE, MIGRATIONS_TABLE, index_name};
use crate::sql_table::{EVENT_ID_COLUMN, SqlTable};
use crate::sql_type::SqlType;

/// The number of ids in a shard, see `easel_catalog::GlobalId`.
const IDS_PER_SHARD: &str = "10000000000000";

/// The statements of PostgreSQL.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostgresDialect;

impl PostgresDialect {
    fn define(self, column: &SqlColumn) -> String {
        let name = self.quote(&column.name);
        let sql_type = self.type_name(column.sql_type);
        match &column.source {
            ColumnSource::Offset => format!("{name} {sql_type} primary key"),
            ColumnSource::LocalIdOf(global) => {
                let global = self.quote(global);
                format!("{name} {sql_type} generated always as ({global} % {IDS_PER_SHARD}) stored")
            }
            ColumnSource::RowNumber => format!("{name} bigserial primary key"),
            ColumnSource::EventId
            | ColumnSource::EventName
            | ColumnSource::EventTime
            | ColumnSource::ReceivedAt
            | ColumnSource::LocalEventTime
            | ColumnSource::LocalReceivedAt
            | ColumnSource::Metadata(_)
            | ColumnSource::Body(_)
            | ColumnSource::WholeBody
            | ColumnSource::Extra => format!("{name} {sql_type}"),
        }
    }
}

impl SqlDialect for PostgresDialect {
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    fn literal(&self, text: &str) -> String {
        // A backslash has no meaning, because sessions set `standard_conforming_strings`.
        format!("'{}'", text.replace('\'', "''").replace('\0', ""))
    }

    fn type_name(&self, sql_type: SqlType) -> Cow<'static, str> {
        Cow::Borrowed(match sql_type {
            SqlType::Varchar(max_chars) => return Cow::Owned(format!("varchar({max_chars})")),
            SqlType::Uuid => "uuid",
            SqlType::SmallInt => "smallint",
            SqlType::Integer => "integer",
            SqlType::Real => "real",
            SqlType::LocalTimestamp => "timestamp",
            SqlType::BigInt => "bigint",
            SqlType::Numeric => "numeric",
            SqlType::Double => "double precision",
            SqlType::Boolean => "boolean",
            SqlType::Timestamp => "timestamptz",
            SqlType::Text => "text",
            SqlType::Json => "jsonb",
        })
    }

    fn exact_type(&self, name: &str) -> Option<SqlType> {
        if let ActualType::Same(sql_type) = self.actual_type(name) {
            return Some(sql_type);
        }
        let length = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix(')')?.parse().ok();
        Some(match name {
            "smallint" => SqlType::SmallInt,
            "integer" => SqlType::Integer,
            "real" => SqlType::Real,
            "character varying" => SqlType::Text,
            _ if name.starts_with("timestamp") && name.ends_with("without time zone") => {
                SqlType::LocalTimestamp
            }
            _ if name.starts_with("timestamp") => SqlType::Timestamp,
            _ => SqlType::Varchar(length("character varying(")?),
        })
    }

    fn actual_type(&self, name: &str) -> ActualType {
        match name {
            "uuid" => ActualType::Same(SqlType::Uuid),
            "bigint" => ActualType::Same(SqlType::BigInt),
            "numeric" => ActualType::Same(SqlType::Numeric),
            "double precision" => ActualType::Same(SqlType::Double),
            "boolean" => ActualType::Same(SqlType::Boolean),
            "timestamp with time zone" => ActualType::Same(SqlType::Timestamp),
            "text" => ActualType::Same(SqlType::Text),
            "jsonb" => ActualType::Same(SqlType::Json),
            "smallint" | "integer" => ActualType::Narrow(SqlType::BigInt),
            "real" => ActualType::Narrow(SqlType::Double),
            _ if name.starts_with("numeric(") => ActualType::Narrow(SqlType::Numeric),
            _ if name.starts_with("character varying") => ActualType::Narrow(SqlType::Text),
            _ => ActualType::Foreign,
        }
    }

    fn create_schema(&self, schema: &str) -> String {
        format!("create schema if not exists {}", self.quote(schema))
    }

    fn create_own_tables(&self, schema: &str) -> Vec<String> {
        let own = |name| self.relation(Relation { schema, name });
        let (cursors, migrations) = (own(CURSORS_TABLE), own(MIGRATIONS_TABLE));
        vec![
            format!(
                "create table if not exists {cursors} (folder text not null, subscription text not null, \
                 replay bigint not null, next_offset bigint not null, epoch bigint not null, \
                 last_event_id uuid, \
                 primary key (folder, subscription, replay))"
            ),
            format!(
                "comment on table {cursors} is 'How far Easel has filled these tables. Rows and cursor \
                 change in one transaction.'"
            ),
            format!(
                "create table if not exists {migrations} (id bigint generated always as identity \
                 primary key, applied_at timestamptz not null default now(), what text not null, \
                 why text not null, sql text not null)"
            ),
            format!(
                "comment on table {migrations} is 'Every change of this schema that Easel made.'"
            ),
        ]
    }

    fn create_table(&self, schema: &str, table: &SqlTable) -> Vec<String> {
        let relation = Relation {
            schema,
            name: &table.name,
        };
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|column| self.define(column))
            .collect();
        let mut statements = vec![format!(
            "create table if not exists {} ({})",
            self.relation(relation),
            columns.join(", ")
        )];
        if table.column_of(&ColumnSource::EventId).is_some() {
            statements.push(format!(
                "create index if not exists {} on {} ({})",
                self.quote(&index_name(&table.name)),
                self.relation(relation),
                self.quote(EVENT_ID_COLUMN)
            ));
        }
        statements.push(self.comment_on_table(relation, &table.comment));
        let commented = table
            .columns
            .iter()
            .filter(|column| !column.comment.is_empty());
        statements.extend(commented.map(|column| self.comment_on_column(relation, column)));
        statements
    }

    fn add_column(&self, table: Relation<'_>, column: &SqlColumn) -> Vec<String> {
        let definition = self.define(column);
        let relation = self.relation(table);
        let mut statements = vec![format!(
            "alter table {relation} add column if not exists {definition}"
        )];
        if !column.comment.is_empty() {
            statements.push(self.comment_on_column(table, column));
        }
        statements
    }

    fn widen_column(&self, table: Relation<'_>, column: &str, sql_type: SqlType) -> String {
        format!(
            "alter table {} alter column {} type {}",
            self.relation(table),
            self.quote(column),
            self.type_name(sql_type)
        )
    }

    fn comment_on_table(&self, table: Relation<'_>, comment: &str) -> String {
        format!(
            "comment on table {} is {}",
            self.relation(table),
            self.literal(comment)
        )
    }

    fn comment_on_column(&self, table: Relation<'_>, column: &SqlColumn) -> String {
        format!(
            "comment on column {}.{} is {}",
            self.relation(table),
            self.quote(&column.name),
            self.literal(&column.comment)
        )
    }

    fn rename_table(&self, table: Relation<'_>, new_name: &str) -> String {
        format!(
            "alter table {} rename to {}",
            self.relation(table),
            self.quote(new_name)
        )
    }

    fn create_view(&self, view: Relation<'_>, query: &str, comment: &str) -> Vec<String> {
        let relation = self.relation(view);
        vec![
            self.drop_view(view),
            format!("create view {relation} as {query}"),
            format!("comment on view {relation} is {}", self.literal(comment)),
        ]
    }

    fn drop_view(&self, view: Relation<'_>) -> String {
        format!("drop view if exists {}", self.relation(view))
    }

    fn first_per_key(&self, source: &str, key: &str, order: &str) -> String {
        format!("select distinct on ({key}) * from {source} order by {key}, {order}")
    }

    fn day_of(&self, column: &str) -> String {
        format!("({column} at time zone 'UTC')::date")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_cannot_leave_their_quotes() {
        assert_eq!(PostgresDialect.quote("a\"; drop"), "\"a\"\"; drop\"");
        assert_eq!(PostgresDialect.literal("it's\0"), "'it''s'");
    }

    #[test]
    fn every_type_is_recognized_when_the_database_shows_it() {
        let shown = [
            (SqlType::Uuid, "uuid"),
            (SqlType::BigInt, "bigint"),
            (SqlType::Numeric, "numeric"),
            (SqlType::Double, "double precision"),
            (SqlType::Boolean, "boolean"),
            (SqlType::Timestamp, "timestamp with time zone"),
            (SqlType::Text, "text"),
            (SqlType::Json, "jsonb"),
        ];
        for (sql_type, name) in shown {
            assert_eq!(
                PostgresDialect.actual_type(name),
                ActualType::Same(sql_type)
            );
        }
        let narrow = PostgresDialect.actual_type("character varying(255)");
        assert_eq!(narrow, ActualType::Narrow(SqlType::Text));
        assert_eq!(PostgresDialect.actual_type("money"), ActualType::Foreign);
    }
}
