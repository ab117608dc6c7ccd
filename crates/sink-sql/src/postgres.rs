//! PostgreSQL: connections, and everything that runs in one.

mod connection;
mod cursor;
mod failure;
mod grants;
mod prepared_table;
mod promotion;
mod rebuild;
mod rows;
mod schema;
mod status;
mod tls;

pub use connection::{DatabaseUrlError, GuardSource, PgConnection, PgOptions};
pub use cursor::{CursorKey, TableCursor};
pub use failure::SqlFailure;
pub(crate) use prepared_table::{PreparedTable, PreparedTables};
pub use promotion::Promotion;
pub(crate) use rebuild::RebuildTables;
pub use rebuild::{RebuildRange, RebuildSchemas};
pub use schema::{PreparedSchema, TableViews};
pub use status::{AppliedMigration, TableSize};
