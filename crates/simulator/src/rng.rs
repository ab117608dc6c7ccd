//! Chance, the same each time for the same seed.

use std::fmt::Write;
use std::ops::Range;

/// Chance, the same each time for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng(fastrand::Rng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Something that happens in so many of a hundred cases.
    pub(crate) fn percent(&mut self, cases: u32) -> bool {
        self.0.u32(0..100) < cases
    }

    /// A number below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(0..std::cmp::max(end, 1))
    }

    /// A number from `first` to `last`.
    pub(crate) fn between(&mut self, first: i64, last: i64) -> i64 {
        self.0.i64(first..=std::cmp::max(first, last))
    }

    /// A number from 0 up to but not with 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.f64()
    }

    /// One of them; the first when there is nothing to choose from.
    pub(crate) fn one_of<'a, T>(&mut self, them: &'a [T]) -> Option<&'a T> {
        let index = self.below(them.len());
        them.get(index)
    }

    /// A number of a range that is not empty.
    pub(crate) fn within(&mut self, range: &Range<usize>) -> usize {
        range.start + self.below(range.len())
    }

    /// A word of some words.
    pub(crate) fn word(&mut self, words: &[&'static str]) -> &'static str {
        self.one_of(words).copied().unwrap_or_default()
    }

    /// Digits of base 16.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut hex = String::with_capacity(digits);
        while hex.len() < digits {
            // Writing to a string does not fail.
            if write!(hex, "{:016x}", self.0.u64(..)).is_err() {}
        }
        hex.truncate(digits);
        hex
    }

    /// Letters and digits, as the names that are unique in an installation have.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| self.0.alphanumeric()).collect()
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!(
            "{}-{}-4{}-a{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        )
    }
}
