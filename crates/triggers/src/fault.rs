//! Faults and warnings of a change.

use std::fmt;

use easel_catalog::cut_text;
use thiserror::Error;

/// The maximum number of characters of a JSON pointer and of a text. Both can contain names from the change.
const MAX_CHARS: usize = 512;

/// The maximum number of faults, and also of warnings, that are reported for one change.
pub(crate) const MAX_NOTES: usize = 100;

/// An error in a change. A change with a fault is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {what}")]
pub struct ChangeFault {
    /// The JSON pointer of the invalid value in the change.
    pub at: String,
    /// The error text.
    pub what: String,
}

/// The faults of a change: at least one, at most 100.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeFaults(Vec<ChangeFault>);

/// An unusual value in a change. It does not stop the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The JSON pointer of the unusual value in the change.
    pub at: String,
    /// The warning text.
    pub what: String,
}

/// The faults and warnings found so far, without duplicates.
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
    /// Adds a fault. The change will be rejected.
    pub(crate) fn fault(&mut self, at: impl fmt::Display, what: impl Into<String>) {
        let fault = ChangeFault::new(at, what);
        if self.faults.len() < MAX_NOTES && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Adds a warning. The event is still made.
    pub(crate) fn warn(&mut self, at: impl fmt::Display, what: impl Into<String>) {
        let warning = Warning {
            at: short(&at.to_string()),
            what: short(&what.into()),
        };
        if self.warnings.len() < MAX_NOTES && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Returns whether there is room for another fault and for another warning.
    pub(crate) fn have_room(&self) -> bool {
        self.faults.len() < MAX_NOTES && self.warnings.len() < MAX_NOTES
    }

    /// Fails with all faults, if there are any.
    pub(crate) fn check(&mut self) -> Result<(), ChangeFaults> {
        let faults = std::mem::take(&mut self.faults);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ChangeFaults(faults))
        }
    }
}

impl ChangeFaults {
    /// Returns the faults, in the order in which they were found.
    pub fn as_slice(&self) -> &[ChangeFault] {
        &self.0
    }

    /// Keeps the first `count` faults, but at least one.
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

/// Writes all faults, separated by `; `.
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
