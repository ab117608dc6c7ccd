//! The keys of an object that were read so far.

use std::borrow::Cow;
use std::collections::HashSet;

/// The number of keys that are compared one by one. Published metadata has up to 26 keys.
const FEW: usize = 32;

/// The keys of an object that were read so far, unescaped.
///
/// Most objects have few keys, and a linear search is fastest for these. Further keys go to a hash
/// set with a random seed, so that a sender cannot choose keys that make the search slow.
#[derive(Debug, Default)]
pub(crate) struct SeenKeys<'a> {
    few: Vec<Cow<'a, [u8]>>,
    rest: HashSet<Cow<'a, [u8]>>,
}

impl<'a> SeenKeys<'a> {
    /// Inserts a key. Returns false if the key was there already.
    pub(crate) fn insert(&mut self, key: Cow<'a, [u8]>) -> bool {
        if self.few.contains(&key) {
            false
        } else if self.few.len() < FEW {
            self.few.push(key);
            true
        } else {
            self.rest.insert(key)
        }
    }
}
