//! Items of parked deliveries that stay in memory until their next attempt.
//!
//! Most deliveries that fail are due again after seconds. To read each of them from the log again
//! would decompress a whole block for one event.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use easel_log::Offset;
use easel_sinks::Item;

/// The most bytes of items in the caches of all lanes together. An item that does not fit is read from
/// the log again.
const MAX_BYTES: usize = 32 << 20;

/// About how many bytes an item takes besides its form.
const ITEM_BYTES: usize = 256;

/// How many bytes the caches of all lanes have.
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

    /// Adds an item, if there is room.
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

    /// Removes the item at an offset and returns it.
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
