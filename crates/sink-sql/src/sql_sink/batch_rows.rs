//! The rows of a batch, by table.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use easel_sinks::{Batch, Item};
use uuid::Uuid;

use crate::conventions::Conventions;
use crate::copy_format::CopyRows;
use crate::json_text::NotJson;
use crate::observed::ObservedFields;
use crate::postgres::{PreparedTable, PreparedTables, SqlFailure};
use crate::sql_row::{EventFacts, SqlRow};
use crate::sql_type::SqlType;
use crate::table_layout::EventTables;

/// How many bytes of rows are encoded at a time. The server inserts them while the next are encoded.
const CHUNK_BYTES: usize = 64 * 1024;

/// The items of a batch, by the name of their table.
pub(super) struct BatchRows<'b> {
    /// Sorted, so every transaction locks tables in the same order.
    pub(super) tables: BTreeMap<&'b str, TableRows<'b>>,
    /// The new position of the cursor and the id of the event before it, if there are items beyond the cursor.
    pub(super) next: Option<(u64, Uuid)>,
}

/// What the rows of a table are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowKind {
    /// Events.
    Event,
    /// Events that have a row in another table too.
    Stream,
    /// What the other tables do not hold of the events.
    Register,
}

/// The items of a batch for one table.
pub(super) struct TableRows<'b> {
    pub(super) prepared: &'b PreparedTable,
    kind: RowKind,
    /// The items whose rows cannot exist.
    pub(super) new: Vec<&'b Item>,
    /// The items whose rows may exist already.
    pub(super) repeated: Vec<&'b Item>,
}

impl<'b> BatchRows<'b> {
    /// Sorts the items of a batch by table. `cursor` is the first offset that the tables do not have. With
    /// `rows_may_exist`, other lanes may have inserted any of the rows.
    pub(super) fn new(
        prepared: &'b PreparedTables,
        batch: &'b Batch,
        cursor: u64,
        rows_may_exist: bool,
    ) -> Result<Self, SqlFailure> {
        let mut rows = Self {
            tables: BTreeMap::new(),
            next: None,
        };
        for item in &batch.items {
            let table = prepared.by_event_type.get(&item.event_type);
            let table = table.ok_or(SqlFailure::SchemaChanged)?;
            let is_before_cursor = item.offset.get() < cursor;
            let is_repeated = is_before_cursor || rows_may_exist;
            rows.add(table, RowKind::Event, item, is_repeated);
            if let Some(stream) = &prepared.stream {
                rows.add(stream, RowKind::Stream, item, is_repeated);
            }
            if let Some(register) = &prepared.register {
                rows.add(register, RowKind::Register, item, is_repeated);
            }
            if !is_before_cursor {
                rows.next = Some((item.offset.get() + 1, item.id));
            }
        }
        Ok(rows)
    }

    fn add(
        &mut self,
        prepared: &'b PreparedTable,
        kind: RowKind,
        item: &'b Item,
        is_repeated: bool,
    ) {
        let name = prepared.table.name.as_str();
        let table = self.tables.entry(name).or_insert_with(|| TableRows {
            prepared,
            kind,
            new: Vec::new(),
            repeated: Vec::new(),
        });
        if is_repeated {
            table.repeated.push(item);
        } else {
            table.new.push(item);
        }
    }

    /// Returns true if rows of the batch may exist already.
    pub(super) fn has_repeated(&self) -> bool {
        self.tables.values().any(|table| !table.repeated.is_empty())
    }

    /// Leaves out the rows of the events whose offsets are `registered`. All other rows are new.
    pub(super) fn leave_out(&mut self, registered: &HashSet<u64>) {
        for table in self.tables.values_mut() {
            table.new.append(&mut table.repeated);
            table
                .new
                .retain(|item| !registered.contains(&item.offset.get()));
        }
    }
}

impl TableRows<'_> {
    /// Returns true if Easel may change the columns of the table.
    pub(super) fn may_change(&self) -> bool {
        self.kind == RowKind::Event && self.prepared.table.conventions == Conventions::Easel
    }
}

