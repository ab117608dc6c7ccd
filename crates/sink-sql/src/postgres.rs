//! PostgreSQL: connections, and everything that runs in one.

mod connection;
mod cursor;
mod failure;
mod prepared_table;
mod promotion;
mod rows;
mod schema;
mod tls;

pub use connection::{DatabaseUrlError, GuardSource, PgConnection, PgOptions};
pub use cursor::{CursorKey, TableCursor};
pub use failure::SqlFailure;
pub(crate) use prepared_table::{PreparedTable, PreparedTables};
pub use promotion::Promotion;
pub use schema::{PreparedSchema, TableViews};
