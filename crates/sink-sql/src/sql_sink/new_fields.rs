//! Gives new fields a column when they arrive, if the subscription asks for it.

use crate::dialect::{PostgresDialect, Relation};
use crate::observed::ObservedFields;
use crate::postgres::PreparedTable;
use crate::schema_plan::SchemaChange;

/// The most columns of a table that gets new columns by itself. PostgreSQL allows at most 1,600.
const MAX_COLUMNS: usize = 500;

/// When a field that has no column gets one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromoteFields {
    /// When an operator promotes the field.
    #[default]
    Manual,
    /// When the field arrives. Rows that are older than the column keep the value in the column `extra`, until
    /// an operator promotes the field.
    Auto,
}

/// Returns the columns that a table needs for the fields of its events. `should_try` is called for each field, and
/// says whether its column should be added.
pub(super) fn new_columns(
    schema: &str,
    prepared: &PreparedTable,
    observed: &ObservedFields,
    mut should_try: impl FnMut(&str) -> bool,
) -> Vec<SchemaChange> {
    let table = &prepared.table;
    let room = MAX_COLUMNS.saturating_sub(table.columns.len());
    let is_new = |field: &str| !table.body_fields.iter().any(|known| known.name == field);
    observed
        .iter()
        .filter(|(field, _type)| is_new(field))
        .filter_map(|(field, sql_type)| Some((field, table.column_for_field(field)?, sql_type)))
        .take(room)
        .filter(|(field, _column, _type)| should_try(field))
        .map(|(_field, column, sql_type)| {
            let relation = Relation {
                schema,
                name: &table.name,
            };
            SchemaChange::promote_observed(&PostgresDialect, relation, &column, sql_type)
        })
        .collect()
}
