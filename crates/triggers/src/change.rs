//! A change in the LMS: the input of the triggers.

use std::collections::BTreeMap;

use easel_catalog::EventOrigin;
use jiff::Timestamp;

use crate::operation::Operation;
use crate::row::Row;

/// One change in the LMS: a row was inserted, updated or deleted, or an action was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The type of the row and the operation, or the action.
    pub subject: Subject,
    /// The row before the change, with all its columns. `None` for an insert.
    pub before: Option<Row>,
    /// The row after the change, with all its columns. `None` for a delete. For an action, the row
    /// `with` of its JSON.
    pub after: Option<Row>,
    /// Related rows, by the names that the catalogue uses for them, such as `course`.
    pub related: BTreeMap<String, Row>,
    /// Whether the change happened in a request or in a job.
    pub origin: EventOrigin,
    /// Metadata fields of the request or job.
    pub context: Row,
    /// Extra members of the body, for event types whose body is only partly known.
    pub body: Row,
    /// The time of the event. `None` means now.
    pub occurred_at: Option<Timestamp>,
}

/// The subject of a change: a row, or an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A row of the LMS database.
    Record {
        /// The type of the row: a class name of Canvas.
        kind: String,
        /// What happened to the row. Never [`Operation::Act`].
        operation: Operation,
    },
    /// An action that changes no row.
    Action {
        /// The name of the action.
        name: String,
    },
}

impl Change {
    /// Returns the JSON pointer of the row that [`row`](Self::row) returns.
    pub(crate) const fn row_pointer(&self) -> &'static str {
        match (&self.subject, &self.after) {
            (Subject::Action { .. }, _) => "/with",
            (Subject::Record { .. }, Some(_)) => "/after",
            (Subject::Record { .. }, None) => "/before",
        }
    }

    /// Returns the latest state of the row: `after`, or `before` of a delete.
    pub(crate) fn row(&self) -> Option<&Row> {
        self.after.as_ref().or(self.before.as_ref())
    }
}
