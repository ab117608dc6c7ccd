//! The rows of a batch, by table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use easel_sinks::{Batch, Item};

use crate::copy_format::CopyRows;
use crate::observed::ObservedFields;
use crate::postgres::{PreparedTable, SqlFailure};
use crate::sql_row::{EventFacts, SqlRow};
use crate::table_layout::EventTables;

/// How many bytes of rows are encoded at a time. The server inserts them while the next are encoded.
const CHUNK_BYTES: usize = 64 * 1024;

/// The items of a batch, by the name of their table.
pub(super) struct BatchRows<'b> {
    /// Sorted, so every transaction locks tables in the same order.
    pub(super) tables: BTreeMap<&'b str, TableRows<'b>>,
    /// The new position of the cursor, if there are items beyond the cursor.
    pub(super) next_offset: Option<u64>,
}

/// The items of a batch for one table.
pub(super) struct TableRows<'b> {
    pub(super) prepared: &'b PreparedTable,
    /// The items whose rows cannot exist.
    pub(super) new: Vec<&'b Item>,
    /// The items whose rows may exist already.
    pub(super) repeated: Vec<&'b Item>,
}

impl<'b> BatchRows<'b> {
    /// Sorts the items of a batch by table. `cursor` is the first offset that the tables do not have. With
    /// `rows_may_exist`, other lanes may have inserted any of the rows.
    pub(super) fn new(
        prepared: &'b HashMap<Arc<str>, Arc<PreparedTable>>,
        batch: &'b Batch,
        cursor: u64,
        rows_may_exist: bool,
    ) -> Result<Self, SqlFailure> {
        let mut rows = Self {
            tables: BTreeMap::new(),
            next_offset: None,
        };
        for item in &batch.items {
            let prepared = prepared
                .get(&item.event_type)
                .ok_or(SqlFailure::SchemaChanged)?;
            let name = prepared.table.name.as_str();
            let table = rows.tables.entry(name).or_insert_with(|| TableRows {
                prepared,
                new: Vec::new(),
                repeated: Vec::new(),
            });
            let offset = item.offset.get();
            let is_before_cursor = offset < cursor;
            if is_before_cursor || rows_may_exist {
                table.repeated.push(item);
            } else {
                table.new.push(item);
            }
            if !is_before_cursor {
                rows.next_offset = Some(offset + 1);
            }
        }
        Ok(rows)
    }
}

/// Encodes rows of one table, a chunk at a time.
pub(super) struct RowEncoder<'b> {
    tables: &'b EventTables,
    prepared: &'b PreparedTable,
    items: std::slice::Iter<'b, &'b Item>,
    rows: CopyRows,
    is_over: bool,
    /// How many values did not fit into their columns so far.
    pub(super) mismatch_count: u64,
    /// The offset of an event that cannot be a row.
    pub(super) unreadable: Option<u64>,
}

impl<'b> RowEncoder<'b> {
    /// Encodes the rows of these items.
    pub(super) fn new(
        tables: &'b EventTables,
        prepared: &'b PreparedTable,
        items: &'b [&'b Item],
    ) -> Self {
        Self {
            tables,
            prepared,
            items: items.iter(),
            rows: CopyRows::new(),
            is_over: false,
            mismatch_count: 0,
            unreadable: None,
        }
    }

    /// Returns the next chunk; `None` after the last.
    pub(super) fn next_chunk(&mut self) -> Result<Option<Bytes>, SqlFailure> {
        if self.is_over {
            return Ok(None);
        }
        while self.rows.len() < CHUNK_BYTES {
            let Some(item) = self.items.next() else {
                self.is_over = true;
                self.rows.finish();
                break;
            };
            match row(self.tables, self.prepared, item) {
                Ok(row) => {
                    self.mismatch_count += row.mismatch_count;
                    self.rows.push(&self.prepared.table, &row);
                }
                Err(failure) => {
                    self.unreadable = Some(item.offset.get());
                    return Err(failure);
                }
            }
        }
        Ok(Some(self.rows.take()))
    }
}

fn row<'b>(
    tables: &EventTables,
    prepared: &PreparedTable,
    item: &'b Item,
) -> Result<SqlRow<'b>, SqlFailure> {
    let facts = EventFacts {
        offset: item.offset.get(),
        id: item.id,
        event_type: &item.event_type,
        occurred_at: item.occurred_at,
        received_at: item.appended_at,
    };
    let row = tables.row(&prepared.table, facts, item.form.bytes());
    row.map_err(|error| SqlFailure::RowRefused {
        reason: error.to_string(),
        row_number: None,
    })
}

/// Returns the fields of events of unknown event types with values that do not fit into their columns.
pub(super) fn unfitting_fields<'b>(
    tables: &EventTables,
    rows: &BatchRows<'b>,
) -> Vec<(&'b PreparedTable, ObservedFields)> {
    let mut unfitting = Vec::new();
    for table in rows.tables.values() {
        let mut observed = ObservedFields::default();
        let unknown = table
            .new
            .iter()
            .filter(|item| !tables.knows(&item.event_type));
        for item in unknown {
            let row = row(tables, table.prepared, item);
            if row.is_ok_and(|row| row.mismatch_count > 0) {
                observed.observe(item.form.bytes());
            }
        }
        if observed.iter().next().is_some() {
            unfitting.push((table.prepared, observed));
        }
    }
    unfitting
}
