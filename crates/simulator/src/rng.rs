//! A random number generator with a fixed sequence for each seed.

use std::fmt::Write;
use std::ops::Range;

/// A random number generator with a fixed sequence for each seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng(fastrand::Rng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns true with a probability of `percent` percent.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(0..100) < percent
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(0..std::cmp::max(end, 1))
    }

    /// Returns a number from `first` to `last`, inclusive.
    pub(crate) fn between(&mut self, first: i64, last: i64) -> i64 {
        self.0.i64(first..=std::cmp::max(first, last))
    }

    /// Returns a number from 0 (inclusive) to 1 (exclusive).
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.f64()
    }

    /// Returns a random item, or `None` if there are no items.
    pub(crate) fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len());
        items.get(index)
    }

    /// Returns a number in a range, which must not be empty.
    pub(crate) fn in_range(&mut self, range: &Range<usize>) -> usize {
        range.start + self.below(range.len())
    }

    /// Returns a random word, or an empty string if there are no words.
    pub(crate) fn choose_word(&mut self, words: &[&'static str]) -> &'static str {
        self.choose(words).copied().unwrap_or_default()
    }

    /// Returns random hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut hex = String::with_capacity(digits);
        while hex.len() < digits {
            // Writing to a string does not fail.
            if write!(hex, "{:016x}", self.0.u64(..)).is_err() {}
        }
        hex.truncate(digits);
        hex
    }

    /// Returns random letters and digits, like the `uuid` columns of Canvas.
    pub(crate) fn alphanumeric(&mut self, count: usize) -> String {
        (0..count).map(|_| self.0.alphanumeric()).collect()
    }

    /// Returns a random UUID of version 4.
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
