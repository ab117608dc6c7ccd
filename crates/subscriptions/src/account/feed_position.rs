//! The position of a feed: how far it has matched the events of the log.
//!
//! A feed matches each new event once, against the filters of all lanes that follow it. The accounts of
//! these lanes share the position of the feed.

use std::sync::atomic::{AtomicU64, Ordering};

use easel_log::Offset;

/// The first offset that a feed has not matched for its accounts.
///
/// The feed tells an account only about events that the account wants. For all other events, it only
/// moves this position. An account reads the position only when needed. So an event costs nothing for
/// accounts that do not want it.
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

    /// Moves to `position`. Before this, the feed must [mark as owed](super::Account::owe) each event before
    /// `position` in every account that wants the event.
    pub fn set(&self, position: Offset) {
        self.0.store(position.get(), Ordering::Release);
    }
}
