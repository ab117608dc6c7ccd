//! A condition that an event stands behind.

use std::fmt;

use crate::change_context::ChangeContext;
use crate::change_path::ChangePath;

/// A condition that an event stands behind.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// When it is open: a clause to be read after "if".
    pub(crate) opens: &'static str,
    /// What to say when it is closed.
    pub(crate) closed: &'static str,
    /// What it cannot do without.
    pub(crate) needs: Option<Need>,
    pub(crate) is_open: fn(ChangeContext<'_>) -> bool,
}

/// What a gate cannot do without: were it forgotten, an event would never be made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// A column of the record.
    Column(&'static str),
    /// A column of the record that holds `true` or `false`.
    Truth(&'static str),
    /// A record that goes with it, where its id is told.
    Related(&'static str),
}

impl Need {
    /// The column of the record that it is, if it is one.
    pub(crate) const fn column(self) -> Option<&'static str> {
        match self {
            Self::Column(column) | Self::Truth(column) => Some(column),
            Self::Related(_) => None,
        }
    }

    /// Where it is missing, if it is.
    pub(crate) fn missing(self, scene: ChangeContext<'_>) -> Option<ChangePath<'static>> {
        match self {
            Self::Column(column) => {
                let is_missing = scene.get(column).is_none();
                is_missing.then(|| ChangePath::Member(scene.change.row_place(), column))
            }
            // A value of another type is refused before the gate reads it.
            Self::Truth(column) => {
                let is_missing = scene.value(column).is_none();
                is_missing.then(|| ChangePath::Member(scene.change.row_place(), column))
            }
            Self::Related(name) => {
                let is_missing = scene.related(name).is_none() && scene.names(name);
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

/// What keeps an update from being one: the two columns that change without anything happening.
pub(crate) const IDLE_COLUMNS: [&str; 2] = ["updated_at", "sis_batch_id"];

/// What keeps most updates that change nothing from making events.
pub(crate) const NOT_IDLE: Gate = Gate {
    opens: "something besides updated_at and sis_batch_id changed",
    closed: "only updated_at or sis_batch_id changed",
    needs: None,
    is_open: |scene| scene.changed_besides(&IDLE_COLUMNS),
};
