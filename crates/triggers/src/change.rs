//! What happened in the system that the events come from.

use std::collections::BTreeMap;

use easel_catalog::EventOrigin;
use jiff::Timestamp;

use crate::row::Row;
use crate::rule::Operation;

/// What happened in the system that the events come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What changed, or what was done.
    pub subject: Subject,
    /// The record before, with all its columns; none of it at an insertion.
    pub before: Option<Row>,
    /// The record after, with all its columns; none of it at a deletion. Of an action, what it is
    /// about.
    pub after: Option<Row>,
    /// The records that go with it, by the name a body's fields know them by, such as `course`.
    pub related: BTreeMap<String, Row>,
    /// Where it was made.
    pub origin: EventOrigin,
    /// What the request or job tells of itself: fields of the metadata.
    pub context: Row,
    /// Further members of the body, for event types whose bodies are not known whole.
    pub body: Row,
    /// When the event was sent, if that is not now.
    pub occurred_at: Option<Timestamp>,
}

/// What changed, or what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A record of this type, a class name of Canvas.
    Record {
        /// The type.
        kind: String,
        /// What became of it: not [`Operation::Act`].
        operation: Operation,
    },
    /// What changes no record.
    Action {
        /// Its name.
        name: String,
    },
}

impl Change {
    /// Where a place of the record as it is last known is found: `/after`, `/before` or `/with`.
    pub(crate) const fn row_place(&self) -> &'static str {
        match (&self.subject, &self.after) {
            (Subject::Action { .. }, _) => "/with",
            (Subject::Record { .. }, Some(_)) => "/after",
            (Subject::Record { .. }, None) => "/before",
        }
    }

    /// The record as it is last known.
    pub(crate) fn row(&self) -> Option<&Row> {
        self.after.as_ref().or(self.before.as_ref())
    }
}
