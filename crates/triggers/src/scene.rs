//! A change, and what is asked of it to decide which events follow.

use serde_json::Value;

use crate::change::Change;
use crate::options::Options;
use crate::row::{Row, is_same};
use crate::worked::id_of;

/// A change, and what is asked of it to decide which events follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) change: &'a Change,
    pub(crate) options: Options,
}

impl<'a> Scene<'a> {
    /// The value of a column of the record as it is last known.
    pub(crate) fn value(self, column: &str) -> Option<&'a Value> {
        self.change.row().and_then(|row| row.value(column))
    }

    /// The text of a column of the record as it is last known.
    pub(crate) fn text(self, column: &str) -> Option<&'a str> {
        self.value(column).and_then(Value::as_str)
    }

    /// The value of a column of the record as it was.
    pub(crate) fn before(self, column: &str) -> Option<&'a Value> {
        let before = self.change.before.as_ref();
        before.and_then(|row| row.value(column))
    }

    /// A record that goes with it.
    pub(crate) fn related(self, name: &str) -> Option<&'a Row> {
        self.change.related.get(name)
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
        self.value(column) == Some(&Value::Bool(true))
    }

    /// Whether a column held `true`.
    pub(crate) fn was_true(self, column: &str) -> bool {
        self.before(column) == Some(&Value::Bool(true))
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
