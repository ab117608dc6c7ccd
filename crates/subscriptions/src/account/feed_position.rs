//! The position of a feed: how far it has matched the events of the log.
//!
//! A feed matches each new event once, against the filters of all lanes that follow it. The accounts of
//! these lanes share the position of the feed.
//!
//! A confined account must not learn how many events others have. So the feed also counts the events within each
//! confined reach that a subscription has, and publishes position and counts together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use easel_catalog::RootAccount;
use easel_log::Offset;

use super::count_marks::CountMarks;
use super::reach_tally::ReachTally;

/// The first offset that a feed has not matched for its accounts.
///
/// The feed tells an account only about events that the account wants. For all other events, it only
/// moves this position. An account reads the position only when needed. So an event costs nothing for
/// accounts that do not want it.
#[derive(Debug)]
pub struct FeedPosition {
    /// Changed only under the lock of the counts.
    offset: AtomicU64,
    counts: Mutex<ReachCounts>,
}

/// The numbers of events within the reaches before the position.
#[derive(Debug, Default)]
struct ReachCounts {
    /// The events that are within every reach.
    everybody: CountMarks,
    /// The other events within each counted reach, by its root account.
    by_account: HashMap<String, CountMarks>,
}

/// The position of a feed, and how many events within one reach it has counted before it.
///
/// A count has a meaning only in comparison to another count of the same reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FeedMark {
    pub(super) offset: Offset,
    pub(super) covered_count: u64,
}

impl FeedPosition {
    /// Creates the position of a feed that has matched everything before `position`.
    pub fn new(position: Offset) -> Self {
        Self {
            offset: AtomicU64::new(position.get()),
            counts: Mutex::default(),
        }
    }

    /// Returns the first unmatched offset.
    pub fn get(&self) -> Offset {
        Offset::new(self.offset.load(Ordering::Acquire))
    }

    /// Moves to `position`, with the counts of `tally`. Before this, the feed must
    /// [mark as owed](super::Account::owe) each event before `position` in every account that wants the event.
    pub fn publish(&self, position: Offset, tally: &mut ReachTally) {
        let mut counts = self.counts();
        let ReachCounts {
            everybody,
            by_account,
        } = &mut *counts;
        everybody.set(position, tally.everybody_count());
        tally.for_each_changed(|account, count| {
            if let Some(marks) = by_account.get_mut(account) {
                marks.set(position, count);
            } else {
                let mut marks = CountMarks::default();
                marks.set(position, count);
                by_account.insert(account.to_owned(), marks);
            }
        });
        self.offset.store(position.get(), Ordering::Release);
    }

    /// Forgets the counts of the reaches that `is_used` does not select.
    pub fn retain_reaches(&self, is_used: impl Fn(&str) -> bool) {
        self.counts()
            .by_account
            .retain(|account, _| is_used(account));
    }

    /// Returns the position, with the count of the reach of `account`.
    pub(super) fn mark(&self, account: &RootAccount) -> FeedMark {
        let counts = self.counts();
        let own = counts.by_account.get(account.as_str());
        FeedMark {
            offset: self.get(),
            covered_count: counts.everybody.count() + own.map_or(0, CountMarks::count),
        }
    }

    /// Returns how many events within the reach of `account` are known to be before `to`.
    pub(super) fn count_before(&self, account: &RootAccount, to: Offset) -> u64 {
        let counts = self.counts();
        let own = counts.by_account.get(account.as_str());
        counts.everybody.count_before(to) + own.map_or(0, |own| own.count_before(to))
    }

    /// Returns an offset in the block that has the event after the first `count` events within the reach of
    /// `account`, if that block is known.
    pub(super) fn offset_after(&self, account: &RootAccount, count: u64) -> Option<Offset> {
        let counts = self.counts();
        let own = counts.by_account.get(account.as_str());
        let everybody = counts.everybody.count();
        let own_count = own.map_or(0, CountMarks::count);
        // One of the two counts must be above its share. Which one is known only if the other is zero.
        let own = own.and_then(|own| own.offset_after(count.saturating_sub(everybody)));
        let other = counts
            .everybody
            .offset_after(count.saturating_sub(own_count));
        [own, other].into_iter().flatten().min()
    }

    fn counts(&self) -> MutexGuard<'_, ReachCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
