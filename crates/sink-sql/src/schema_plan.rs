//! The changes that make a database ready for tables.
//!
//! A plan compares the tables that are wanted with those that a database has. It adds what is missing and
//! widens what is too narrow, except in the layout `ledbelly`: a table that exists stays as it is. A plan never drops, narrows or renames a table or a column.

use crate::actual_schema::{ActualRelation, ActualSchema};
use crate::conventions::Conventions;
use crate::dialect::{ActualType, Relation, SqlDialect};
use crate::sql_column::{ColumnSource, SqlColumn};
use crate::sql_name::{CURSORS_TABLE, MIGRATIONS_TABLE};
use crate::sql_table::{SqlTable, moved_metadata_name};
use crate::sql_type::SqlType;

/// A change of the schema of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// What changes, in words.
    pub what: String,
    /// The reason.
    pub why: String,
    /// The statements. They run in one transaction.
    pub sql: Vec<String>,
    /// True if the table works without the change. If such a change fails, values that do not fit are in the
    /// column `extra`.
    pub is_optional: bool,
}

/// The changes that make a database ready for tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaPlan {
    /// The changes, in order.
    pub changes: Vec<SchemaChange>,
}

impl SchemaChange {
    /// Widens an integer column of an event type that the catalogue does not know.
    pub(crate) fn widen_observed(
        dialect: &impl SqlDialect,
        table: Relation<'_>,
        column: &SqlColumn,
    ) -> Self {
        Self {
            what: format!(
                "widen column {}.{} from bigint to numeric",
                table.name, column.name
            ),
            why: "events have numbers that the type cannot hold".to_owned(),
            sql: vec![dialect.widen_column(table, &column.name, SqlType::Numeric)],
            is_optional: true,
        }
    }
}

impl SchemaChange {
    /// Adds a column for a field that the catalogue does not know.
    pub(crate) fn promote_observed(
        dialect: &impl SqlDialect,
        table: Relation<'_>,
        column: &str,
        sql_type: SqlType,
    ) -> Self {
        Self {
            what: format!("add column {}.{column}", table.name),
            why: "a new field arrived, and the subscription promotes new fields".to_owned(),
            sql: vec![format!(
                "alter table {} add column if not exists {} {}",
                dialect.relation(table),
                dialect.quote(column),
                dialect.type_name(sql_type)
            )],
            is_optional: true,
        }
    }
}

impl SchemaPlan {
    /// Compares the tables `wanted` with a schema of a database.
    pub fn compare(
        dialect: &impl SqlDialect,
        schema: &str,
        wanted: &[SqlTable],
        actual: &ActualSchema,
    ) -> Self {
        let mut plan = Self::default();
        let own_tables = [CURSORS_TABLE, MIGRATIONS_TABLE];
        if own_tables
            .iter()
            .any(|own| !actual.relations.contains_key(*own))
        {
            // The statement requires a right on the database, even if the schema exists.
            let create_schema = (!actual.exists).then(|| dialect.create_schema(schema));
            let own_tables = dialect.create_own_tables(schema);
            plan.add(
                format!("create schema {schema}"),
                "Easel keeps its position there",
                create_schema.into_iter().chain(own_tables).collect(),
            );
        }
        for table in wanted {
            match actual.relations.get(&table.name) {
                Some(_) if table.conventions != Conventions::Easel => (),
                Some(existing) => plan.compare_table(dialect, schema, table, existing),
                None => plan.add(
                    format!("create table {}", table.name),
                    "an event of this event type arrived, or all tables were requested",
                    dialect.create_table(schema, table),
                ),
            }
        }
        plan
    }

    /// Returns true if nothing has to change.
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds a change.
    pub fn add(&mut self, what: String, why: &str, sql: Vec<String>) {
        self.changes.push(SchemaChange {
            what,
            why: why.to_owned(),
            sql,
            is_optional: false,
        });
    }

    fn add_optional(&mut self, what: String, why: &str, sql: Vec<String>) {
        self.add(what, why, sql);
        if let Some(change) = self.changes.last_mut() {
            change.is_optional = true;
        }
    }

