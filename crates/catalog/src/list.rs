//! A list that lives as long as the process.

use std::fmt;
use std::ops::Deref;

/// A list that lives as long as the process. The catalogue consists of these lists.
///
/// The `Debug` output is the Rust expression for the list. This holds for every type of the
/// catalogue, because the build script writes the built-in tables with `Debug`.
pub struct List<T: 'static>(pub &'static [T]);

impl<T> List<T> {
    /// Leaks `items`, so that they live as long as the process.
    pub fn leak(items: Vec<T>) -> Self {
        Self(Vec::leak(items))
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl<T> IntoIterator for List<T> {
    type Item = &'static T;
    type IntoIter = std::slice::Iter<'static, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List(&{:?})", self.0)
    }
}
