//! A change with the options, as the rules read it.

use easel_catalog::parse_timestamp;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::change::Change;
use crate::column_reads::{ColumnRead, ColumnReads, ColumnType, RowName};
use crate::id::id_of;
use crate::options::TriggerOptions;
use crate::row::{Row, is_same};

/// A change with the options. Rules read a change only through this type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangeContext<'a> {
    pub(crate) change: &'a Change,
    pub(crate) options: TriggerOptions,
    /// Records each column that a rule reads. `None` if nobody needs the list.
    pub(crate) recorder: Option<&'a ColumnReads>,
}

/// A related row, as the rules read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelatedRow<'a> {
    pub(crate) row: &'a Row,
    name: &'a str,
    recorder: Option<&'a ColumnReads>,
}

impl<'a> ChangeContext<'a> {
    /// Creates a context without a recorder.
    pub(crate) const fn new(change: &'a Change, options: TriggerOptions) -> Self {
        Self {
            change,
            options,
            recorder: None,
        }
    }

    fn record(self, row: RowName, column: &str, column_type: ColumnType) {
        record(self.recorder, || row, column, || column_type);
    }

    /// Returns the content of a column of the latest row, null included.
    pub(crate) fn get(self, column: &str) -> Option<&'a Value> {
        self.record(RowName::Own, column, ColumnType::Any);
        self.change.row().and_then(|row| row.get(column))
    }

    /// Returns the value of a column of the latest row. `None` if it is null or missing.
    pub(crate) fn value(self, column: &str) -> Option<&'a Value> {
        self.get(column).filter(|value| !value.is_null())
    }

    /// Returns the string in a column of the latest row.
    pub(crate) fn text(self, column: &str) -> Option<&'a str> {
        self.record(RowName::Own, column, ColumnType::Text);
        self.change.row().and_then(|row| row.text(column))
    }

    /// Returns the time in a column of the latest row. The triggers have validated the column before.
    pub(crate) fn time(self, column: &str) -> Option<Timestamp> {
        self.record(RowName::Own, column, ColumnType::Time);
        let text = self.change.row().and_then(|row| row.text(column));
        text.and_then(parse_timestamp)
    }

    /// Returns the object in a column of the latest row, or an empty object if the column is null.
    /// The triggers have validated the column before.
    pub(crate) fn object(self, column: &str) -> Option<Map<String, Value>> {
        self.record(RowName::Own, column, ColumnType::Object);
        let value = self.change.row().and_then(|row| row.get(column))?;
        Some(value.as_object().cloned().unwrap_or_default())
    }

    /// Returns the content of a column that holds a list: an array, or a comma-separated string.
    pub(crate) fn list(self, column: &str) -> Option<&'a Value> {
        self.record(RowName::Own, column, ColumnType::List);
        self.change.row().and_then(|row| row.get(column))
    }

    /// Returns the latest row with all its columns.
    pub(crate) fn whole_row(self) -> Option<&'a Row> {
        self.record(RowName::Own, "", ColumnType::Any);
        self.change.row()
    }

    /// Returns the value of a column before the change. `None` if it was null or missing.
    pub(crate) fn before(self, column: &str) -> Option<&'a Value> {
        self.record(RowName::Before, column, ColumnType::Any);
        let before = self.change.before.as_ref();
        before.and_then(|row| row.value(column))
    }

    /// Returns the related row of this name.
    pub(crate) fn related(self, name: &'a str) -> Option<RelatedRow<'a>> {
        record(
            self.recorder,
            || RowName::Related(name.to_owned()),
            "",
            || ColumnType::Any,
        );
        self.change.related.get(name).map(|row| RelatedRow {
            row,
            name,
            recorder: self.recorder,
        })
    }

    /// Returns whether the change has the foreign key of the related row `related`. The key is in the row or
    /// in the group of a membership. For a name that ends with `_before`, it is in the row before the change.
    pub(crate) fn has_foreign_key(self, related: &str) -> bool {
        let key = |name: &str| format!("{name}_id");
        let id = match related.strip_suffix("_before") {
            Some(name) => self.before(&key(name)),
            None => {
                let group = self
                    .related("group")
                    .filter(|_| self.value("group_id").is_some());
                let in_group = || group.and_then(|row| row.value(&key(related)));
                self.value(&key(related)).or_else(in_group)
            }
        };
        id.is_some_and(|value| id_of(value).is_none_or(|id| id.get() != 0))
    }

    /// Returns whether a column changed. For an insert: whether it has a value.
    pub(crate) fn changed(self, column: &str) -> bool {
        !is_same(column, self.value(column), self.before(column))
    }

    /// Returns whether one of these columns changed.
    pub(crate) fn changed_any(self, columns: &[&str]) -> bool {
        columns.iter().any(|column| self.changed(column))
    }

    /// Returns whether a column changed to `text`.
    pub(crate) fn became(self, column: &str, text: &str) -> bool {
        record(
            self.recorder,
            || RowName::Own,
            column,
            || ColumnType::Word(text.to_owned()),
        );
        self.text(column) == Some(text) && self.changed(column)
    }

    /// Returns whether any column except these changed. True for an insert and a delete.
    pub(crate) fn changed_besides(self, columns: &[&str]) -> bool {
        match (&self.change.before, &self.change.after) {
            (Some(before), Some(after)) => after
                .changed(before)
                .any(|column| !columns.contains(&column)),
            _ => true,
        }
    }

    /// Returns whether a column is `true`.
    pub(crate) fn is_true(self, column: &str) -> bool {
        self.record(RowName::Own, column, ColumnType::Boolean);
        self.change.row().is_some_and(|row| row.is_true(column))
    }

    /// Returns whether a column was `true` before the change.
    pub(crate) fn was_true(self, column: &str) -> bool {
        self.record(RowName::Before, column, ColumnType::Boolean);
        let before = self.change.before.as_ref();
        before.is_some_and(|row| row.is_true(column))
    }

    /// Returns whether the row is Canvas's placeholder, which has the local id 0.
    pub(crate) fn is_dummy(self) -> bool {
        self.value("id")
            .and_then(id_of)
            .is_some_and(|id| id.local() == 0)
    }

    /// Returns whether the row is a shadow: a copy of a row of another shard.
    pub(crate) fn is_shadow(self) -> bool {
        let id = self.value("id").and_then(id_of);
        self.options.shard != 0
            && id.is_some_and(|id| id.shard() != 0 && id.shard() != self.options.shard)
    }
}

