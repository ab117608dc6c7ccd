//! How far a feed has matched events, shared with the accounts that follow it.

use std::sync::atomic::{AtomicU64, Ordering};

use easel_log::Offset;

/// Everything before this was matched for every account that follows the feed.
///
/// An account reads it when it is asked, so an event that few want costs the others nothing.
#[derive(Debug)]
pub struct FeedPosition(AtomicU64);

impl FeedPosition {
    /// A feed that has matched everything before `position`.
    pub const fn new(position: Offset) -> Self {
        Self(AtomicU64::new(position.get()))
    }

    /// The first offset that is not matched.
    pub fn get(&self) -> Offset {
        Offset::new(self.0.load(Ordering::Acquire))
    }

    /// Moves on. Every wanted event before `position` must be owed by then.
    pub fn set(&self, position: Offset) {
        self.0.store(position.get(), Ordering::Release);
    }
}
