//! A condition that an event stands behind.

use std::fmt;

use crate::scene::Scene;

/// A condition that an event stands behind.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// When it is open: a clause to be read after "if".
    pub(crate) opens: &'static str,
    /// What to say when it is closed.
    pub(crate) closed: &'static str,
    pub(crate) is_open: fn(Scene<'_>) -> bool,
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
    is_open: |scene| scene.changed_besides(&IDLE_COLUMNS),
};
