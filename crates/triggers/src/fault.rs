//! What is wrong with a change, and what is only unusual about it.

use std::fmt;

use easel_catalog::cut_text;
use thiserror::Error;

/// The most characters of a place, and of a text: both can hold names from the change.
const MAX_CHARS: usize = 512;

/// The most faults reported of one change, and the most warnings.
pub(crate) const MAX_NOTES: usize = 100;

/// Why no event can be made of a change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {what}")]
pub struct ChangeFault {
    /// The JSON pointer to the place in the change.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// All faults of a change, at least one and at most a hundred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeFaults(Vec<ChangeFault>);

/// What is unusual about a change. Its events are made all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The JSON pointer to the place in the change.
    pub at: String,
    /// What is unusual there.
    pub what: String,
}

/// The faults and warnings found so far, each once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    faults: Vec<ChangeFault>,
    pub(crate) warnings: Vec<Warning>,
}

impl ChangeFault {
    pub(crate) fn new(at: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            at: short(&at.to_string()),
            what: short(&what.into()),
        }
    }
}

impl Notes {
    /// Adds a fault: no event is made.
    pub(crate) fn fault(&mut self, at: impl fmt::Display, what: impl Into<String>) {
        let fault = ChangeFault::new(at, what);
        if self.faults.len() < MAX_NOTES && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Adds a warning: the event is made all the same.
    pub(crate) fn warn(&mut self, at: impl fmt::Display, what: impl Into<String>) {
        let warning = Warning {
            at: short(&at.to_string()),
            what: short(&what.into()),
        };
        if self.warnings.len() < MAX_NOTES && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Whether another fault or warning would be reported.
    pub(crate) fn have_room(&self) -> bool {
        self.faults.len() < MAX_NOTES && self.warnings.len() < MAX_NOTES
    }

    /// Gives the faults back, if there are any.
    pub(crate) fn faults(&mut self) -> Result<(), ChangeFaults> {
        match std::mem::take(&mut self.faults) {
            none if none.is_empty() => Ok(()),
            faults => Err(ChangeFaults(faults)),
        }
    }
}

impl ChangeFaults {
    /// The faults, in the order in which they were found.
    pub fn as_slice(&self) -> &[ChangeFault] {
        &self.0
    }

    /// Leaves the first `count` faults, and at least one.
    pub fn truncate(&mut self, count: usize) {
        self.0.truncate(std::cmp::max(count, 1));
    }
}

impl From<ChangeFault> for ChangeFaults {
    fn from(fault: ChangeFault) -> Self {
        Self(vec![fault])
    }
}

impl IntoIterator for ChangeFaults {
    type Item = ChangeFault;
    type IntoIter = std::vec::IntoIter<ChangeFault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// All faults, with `; ` between them.
impl fmt::Display for ChangeFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ChangeFaults {}

fn short(text: &str) -> String {
    cut_text(text, MAX_CHARS).into_owned()
}
