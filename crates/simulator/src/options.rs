//! The options of a simulated term.

use jiff::Timestamp;

/// The options of a simulated term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermOptions {
    /// The random seed. The same seed gives the same term.
    pub seed: u64,
    /// The number of students. 0 means 1.
    pub students: u32,
    /// The number of days.
    pub days: u32,
    /// The start of the term: midnight of the first day.
    pub begins: Timestamp,
}

impl Default for TermOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            students: 200,
            days: 30,
            // 12 January 2026.
            begins: Timestamp::constant(1_768_176_000, 0),
        }
    }
}
