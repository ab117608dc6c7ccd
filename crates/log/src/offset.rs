//! The offset of a record in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A record's place in the log. It rises by one with every record and is never reused.
///
/// Ranges of offsets include their start and exclude their end: `[start, end)`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(u64);

impl Offset {
    /// The offset of the first record of a new log.
    pub const ZERO: Self = Self(0);

    /// Creates the offset with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the offset after this one.
    ///
    /// Saturates at the maximum of `u64`. A log never reaches this limit: at a million records a
    /// second, it would take half a million years.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// Returns the offset `count` records after this one.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// Returns the number of records in `[earlier, self)`, or zero if `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