    fn compare_table(
        &mut self,
        dialect: &impl SqlDialect,
        schema: &str,
        table: &SqlTable,
        existing: &ActualRelation,
    ) {
        let relation = Relation {
            schema,
            name: &table.name,
        };
        let mut table = table.clone();
        move_metadata_columns(&mut table, existing);
        for column in &table.columns {
            let name = format!("{}.{}", table.name, column.name);
            let Some(actual) = existing.column(&column.name) else {
                self.add(
                    format!("add column {name}"),
                    "the catalogue has the field",
                    dialect.add_column(relation, column),
                );
                continue;
            };
            if let Some(wider) = wider_type(dialect.actual_type(&actual.type_name), column.sql_type)
            {
                self.add_optional(
                    format!("widen column {name} from {} to {wider}", actual.type_name),
                    "the catalogue allows values that the type cannot hold",
                    vec![dialect.widen_column(relation, &column.name, wider)],
                );
            }
            let comment = actual.comment.as_deref().unwrap_or_default();
            if !column.comment.is_empty() && comment != column.comment {
                self.add_optional(
                    format!("change the comment of column {name}"),
                    "the catalogue describes the field differently",
                    vec![dialect.comment_on_column(relation, column)],
                );
            }
        }
        if existing.comment.as_deref() != Some(table.comment.as_str()) {
            self.add_optional(
                format!("change the comment of table {}", table.name),
                "the catalogue describes the event type differently",
                vec![dialect.comment_on_table(relation, &table.comment)],
            );
        }
    }
}

impl SqlTable {
    /// Returns the table with the columns that the database really has.
    ///
    /// A column that the catalogue does not know is filled from the body field with its name. The values of a
    /// field whose column is missing or has a foreign type go to the column `extra`. Returns the reason if Easel
    /// cannot write into the table.
    pub fn adapted(
        &self,
        dialect: &impl SqlDialect,
        existing: &ActualRelation,
    ) -> Result<Self, String> {
        if self.conventions != Conventions::Easel {
            return self.adapted_as_it_is(dialect, existing);
        }
        let mut table = self.clone();
        move_metadata_columns(&mut table, existing);
        let columns: Vec<_> = table.columns.clone();
        for column in &columns {
            let actual = existing
                .column(&column.name)
                .filter(|actual| actual.is_generated != column.is_written());
            let actual_type = actual.map(|actual| dialect.actual_type(&actual.type_name));
            let written = match actual_type {
                Some(ActualType::Same(sql_type)) => Some(sql_type),
                Some(ActualType::Narrow(_) | ActualType::Foreign) | None => None,
            };
            if is_indispensable(column) && written != Some(column.sql_type) {
                return Err(format!(
                    "the table {} needs a column {}",
                    self.name, column.name
                ));
            }
            table.set_actual_type(&column.name, written);
        }
        for actual in existing
            .columns
            .iter()
            .filter(|actual| !actual.is_generated)
        {
            let is_known = columns.iter().any(|column| column.name == actual.name);
            if let (ActualType::Same(sql_type), false) =
                (dialect.actual_type(&actual.type_name), is_known)
            {
                table.add_actual_column(&actual.name, sql_type);
            }
        }
        Ok(table)
    }
}

/// A table of an event type that the catalogue does not know was created from events. If the body had a field
/// with the name of a metadata field, the metadata column has a suffix.
fn move_metadata_columns(table: &mut SqlTable, existing: &ActualRelation) {
    let moved: Vec<_> = table
        .columns
        .iter()
        .filter_map(|column| match &column.source {
            ColumnSource::Metadata(field) if column.name == *field => Some(field.clone()),
            _ => None,
        })
        .filter(|field| {
            let moved = moved_metadata_name(field);
            let is_other = table.columns.iter().any(|column| column.name == moved);
            !is_other && existing.column(&moved).is_some()
        })
        .collect();
    for field in moved {
        table.move_metadata_column(&field);
    }
}

const fn is_indispensable(column: &SqlColumn) -> bool {
    matches!(column.source, ColumnSource::Offset | ColumnSource::Extra)
}

/// Returns the type to which a column must be widened, so that it holds values of the type `wanted`.
fn wider_type(actual: ActualType, wanted: SqlType) -> Option<SqlType> {
    match (actual, wanted) {
        (ActualType::Narrow(SqlType::BigInt), SqlType::Numeric) => Some(SqlType::Numeric),
        (ActualType::Narrow(base), _) => Some(base),
        (ActualType::Same(SqlType::BigInt), SqlType::Numeric) => Some(SqlType::Numeric),
        (ActualType::Same(_) | ActualType::Foreign, _) => None,
    }
}