impl<'a> RelatedRow<'a> {
    fn record(self, column: &str, column_type: ColumnType) {
        record(
            self.recorder,
            || RowName::Related(self.name.to_owned()),
            column,
            || column_type,
        );
    }

    /// Returns the content of a column, null included.
    pub(crate) fn get(self, column: &str) -> Option<&'a Value> {
        self.record(column, ColumnType::Any);
        self.row.get(column)
    }

    /// Returns the value of a column. `None` if it is null or missing.
    pub(crate) fn value(self, column: &str) -> Option<&'a Value> {
        self.record(column, ColumnType::Any);
        self.row.value(column)
    }

    /// Returns the string in a column.
    pub(crate) fn text(self, column: &str) -> Option<&'a str> {
        self.record(column, ColumnType::Text);
        self.row.text(column)
    }

    /// Returns whether a column is `true`.
    pub(crate) fn is_true(self, column: &str) -> bool {
        self.record(column, ColumnType::Boolean);
        self.row.is_true(column)
    }
}

fn record(
    recorder: Option<&ColumnReads>,
    row: impl FnOnce() -> RowName,
    column: &str,
    column_type: impl FnOnce() -> ColumnType,
) {
    if let Some(recorder) = recorder {
        recorder.add(ColumnRead {
            row: row(),
            column: column.to_owned(),
            column_type: column_type(),
        });
    }
}
