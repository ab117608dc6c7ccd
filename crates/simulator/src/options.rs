//! What a term is like.

use jiff::Timestamp;

/// What a term is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermOptions {
    /// What chance begins with: the same seed gives the same term.
    pub seed: u64,
    /// How many students there are, at least one.
    pub students: u32,
    /// How many days it lasts.
    pub days: u32,
    /// When it begins: midnight of its first day.
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
