//! Why no event can be made of a change.

use std::fmt;

use thiserror::Error;

/// Why no event can be made of a change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {what}")]
pub struct ChangeFault {
    /// The JSON pointer to the place in the change.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

impl ChangeFault {
    pub(crate) fn new(at: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            at: at.to_string(),
            what: what.into(),
        }
    }
}
