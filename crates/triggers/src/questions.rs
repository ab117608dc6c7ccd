//! Records which columns gates and computed values read.
//!
//! Gates and computed values are functions of a [`ChangeContext`](crate::change_context::ChangeContext).
//! If the context carries [`Questions`], it records each column that the function reads. So no second
//! list of the columns is needed.

use std::cell::RefCell;

/// The columns that were read, in order and without duplicates.
#[derive(Debug, Default)]
pub(crate) struct Questions(RefCell<Vec<Question>>);

/// A column that was read, or a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) row: RowName,
    /// The name of the column. Empty if the whole row was read: then [`RowName::Own`] can have any
    /// columns.
    pub(crate) column: String,
    pub(crate) column_type: ColumnType,
}

/// A row of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowName {
    /// The latest state of the row: `after`, `with`, or `before` of a delete.
    Own,
    /// The row before the change.
    Before,
    /// The related row of this name.
    Related(String),
}

/// The type that a column was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// A value of any type.
    Any,
    /// A string.
    Text,
    /// A string that the rule compares with this one.
    Word(String),
    /// `true` or `false`.
    Truth,
    /// A time.
    Time,
    /// An object.
    Object,
    /// An array, or a comma-separated string.
    List,
}

impl Questions {
    /// Adds a column, unless it is already there.
    pub(crate) fn note(&self, question: Question) {
        let mut questions = self.0.borrow_mut();
        if !questions.contains(&question) {
            questions.push(question);
        }
    }

    /// Returns the columns in the order of their first read.
    pub(crate) fn into_questions(self) -> Vec<Question> {
        self.0.into_inner()
    }
}
