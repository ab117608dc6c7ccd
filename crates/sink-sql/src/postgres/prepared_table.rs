//! The tables of the database, with their statements for inserts.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Statement;

use crate::sql_table::SqlTable;

/// A table of the database, with its statement for inserts.
pub(crate) struct PreparedTable {
    /// The table, with the columns that the database has.
    pub(crate) table: SqlTable,
    /// The statement that inserts rows in the binary format.
    pub(super) copy: Statement,
}

/// The tables that a connection has prepared.
#[derive(Debug, Default)]
pub(crate) struct PreparedTables {
    /// The tables by event type.
    pub(crate) by_event_type: HashMap<Arc<str>, Arc<PreparedTable>>,
    /// The table with one row per event, if the layout has one.
    pub(crate) register: Option<PreparedTable>,
    /// The table that has the events of all event types a second time, if there is one.
    pub(crate) stream: Option<PreparedTable>,
}

impl PreparedTables {
    /// Forgets all tables.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Shows only the name of the table.
impl std::fmt::Debug for PreparedTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PreparedTable")
            .field(&self.table.name)
            .finish()
    }
}
