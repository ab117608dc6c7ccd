//! The keys an object has shown so far.

use std::borrow::Cow;
use std::collections::HashSet;

/// How many keys are compared one by one; published metadata has up to 26.
const FEW: usize = 32;

/// The keys an object has shown so far, unescaped.
///
/// Nearly every object has few keys, for which looking at each is the fastest. The others go to
/// a table with a secret hash, so that no choice of keys makes it slow.
#[derive(Debug, Default)]
pub(crate) struct SeenKeys<'a> {
    few: Vec<Cow<'a, [u8]>>,
    rest: HashSet<Cow<'a, [u8]>>,
}

impl<'a> SeenKeys<'a> {
    /// Notes a key; false when it was there already.
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
