//! The state of the keys in a lane that keeps events in order by key.
//!
//! Events with one key are sent one after another. A parked event blocks its key: later events with the
//! key are parked too. When the blocking event ends, the later events are sent one after another.

use std::collections::{BTreeSet, HashMap};

use easel_catalog::OrderKey;
use easel_log::Offset;
use easel_subscriptions::Account;

/// The keys that are in flight or blocked.
#[derive(Debug, Default)]
pub(super) struct KeyOrder {
    /// The number of events in flight, by key.
    busy: HashMap<OrderKey, u32>,
    /// The parked events, by key.
    parked: HashMap<OrderKey, BTreeSet<Offset>>,
}

impl KeyOrder {
    /// Creates the state from the parked deliveries of an account.
    pub(super) fn from_account(account: &Account) -> Self {
        let mut order = Self::default();
        for (offset, parked) in account.all_parked(Offset::ZERO) {
            order.park(offset, parked.key);
        }
        order
    }

    /// True if an event with this key is in flight.
    pub(super) fn is_busy(&self, key: Option<OrderKey>) -> bool {
        key.is_some_and(|key| self.busy.contains_key(&key))
    }

    /// True if an event with this key is parked.
    pub(super) fn is_blocked(&self, key: Option<OrderKey>) -> bool {
        key.is_some_and(|key| self.parked.contains_key(&key))
    }

    /// Returns the first parked event with this key.
    pub(super) fn first_parked(&self, key: OrderKey) -> Option<Offset> {
        self.parked.get(&key)?.first().copied()
    }

    /// Records that an event with this key is in flight.
    pub(super) fn begin(&mut self, key: Option<OrderKey>) {
        if let Some(key) = key {
            *self.busy.entry(key).or_default() += 1;
        }
    }

    /// Records that an event with this key is no longer in flight.
    pub(super) fn end(&mut self, key: Option<OrderKey>) {
        if let Some(key) = key
            && let Some(count) = self.busy.get_mut(&key)
        {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&key);
            }
        }
    }

    /// Records that an event with this key is parked.
    pub(super) fn park(&mut self, offset: Offset, key: Option<OrderKey>) {
        if let Some(key) = key {
            self.parked.entry(key).or_default().insert(offset);
        }
    }

    /// Records that an event with this key is no longer parked. Returns the next parked event with
    /// this key.
    pub(super) fn unpark(&mut self, offset: Offset, key: OrderKey) -> Option<Offset> {
        let parked = self.parked.get_mut(&key)?;
        parked.remove(&offset);
        if parked.is_empty() {
            self.parked.remove(&key);
            return None;
        }
        self.first_parked(key)
    }
}
