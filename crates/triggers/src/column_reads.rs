//! Records which columns gates and computed values read.
//!
//! Gates and computed values are functions of a [`ChangeContext`](crate::change_context::ChangeContext).
//! If the context has [`ColumnReads`], it records each column that the function reads. So no second list
//! of the columns is needed.

use std::cell::RefCell;

/// The reads of columns, in order and without duplicates.
#[derive(Debug, Default)]
pub(crate) struct ColumnReads(RefCell<Vec<ColumnRead>>);

/// A read of a column, or of a whole row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRead {
    pub(crate) row: RowName,
    /// The name of the column. Empty if the whole row was read. If this row is [`RowName::Own`], it can have
    /// columns of any name.
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
    Boolean,
    /// A time.
    Time,
    /// An object.
    Object,
    /// An array, or a comma-separated string.
    List,
}

impl ColumnReads {
    /// Adds a read, unless it is already there.
    pub(crate) fn add(&self, read: ColumnRead) {
        let mut reads = self.0.borrow_mut();
        if !reads.contains(&read) {
            reads.push(read);
        }
    }

    /// Returns the reads in the order in which they were added.
    pub(crate) fn into_vec(self) -> Vec<ColumnRead> {
        self.0.into_inner()
    }
}
