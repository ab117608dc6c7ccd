//! A table of the database, with its statement for inserts.

use tokio_postgres::Statement;

use crate::sql_table::SqlTable;

/// A table of the database, with its statement for inserts.
pub(crate) struct PreparedTable {
    /// The table, with the columns that the database has.
    pub(crate) table: SqlTable,
    /// The statement that inserts rows in the binary format.
    pub(super) copy: Statement,
}

/// Shows only the name of the table.
impl std::fmt::Debug for PreparedTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PreparedTable")
            .field(&self.table.name)
            .finish()
    }
}
