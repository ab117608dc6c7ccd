//! Why no event can be made of a change.

use std::fmt;

use easel_catalog::cut_text;
use thiserror::Error;

/// The most characters of each: names of the change can stand in both.
const MAX_CHARS: usize = 512;

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
            at: cut_text(&at.to_string(), MAX_CHARS).into_owned(),
            what: cut_text(&what.into(), MAX_CHARS).into_owned(),
        }
    }
}
