//! A change, and what is asked of it to decide which events follow.

use easel_catalog::parse_timestamp;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::change::Change;
use crate::computed::id_of;
use crate::options::TriggerOptions;
use crate::questions::{ColumnType, Question, Questions, RowName};
use crate::row::{Row, is_same};

/// A change, and what is asked of it to decide which events follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangeContext<'a> {
    pub(crate) change: &'a Change,
    pub(crate) options: TriggerOptions,
    /// Notes the columns that are asked for, where somebody wants to know them.
    pub(crate) asked: Option<&'a Questions>,
}

/// A related row, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelatedRow<'a> {
    pub(crate) row: &'a Row,
    name: &'a str,
    asked: Option<&'a Questions>,
}

impl<'a> ChangeContext<'a> {
    /// What is made of `change`.
    pub(crate) const fn new(change: &'a Change, options: TriggerOptions) -> Self {
        Self {
            change,
            options,
            asked: None,
        }
    }

    fn note(self, row: RowName, column: &str, form: ColumnType) {
        note(self.asked, || row, column, || form);
    }

    /// What is in a column of the record as it is last known, null included.
    pub(crate) fn get(self, column: &str) -> Option<&'a Value> {
        self.note(RowName::Own, column, ColumnType::Any);
        self.change.row().and_then(|row| row.get(column))
    }

    /// The value of a column of the record as it is last known.
    pub(crate) fn value(self, column: &str) -> Option<&'a Value> {
        self.get(column).filter(|value| !value.is_null())
    }

    /// The text of a column of the record as it is last known.
    pub(crate) fn text(self, column: &str) -> Option<&'a str> {
        self.note(RowName::Own, column, ColumnType::Text);
        self.change.row().and_then(|row| row.text(column))
    }

    /// The time in a column of the record as it is last known. A text that is no time is a fault
    /// before this is asked.
    pub(crate) fn time(self, column: &str) -> Option<Timestamp> {
        self.note(RowName::Own, column, ColumnType::Time);
        let text = self.change.row().and_then(|row| row.text(column));
        text.and_then(parse_timestamp)
    }

    /// The object in a column of the record as it is last known; an empty one where it is null. What
    /// is no object is a fault before this is asked.
    pub(crate) fn object(self, column: &str) -> Option<Map<String, Value>> {
        self.note(RowName::Own, column, ColumnType::Object);
        let value = self.change.row().and_then(|row| row.get(column))?;
        Some(value.as_object().cloned().unwrap_or_default())
    }

    /// What is in a column that can hold a list as an array, or as a text with commas.
    pub(crate) fn list(self, column: &str) -> Option<&'a Value> {
        self.note(RowName::Own, column, ColumnType::List);
        self.change.row().and_then(|row| row.get(column))
    }

    /// The record as it is last known, with whatever columns it has.
    pub(crate) fn whole_row(self) -> Option<&'a Row> {
        self.note(RowName::Own, "", ColumnType::Any);
        self.change.row()
    }

    /// The value of a column of the record as it was.
    pub(crate) fn before(self, column: &str) -> Option<&'a Value> {
        self.note(RowName::Before, column, ColumnType::Any);
        let before = self.change.before.as_ref();
        before.and_then(|row| row.value(column))
    }

    /// A record that goes with it.
    pub(crate) fn related(self, name: &'a str) -> Option<RelatedRow<'a>> {
        note(
            self.asked,
            || RowName::Related(name.to_owned()),
            "",
            || ColumnType::Any,
        );
        self.change.related.get(name).map(|row| RelatedRow {
            row,
            name,
            asked: self.asked,
        })
    }

    /// Whether the id of a record that goes with it is told: by the record itself or, of what it
    /// was before, by that; or by the group of a membership.
    pub(crate) fn names(self, related: &str) -> bool {
        let key = |name: &str| format!("{name}_id");
        let id = match related.strip_suffix("_before") {
            Some(name) => self.before(&key(name)),
            None => {
                let group = self
                    .related("group")
                    .filter(|_| self.value("group_id").is_some());
                let of_group = || group.and_then(|row| row.value(&key(related)));
                self.value(&key(related)).or_else(of_group)
            }
        };
        id.is_some_and(|it| id_of(it).is_none_or(|id| id.get() != 0))
    }

    /// Whether a column is another now; at an insertion, whether it has a value.
    pub(crate) fn changed(self, column: &str) -> bool {
        !is_same(column, self.value(column), self.before(column))
    }

    /// Whether one of these columns is another now.
    pub(crate) fn changed_any(self, columns: &[&str]) -> bool {
        columns.iter().any(|column| self.changed(column))
    }

    /// Whether a column has this text now and had another.
    pub(crate) fn became(self, column: &str, text: &str) -> bool {
        note(
            self.asked,
            || RowName::Own,
            column,
            || ColumnType::Word(text.to_owned()),
        );
        self.text(column) == Some(text) && self.changed(column)
    }

    /// Whether a column that is not one of these is another now.
    pub(crate) fn changed_besides(self, columns: &[&str]) -> bool {
        match (&self.change.before, &self.change.after) {
            (Some(before), Some(after)) => after.changed(before).any(|it| !columns.contains(&it)),
            _ => true,
        }
    }

    /// Whether a column holds `true`.
    pub(crate) fn is_true(self, column: &str) -> bool {
        self.note(RowName::Own, column, ColumnType::Truth);
        self.change.row().is_some_and(|row| row.is_true(column))
    }

    /// Whether a column held `true`.
    pub(crate) fn was_true(self, column: &str) -> bool {
        self.note(RowName::Before, column, ColumnType::Truth);
        let before = self.change.before.as_ref();
        before.is_some_and(|row| row.is_true(column))
    }

    /// Whether the record is the placeholder that Canvas keeps for what belongs nowhere.
    pub(crate) fn is_dummy(self) -> bool {
        self.value("id")
            .and_then(id_of)
            .is_some_and(|id| id.local() == 0)
    }

    /// Whether the record is a copy that another shard keeps for itself.
    pub(crate) fn is_shadow(self) -> bool {
        let id = self.value("id").and_then(id_of);
        self.options.shard != 0
            && id.is_some_and(|id| id.shard() != 0 && id.shard() != self.options.shard)
    }
}

impl<'a> RelatedRow<'a> {
    fn note(self, column: &str, form: ColumnType) {
        note(
            self.asked,
            || RowName::Related(self.name.to_owned()),
            column,
            || form,
        );
    }

    /// What is in a column, null included.
    pub(crate) fn get(self, column: &str) -> Option<&'a Value> {
        self.note(column, ColumnType::Any);
        self.row.get(column)
    }

    /// The value of a column, if it is given and not null.
    pub(crate) fn value(self, column: &str) -> Option<&'a Value> {
        self.note(column, ColumnType::Any);
        self.row.value(column)
    }

    /// The text of a column.
    pub(crate) fn text(self, column: &str) -> Option<&'a str> {
        self.note(column, ColumnType::Text);
        self.row.text(column)
    }

    /// Whether a column holds `true`.
    pub(crate) fn is_true(self, column: &str) -> bool {
        self.note(column, ColumnType::Truth);
        self.row.is_true(column)
    }
}

fn note(
    asked: Option<&Questions>,
    row: impl FnOnce() -> RowName,
    column: &str,
    form: impl FnOnce() -> ColumnType,
) {
    if let Some(asked) = asked {
        asked.note(Question {
            row: row(),
            column: column.to_owned(),
            form: form(),
        });
    }
}
