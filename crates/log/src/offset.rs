//! A record's place in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A record's place in the log: rises by one with every record and is never used twice.
///
/// As a bound it means "from here on": a range is `[first, next)`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(u64);

impl Offset {
    /// The place of the first record of a new log.
    pub const ZERO: Self = Self(0);

    /// The offset with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The place right after this one.
    ///
    /// Saturates at the end of `u64`, which a log does not reach: at a million records a second
    /// it lies half a million years away.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The place `count` records further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many records lie from `earlier` up to, but not including, this place; zero when
    /// `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
