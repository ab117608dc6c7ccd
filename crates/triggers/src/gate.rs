//! A gate: one condition of a rule.

use std::fmt;

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;

/// One condition of a rule. An event is made only if all gates of its rule are open.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// The condition, as a clause that reads after "if".
    ///
    /// [`inputs`](crate::inputs) also tries its words as values. So it must contain the strings that
    /// `is_open` compares with.
    pub(crate) opens: &'static str,
    /// The text that says why the gate is closed.
    pub(crate) closed: &'static str,
    /// The input that the gate requires.
    pub(crate) needs: Option<Need>,
    pub(crate) is_open: fn(ChangeContext<'_>) -> bool,
}

/// A required input of a gate. Without it, the sender would never get an event and not know why.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// A column of the row.
    Column(&'static str),
    /// A boolean column of the row.
    Truth(&'static str),
    /// A related row, if its id is present.
    Related(&'static str),
}

impl Need {
    /// Returns the required column of the row, if it is a column.
    pub(crate) const fn column(self) -> Option<&'static str> {
        match self {
            Self::Column(column) | Self::Truth(column) => Some(column),
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
            // The triggers reject a value of another type before the gate reads it.
            Self::Truth(column) => {
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
        f.write_str(self.opens)
    }
}

/// Columns that every save touches. An update that changes only these columns is *idle*.
pub(crate) const IDLE_COLUMNS: [&str; 2] = ["updated_at", "sis_batch_id"];

/// The gate against idle updates. Most rules for updates have it.
pub(crate) const NOT_IDLE: Gate = Gate {
    opens: "a column other than updated_at and sis_batch_id changed",
    closed: "only updated_at or sis_batch_id changed",
    needs: None,
    is_open: |ctx| ctx.changed_besides(&IDLE_COLUMNS),
};
