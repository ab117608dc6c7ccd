//! Which columns gates and worked-out values ask for.
//!
//! Rules are functions of a [`ChangeContext`](crate::change_context::Scene). A scene that carries an [`Questions`] notes
//! every column that is asked of it. So the columns of a rule are known without a second list.

use std::cell::RefCell;

/// The questions that a scene was asked.
#[derive(Debug, Default)]
pub(crate) struct Questions(RefCell<Vec<Question>>);

/// A column that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) row: RowName,
    /// Its name; empty where the row was asked for, which can have any columns if it is the own one.
    pub(crate) column: String,
    pub(crate) form: ColumnType,
}

/// A row of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowName {
    /// The row as it is last known: `after`, `with`, or `before` of a deletion.
    Own,
    /// The row as it was.
    Before,
    /// The related row of this name.
    Related(String),
}

/// What a column was asked for as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// A value of any type.
    Any,
    /// A string.
    Text,
    /// A string that is compared with this one.
    Word(String),
    /// `true` or `false`.
    Truth,
    /// A time.
    Time,
    /// An object.
    Object,
    /// An array, or a string with commas.
    List,
}

impl Questions {
    pub(crate) fn note(&self, question: Question) {
        let mut questions = self.0.borrow_mut();
        if !questions.contains(&question) {
            questions.push(question);
        }
    }

    /// The questions, in the order in which they were first asked.
    pub(crate) fn into_questions(self) -> Vec<Question> {
        self.0.into_inner()
    }
}
