//! A gate: one condition of a rule.

use std::fmt;

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;

/// One condition of a rule. An event is made only if all gates of its rule are open.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// The condition in words, as a clause that follows "if".
    ///
    /// [`inputs`](crate::inputs) also tries these words as values. So they must include each string that
    /// `is_open` compares with.
    pub(crate) condition: &'static str,
    /// The text that says why the gate is closed.
    pub(crate) closed_text: &'static str,
    /// The input that the gate requires.
    pub(crate) needs: Option<Need>,
    pub(crate) is_open: fn(ChangeContext<'_>) -> bool,
}

/// A required input of a gate. A change without this input is rejected. Otherwise the sender would get no
/// event and not know why.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// A column of the row.
    Column(&'static str),
    /// A boolean column of the row.
    Boolean(&'static str),
    /// A related row. Required only if the change has its id.
    Related(&'static str),
}

impl Need {
    /// Returns the required column of the row, if it is a column.
    pub(crate) const fn column(self) -> Option<&'static str> {
        match self {
            Self::Column(column) | Self::Boolean(column) => Some(column),
            Self::Related(_) => None,
        }
    }

    /// Returns the place of the input if it is missing.
    pub(crate) fn missing(self, ctx: ChangeContext<'_>) -> Option<ChangePath<'static>> {
        match self {
            Self::Column(column) => {
                let is_missing = ctx.get(column).is_none();
                is_missing.then(|| ChangePath::Member(ctx.change.row_pointer(), column))
            }
            // If the value has another type, the triggers reject the change before the gate reads it.
            Self::Boolean(column) => {
                let is_missing = ctx.value(column).is_none();
                is_missing.then(|| ChangePath::Member(ctx.change.row_pointer(), column))
            }
            Self::Related(name) => {
                let is_missing = ctx.related(name).is_none() && ctx.has_foreign_key(name);
                is_missing.then_some(ChangePath::Member("/related", name))
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.condition)
    }
}

/// Columns that every save touches. An update that changes only these columns is *idle*.
pub(crate) const IDLE_COLUMNS: [&str; 2] = ["updated_at", "sis_batch_id"];

/// The gate against idle updates. Most rules for updates have it.
pub(crate) const NOT_IDLE: Gate = Gate {
    condition: "a column other than updated_at and sis_batch_id changed",
    closed_text: "only updated_at or sis_batch_id changed",
    needs: None,
    is_open: |ctx| ctx.changed_besides(&IDLE_COLUMNS),
};
