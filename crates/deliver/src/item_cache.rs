//! A cache of the items of parked deliveries, until their next attempt.
//!
//! Most failed deliveries are due again after seconds. Without the cache, each of them would decompress
//! a whole block of the log for one event.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use easel_log::Offset;
use easel_sinks::Item;

/// The maximum bytes of items in the caches of all lanes. An item that does not fit is read from the log
/// again.
const MAX_BYTES: usize = 32 << 20;

/// The approximate bytes of an item, without its form.
const ITEM_BYTES: usize = 256;

/// The bytes that the caches of all lanes use together.
#[derive(Debug, Default)]
pub(crate) struct CacheBudget(AtomicUsize);

/// The cache of one lane.
#[derive(Debug)]
pub(crate) struct ItemCache {
    items: HashMap<Offset, Arc<Item>>,
    bytes: usize,
    budget: Arc<CacheBudget>,
}

impl ItemCache {
    pub(crate) fn new(budget: &Arc<CacheBudget>) -> Self {
        Self {
            items: HashMap::new(),
            bytes: 0,
            budget: Arc::clone(budget),
        }
    }

    /// Adds an item if the budget allows.
    pub(crate) fn insert(&mut self, item: &Arc<Item>) {
        let bytes = bytes_of(item);
        let used = self.budget.0.fetch_add(bytes, Ordering::Relaxed);
        if used + bytes > MAX_BYTES || self.items.contains_key(&item.offset) {
            self.budget.0.fetch_sub(bytes, Ordering::Relaxed);
            return;
        }
        self.bytes += bytes;
        self.items.insert(item.offset, Arc::clone(item));
    }

    /// Removes and returns the item at an offset.
    pub(crate) fn take(&mut self, offset: Offset) -> Option<Arc<Item>> {
        let item = self.items.remove(&offset)?;
        let bytes = bytes_of(&item);
        self.bytes -= bytes;
        self.budget.0.fetch_sub(bytes, Ordering::Relaxed);
        Some(item)
    }

    /// Removes all items.
    pub(crate) fn clear(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
        self.items = HashMap::new();
    }
}

impl Drop for ItemCache {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bytes_of(item: &Item) -> usize {
    item.form.bytes().len() + ITEM_BYTES
}
