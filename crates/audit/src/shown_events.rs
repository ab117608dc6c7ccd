//! How many events a caller was shown, and in which range.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};

/// Events that a caller was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShownEvents {
    /// The number of events.
    pub count: u64,
    /// The offsets of the first and the last one, if there is one.
    pub offsets: Option<(u64, u64)>,
}

/// The events that a stream has shown so far.
#[derive(Debug)]
pub struct StreamTally {
    count: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
}

impl ShownEvents {
    /// Creates the summary of events with these offsets.
    pub fn of_offsets(offsets: impl IntoIterator<Item = u64>) -> Self {
        let mut shown = Self::default();
        for offset in offsets {
            shown.add(&Self {
                count: 1,
                offsets: Some((offset, offset)),
            });
        }
        shown
    }

    /// Creates the summary of events without offsets.
    pub const fn of_count(count: u64) -> Self {
        Self {
            count,
            offsets: None,
        }
    }

    pub(crate) fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.offsets = match (self.offsets, more.offsets) {
            (Some((first, last)), Some((more_first, more_last))) => Some((
                std::cmp::min(first, more_first),
                std::cmp::max(last, more_last),
            )),
            (offsets, None) | (None, offsets) => offsets,
        };
    }

    /// Writes the summary into the details of an entry.
    pub(crate) fn write(&self, details: &mut Map<String, Value>) {
        details.insert("events".to_owned(), self.count.into());
        if let Some((first, last)) = self.offsets {
            details.insert("first_offset".to_owned(), first.into());
            details.insert("last_offset".to_owned(), last.into());
        }
    }
}

impl StreamTally {
    /// Adds an event that is about to be shown.
    pub fn add(&self, offset: u64) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.first.fetch_min(offset, Ordering::AcqRel);
        self.last.fetch_max(offset, Ordering::AcqRel);
    }

    /// Returns what was added since the last call.
    pub(crate) fn take(&self) -> ShownEvents {
        let count = self.count.swap(0, Ordering::AcqRel);
        let first = self.first.swap(u64::MAX, Ordering::AcqRel);
        let last = self.last.swap(0, Ordering::AcqRel);
        ShownEvents {
            count,
            offsets: (count > 0).then_some((first, last)),
        }
    }
}

impl Default for StreamTally {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            first: AtomicU64::new(u64::MAX),
            last: AtomicU64::new(0),
        }
    }
}
