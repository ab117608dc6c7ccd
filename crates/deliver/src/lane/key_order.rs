//! Which keys are being sent or wait, in a lane that keeps events in order by key.
//!
//! Events with one key are sent one after another. A parked one blocks its key: those that follow are
//! parked too, and come one by one once it has ended.

use std::collections::{BTreeSet, HashMap};

use easel_catalog::OrderKey;
use easel_log::Offset;
use easel_subscriptions::Account;

/// Which keys are being sent or wait.
#[derive(Debug, Default)]
pub(super) struct KeyOrder {
    /// How many events with a key are under way.
    busy: HashMap<OrderKey, u32>,
    /// The parked events with a key.
    parked: HashMap<OrderKey, BTreeSet<Offset>>,
}

impl KeyOrder {
    /// The order as the parked deliveries of an account have it.
    pub(super) fn of(account: &Account) -> Self {
        let mut order = Self::default();
        for (offset, parked) in account.all_parked(Offset::ZERO) {
            order.park(offset, parked.key);
        }
        order
    }

    /// Whether an event with this key is under way.
    pub(super) fn is_busy(&self, key: Option<OrderKey>) -> bool {
        key.is_some_and(|key| self.busy.contains_key(&key))
    }

    /// Whether an event with this key is parked.
    pub(super) fn is_blocked(&self, key: Option<OrderKey>) -> bool {
        key.is_some_and(|key| self.parked.contains_key(&key))
    }

    /// The first parked event with this key.
    pub(super) fn first_parked(&self, key: OrderKey) -> Option<Offset> {
        self.parked.get(&key)?.first().copied()
    }

    /// An event is being sent.
    pub(super) fn begin(&mut self, key: Option<OrderKey>) {
        if let Some(key) = key {
            *self.busy.entry(key).or_default() += 1;
        }
    }

    /// An event is no longer being sent.
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

    /// An event is parked.
    pub(super) fn park(&mut self, offset: Offset, key: Option<OrderKey>) {
        if let Some(key) = key {
            self.parked.entry(key).or_default().insert(offset);
        }
    }

    /// An event is no longer parked. Returns the one that comes next, if one waits.
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
