//! Events as typed rows of PostgreSQL tables, exactly once.
//!
//! [`SqlTable::of_event_type`] derives a table from the catalogue: a column per field, with its type and
//! its comment. [`SqlRow::from_event`] reads the values of an event in one pass. A value that does not fit
//! into its column, and a field that the catalogue does not know, are in the column `extra`, so no
//! information is lost. This part is pure.
//!
//! [`SqlSink`] writes the rows of a batch and the lane's cursor in one transaction. It creates and widens
//! tables first, as [`SchemaPlan`] says. [`SqlDialect`] is the seam for a second kind of database.
//!
//! This crate does not decide when to retry, and it does not read settings.
//!
//! ```
//! use easel_catalog::{Catalog, admit, Limits};
//! use easel_sink_sql::{EventFacts, EventTables, ObservedFields, SqlValue, TableLayout};
//!
//! let event = admit(
//!     br#"{
//!         "metadata": {"event_name": "logged_out", "event_time": "2019-11-01T19:11:05.222Z", "user_id": "70000000000031"},
//!         "body": {"mood": "good"}
//!     }"#,
//!     &Limits::default(),
//! )?;
//! let tables = EventTables::new(Catalog::built_in().into(), TableLayout::Typed, Vec::new());
//! let table = tables.table_of(&event.event_type, &ObservedFields::default());
//! assert_eq!(table.name, "logged_out");
//!
//! let facts = EventFacts {
//!     offset: 41,
//!     id: event.id,
//!     event_type: &event.event_type,
//!     occurred_at: event.occurred_at,
//!     received_at: None,
//! };
//! let row = tables.row(&table, facts, &event.bytes)?;
//! let value = |name: &str| {
//!     let index = table.columns.iter().position(|column| column.name == name).unwrap();
//!     row.values[index].clone()
//! };
//! assert_eq!(value("easel_offset"), SqlValue::BigInt(41));
//! assert_eq!(value("user_id"), SqlValue::BigInt(70_000_000_000_031));
//! assert_eq!(value("extra"), SqlValue::Json(br#"{"mood":"good"}"#.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decimal;
mod json_text;
mod sql_name;
mod sql_type;
mod sql_value;

mod conventions;
mod ledbelly_value;

mod extra;
mod observed;
mod sql_column;
mod sql_row;
mod sql_table;

mod ledbelly_table;
mod table_layout;

mod actual_schema;
mod dialect;
mod schema_plan;
mod sql_view;

mod copy_format;
mod metrics;
mod postgres;
mod sql_sink;
mod table_admin;

pub use actual_schema::{ActualColumn, ActualRelation, ActualSchema};
pub use decimal::Decimal;
pub use dialect::{ActualType, PostgresDialect, Relation, SqlDialect};
pub use json_text::NotJson;
pub use metrics::describe_metrics;
pub use observed::ObservedFields;
pub use postgres::{
    AppliedMigration, CursorKey, DatabaseUrlError, GuardSource, PgConnection, PgOptions,
    PreparedSchema, Promotion, RebuildRange, RebuildSchemas, SqlFailure, TableCursor, TableSize,
    TableViews,
};
pub use schema_plan::{SchemaChange, SchemaPlan};
pub use sql_column::{ColumnSource, SqlColumn};
pub use sql_name::table_name;
pub use sql_row::{EventFacts, RowRules, SqlRow};
pub use sql_sink::{PromoteFields, SqlSink, SqlSinkOptions};
pub use sql_table::SqlTable;
pub use sql_type::SqlType;
pub use sql_value::{FieldShape, SqlValue};
pub use sql_view::SqlView;
pub use table_admin::{SchemaStatus, TableAdmin};
pub use table_layout::{EventTables, TableLayout};
