//! The position up to which a feed has matched events, shared with the accounts that follow the feed.

use std::sync::atomic::{AtomicU64, Ordering};

use easel_log::Offset;

/// The first offset that a feed has not matched for its accounts.
///
/// An account reads the position only when needed, so an event costs nothing for accounts that do not
/// want it.
#[derive(Debug)]
pub struct FeedPosition(AtomicU64);

impl FeedPosition {
    /// Creates the position of a feed that has matched everything before `position`.
    pub const fn new(position: Offset) -> Self {
        Self(AtomicU64::new(position.get()))
    }

    /// Returns the first unmatched offset.
    pub fn get(&self) -> Offset {
        Offset::new(self.0.load(Ordering::Acquire))
    }

    /// Moves to `position`. Every wanted event before `position` must already be owed.
    pub fn set(&self, position: Offset) {
        self.0.store(position.get(), Ordering::Release);
    }
}
