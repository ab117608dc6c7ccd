//! The views for people.
//!
//! - `<event>_latest`: the newest row of each object, for event types that end in `_updated`.
//! - `enrollments_now`: the newest state of each enrollment, without those that were deleted.
//! - `grades_now`: the newest grade of each submission.
//! - `activity_by_day`: the events and the acting users of each day and event type.
//!
//! The catalogue says which fields the tables have. A view exists if all its tables exist.

use std::collections::BTreeSet;

use crate::dialect::{Relation, SqlDialect};
use crate::sql_column::ColumnSource;
use crate::sql_name::latest_view;
use crate::sql_table::{OFFSET_COLUMN, SqlTable};
use crate::sql_type::SqlType;

/// A view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlView {
    /// The name.
    pub name: String,
    /// The query.
    pub query: String,
    /// What its rows mean.
    pub comment: String,
}

impl SqlView {
    /// Returns all views over the tables `tables`.
    pub fn all(dialect: &impl SqlDialect, schema: &str, tables: &[SqlTable]) -> Vec<Self> {
        // The views order rows by their offsets.
        let has_offset = |table: &&SqlTable| table.column_of(&ColumnSource::Offset).is_some();
        let tables: Vec<_> = tables.iter().filter(has_offset).collect();
        let find = |name: &str| tables.iter().find(|table| table.name == name).copied();
        let mut views: Vec<_> = tables
            .iter()
            .filter_map(|table| latest(dialect, schema, table))
            .collect();
        if let (Some(created), Some(updated)) =
            (find("enrollment_created"), find("enrollment_updated"))
        {
            views.extend(enrollments_now(dialect, schema, created, updated));
        }
        views.extend(find("grade_change").and_then(|table| grades_now(dialect, schema, table)));
        views.extend(activity_by_day(dialect, schema, &tables));
        views
    }

    /// Returns the statements that create the view.
    pub fn create(&self, dialect: &impl SqlDialect, schema: &str) -> Vec<String> {
        let view = Relation {
            schema,
            name: &self.name,
        };
        dialect.create_view(view, &self.query, &self.comment)
    }

    /// Returns the statement that drops the view.
    pub fn drop(&self, dialect: &impl SqlDialect, schema: &str) -> String {
        dialect.drop_view(Relation {
            schema,
            name: &self.name,
        })
    }
}

fn relation(dialect: &impl SqlDialect, schema: &str, table: &SqlTable) -> String {
    dialect.relation(Relation {
        schema,
        name: &table.name,
    })
}

fn newest_first(dialect: &impl SqlDialect) -> String {
    format!(
        "{} desc, {} desc",
        dialect.quote("event_time"),
        dialect.quote(OFFSET_COLUMN)
    )
}

/// The key of `submission_updated` is `submission_id`.
fn latest(dialect: &impl SqlDialect, schema: &str, table: &SqlTable) -> Option<SqlView> {
    let object = table.event_type.as_deref()?.strip_suffix("_updated")?;
    let key = table.body_column(&format!("{object}_id"))?;
    Some(SqlView {
        name: latest_view(&table.name),
        query: dialect.first_per_key(
            &relation(dialect, schema, table),
            &dialect.quote(&key.name),
            &newest_first(dialect),
        ),
        comment: format!("The newest row of {} for each {}.", table.name, key.name),
    })
}

fn enrollments_now(
    dialect: &impl SqlDialect,
    schema: &str,
    created: &SqlTable,
    updated: &SqlTable,
) -> Option<SqlView> {
    let key = dialect.quote(&updated.body_column("enrollment_id")?.name);
    let state = dialect.quote(&updated.body_column("workflow_state")?.name);
    let shared = shared_columns(dialect, created, updated);
    let select = |table| format!("select {shared} from {}", relation(dialect, schema, table));
    let both = format!(
        "({} union all {}) as both_tables",
        select(created),
        select(updated)
    );
    let newest = dialect.first_per_key(&both, &key, &newest_first(dialect));
    Some(SqlView {
        name: "enrollments_now".to_owned(),
        query: format!(
            "select * from ({newest}) as newest where {state} is distinct from 'deleted'"
        ),
        comment: "The newest state of each enrollment. Deleted enrollments are left out."
            .to_owned(),
    })
}

/// Returns the columns that both tables have with the same type, in the order of the first.
fn shared_columns(dialect: &impl SqlDialect, first: &SqlTable, second: &SqlTable) -> String {
    let columns = first.columns.iter().filter(|column| {
        let is_same = |other: &&crate::sql_column::SqlColumn| {
            other.name == column.name && other.sql_type == column.sql_type
        };
        second.columns.iter().any(|other| is_same(&other))
    });
    let names: Vec<_> = columns.map(|column| dialect.quote(&column.name)).collect();
    names.join(", ")
}

fn grades_now(dialect: &impl SqlDialect, schema: &str, table: &SqlTable) -> Option<SqlView> {
    let key = dialect.quote(&table.body_column("submission_id")?.name);
    Some(SqlView {
        name: "grades_now".to_owned(),
        query: dialect.first_per_key(
            &relation(dialect, schema, table),
            &key,
            &newest_first(dialect),
        ),
        comment: "The newest grade of each submission.".to_owned(),
    })
}

fn activity_by_day(
    dialect: &impl SqlDialect,
    schema: &str,
    tables: &[&SqlTable],
) -> Option<SqlView> {
    let day = dialect.day_of(&dialect.quote("event_time"));
    let mut parts = BTreeSet::new();
    for table in tables {
        let user = table.column_of(&ColumnSource::Metadata("user_id".to_owned()));
        let user = user.map_or(
            format!("cast(null as {})", dialect.type_name(SqlType::BigInt)),
            |user| dialect.quote(&user.name),
        );
        let event_name = match &table.event_type {
            Some(event_type) => dialect.literal(event_type),
            None => dialect.quote("event_name"),
        };
        parts.insert(format!(
            "select {day} as day, {event_name} as event_name, {user} as user_id from {}",
            relation(dialect, schema, table)
        ));
    }
    let parts: Vec<_> = parts.into_iter().collect();
    (!parts.is_empty()).then(|| SqlView {
        name: "activity_by_day".to_owned(),
        query: format!(
            "select day, event_name, count(*) as event_count, count(distinct user_id) as user_count \
             from ({}) as activity group by day, event_name",
            parts.join(" union all ")
        ),
        comment: "For each day (UTC) and event type: the number of events, and of users who acted.".to_owned(),
    })
}