/// Encodes rows of one table, a chunk at a time.
pub(super) struct RowEncoder<'b> {
    tables: &'b EventTables,
    all_prepared: &'b PreparedTables,
    prepared: &'b PreparedTable,
    kind: RowKind,
    items: std::slice::Iter<'b, &'b Item>,
    rows: CopyRows,
    is_over: bool,
    /// How many values did not fit into their columns so far.
    pub(super) mismatch_count: u64,
    /// The offset of an event that cannot be a row.
    pub(super) unreadable: Option<u64>,
    /// Whether the fields of events that need the column `extra` are observed.
    pub(super) observes_extra: bool,
    /// These fields.
    pub(super) observed: ObservedFields,
}

impl<'b> RowEncoder<'b> {
    /// Encodes the rows of these items.
    pub(super) fn new(
        tables: &'b EventTables,
        all_prepared: &'b PreparedTables,
        rows: &'b TableRows<'b>,
        items: &'b [&'b Item],
    ) -> Self {
        Self {
            tables,
            all_prepared,
            prepared: rows.prepared,
            kind: rows.kind,
            items: items.iter(),
            rows: CopyRows::new(),
            is_over: false,
            mismatch_count: 0,
            unreadable: None,
            observes_extra: false,
            observed: ObservedFields::default(),
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
            match self.row(item) {
                Ok(row) => {
                    if self.kind == RowKind::Event {
                        self.mismatch_count += row.mismatch_count;
                    }
                    self.rows.push(&self.prepared.table, &row);
                    if self.observes_extra && self.prepared.table.needs_extra(&row) {
                        self.observed.observe(item.form.bytes());
                    }
                }
                Err(failure) => {
                    self.unreadable = Some(item.offset.get());
                    return Err(failure);
                }
            }
        }
        Ok(Some(self.rows.take()))
    }

    fn row(&self, item: &'b Item) -> Result<SqlRow<'b>, SqlFailure> {
        match self.kind {
            RowKind::Event | RowKind::Stream => row(self.tables, self.prepared, item),
            RowKind::Register => {
                let main = self.all_prepared.by_event_type.get(&item.event_type);
                let main = row(self.tables, main.ok_or(SqlFailure::SchemaChanged)?, item)?;
                let row = SqlRow::in_register(&self.prepared.table, facts(item), main.extra);
                row.map_err(refused)
            }
        }
    }
}

fn row<'b>(
    tables: &EventTables,
    prepared: &PreparedTable,
    item: &'b Item,
) -> Result<SqlRow<'b>, SqlFailure> {
    let row = tables.row(&prepared.table, facts(item), item.form.bytes());
    row.map_err(refused)
}

fn facts(item: &Item) -> EventFacts<'_> {
    EventFacts {
        offset: item.offset.get(),
        id: item.id,
        event_type: &item.event_type,
        occurred_at: item.occurred_at,
        received_at: item.appended_at,
    }
}

fn refused(error: NotJson) -> SqlFailure {
    SqlFailure::RowRefused {
        reason: error.to_string(),
        row_number: None,
    }
}

/// Returns the fields of events of unknown event types with decimal numbers, if such an event has values that do not
/// fit into their columns. Only for tables that Easel may change.
pub(super) fn decimal_fields<'b>(
    tables: &EventTables,
    rows: &BatchRows<'b>,
) -> Vec<(&'b PreparedTable, BTreeSet<String>)> {
    let mut found = Vec::new();
    for table in rows.tables.values().filter(|table| table.may_change()) {
        let mut fields = BTreeSet::new();
        let unknown = table
            .new
            .iter()
            .filter(|item| !tables.knows(&item.event_type));
        for item in unknown {
            let row = row(tables, table.prepared, item);
            if row.is_ok_and(|row| row.mismatch_count > 0) {
                // One event at a time: a field can be a number in one event, and a text in another.
                let mut observed = ObservedFields::default();
                observed.observe(item.form.bytes());
                let decimals = observed
                    .iter()
                    .filter(|(_, sql_type)| *sql_type == SqlType::Numeric);
                fields.extend(decimals.map(|(field, _)| field.to_owned()));
            }
        }
        if !fields.is_empty() {
            found.push((table.prepared, fields));
        }
    }
    found
}
