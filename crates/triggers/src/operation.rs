//! The operation of a change.

/// What a change does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// The row is inserted.
    Insert,
    /// The row is updated.
    Update,
    /// The row is deleted.
    Delete,
    /// An action, which changes no row.
    Act,
}
