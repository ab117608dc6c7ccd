//! The rows of a batch, by table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use easel_sinks::Batch;

use crate::copy_format::CopyRows;
use crate::json_text::NotJson;
use crate::postgres::{PreparedTable, SqlFailure};
use crate::sql_row::EventFacts;
use crate::table_layout::EventTables;

/// The rows of a batch.
pub(super) struct BatchRows {
    /// The rows by the name of their table. So every transaction locks tables in the same order.
    pub(super) tables: BTreeMap<String, TableRows>,
    /// The new position of the cursor, if there are rows beyond the cursor.
    pub(super) next_offset: Option<u64>,
    /// How many values do not fit into their columns.
    pub(super) mismatch_count: u64,
}

/// The rows of a batch for one table.
pub(super) struct TableRows {
    pub(super) prepared: Arc<PreparedTable>,
    /// The rows from the cursor on.
    pub(super) new: CopyRows,
    /// The offsets of `new`.
    pub(super) new_offsets: Vec<u64>,
    /// The rows before the cursor. They may exist already.
    pub(super) repeated: CopyRows,
}

impl BatchRows {
    /// Encodes the rows of a batch. Returns the offset of an event that cannot be a row, with the failure.
    pub(super) fn new(
        tables: &EventTables,
        prepared: &HashMap<Arc<str>, Arc<PreparedTable>>,
        batch: &Batch,
        cursor: u64,
    ) -> Result<Self, (u64, SqlFailure)> {
        let mut rows = Self {
            tables: BTreeMap::new(),
            next_offset: None,
            mismatch_count: 0,
        };
        for item in &batch.items {
            let offset = item.offset.get();
            let Some(prepared) = prepared.get(&item.event_type) else {
                return Err((offset, SqlFailure::SchemaChanged));
            };
            let facts = EventFacts {
                offset,
                id: item.id,
                event_type: &item.event_type,
                occurred_at: item.occurred_at,
                received_at: item.appended_at,
            };
            let row = tables.row(&prepared.table, facts, item.form.bytes());
            let row = row.map_err(|error: NotJson| {
                let failure = SqlFailure::RowRefused {
                    reason: error.to_string(),
                    row_number: None,
                };
                (offset, failure)
            })?;
            let table = match rows.tables.get_mut(&prepared.table.name) {
                Some(table) => table,
                None => rows
                    .tables
                    .entry(prepared.table.name.clone())
                    .or_insert_with(|| TableRows {
                        prepared: Arc::clone(prepared),
                        new: CopyRows::new(),
                        new_offsets: Vec::new(),
                        repeated: CopyRows::new(),
                    }),
            };
            rows.mismatch_count += row.mismatch_count;
            if offset < cursor {
                table.repeated.push(&table.prepared.table, &row);
            } else {
                table.new.push(&table.prepared.table, &row);
                table.new_offsets.push(offset);
                rows.next_offset = Some(offset + 1);
            }
        }
        Ok(rows)
    }
}
