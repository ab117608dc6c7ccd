//! Retries: parked deliveries that are due, and batches that are sent again immediately.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::OrderKey;
use easel_log::{Offset, ReadError};
use easel_sinks::Item;
use easel_subscriptions::{Due, Parked, ParkedChange};
use tokio::time::Instant;

use super::{Batcher, OutgoingBatch, Purpose};

/// Prefetch limits of parked deliveries, in deliveries and bytes.
const READY_RETRIES: usize = 256;
const READY_RETRY_BYTES: usize = 1 << 20;

/// After this time, a lane looks again for a free place for a retry that is due.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// An item is cached only if its delivery is due within this time.
const CACHE_IF_DUE_WITHIN: Duration = Duration::from_mins(1);

/// A batch that is sent again before all others: a part of a rejected batch, or a failed batch of an ordered
/// sink.
#[derive(Debug)]
pub(super) struct Resend {
    /// The offsets and their keys. The keys stay busy.
    events: Vec<(Offset, Option<OrderKey>)>,
    attempt: NonZeroU32,
}

impl Batcher {
    /// Queues a batch to be sent again before all others. The account still records its items as in flight.
    pub(in crate::lane) fn resend(
        &mut self,
        events: Vec<(Offset, Option<OrderKey>)>,
        attempt: NonZeroU32,
    ) {
        if !events.is_empty() {
            self.resends.push_front(Resend { events, attempt });
        }
    }

    /// Records that the attempt of a batch that was sent again has ended.
    pub(in crate::lane) const fn resend_ended(&mut self) {
        self.resends_under_way = self.resends_under_way.saturating_sub(1);
    }

    /// Parks a delivery until it is due.
    pub(in crate::lane) fn park(&mut self, item: &Arc<Item>, parked: Parked) {
        let (offset, key) = (item.offset, parked.key);
        let mut account = self.subscription.shared.account();
        if let Due::At(due) = parked.due {
            let now = account.clock().at(self.context.clock.now());
            if due.since(now) <= CACHE_IF_DUE_WITHIN {
                self.item_cache.insert(item);
            }
            self.due.insert(offset, &parked);
        }
        if account.park(offset, parked)
            && let Some(keys) = &mut self.keys
        {
            keys.park(offset, key);
        }
    }

    /// Applies the changes of parked deliveries from the account, and releases deliveries that waited for a key.
    pub(in crate::lane) fn apply_parked_changes(&mut self) {
        let subscription = Arc::clone(&self.subscription);
        let mut account = subscription.shared.account();
        loop {
            let changes = account.take_parked_changes();
            if changes.is_empty() {
                return;
            }
            for change in changes {
                match change {
                    ParkedChange::Due { offset } => {
                        if let Some(parked) = account.parked(offset) {
                            self.due.insert(offset, parked);
                        }
                    }
                    ParkedChange::Left { offset, key } => {
                        let keys = self.keys.as_mut();
                        if let Some(next) = keys.and_then(|keys| keys.unpark(offset, key)) {
                            let now = account.clock().at(self.context.clock.now());
                            self.due.release(&mut account, next, now);
                        }
                    }
                }
            }
        }
    }

    /// Returns when to check for the next parked delivery that is due.
    pub(in crate::lane) fn next_retry(&self) -> Option<Instant> {
        let due = self.due.next_due()?;
        let account = self.subscription.shared.account();
        let now = account.clock().at(self.context.clock.now());
        // A delivery that is due but not sent waits for a free place.
        Some(Instant::now() + std::cmp::max(due.since(now), CHECK_EVERY))
    }

    /// True if a retry goes before new events. Retries get a quarter of the places in flight. With fewer than
    /// four places, they get one of every four batches.
    pub(super) fn is_retry_turn(&self, retries_under_way: usize) -> bool {
        if self.due.is_empty() && self.ready_retries.is_empty() {
            return false;
        }
        let max_in_flight = self.limits.max_in_flight;
        let share = std::cmp::max(1, max_in_flight / 4);
        retries_under_way < share && (max_in_flight >= 4 || self.sent_count.is_multiple_of(4))
    }

    /// True if a retry may be sent when there are no new events. A quarter of the places stays free for new
    /// events, because all retries may hang.
    pub(super) const fn may_retry(&self, retries_under_way: usize) -> bool {
        let max_in_flight = self.limits.max_in_flight;
        max_in_flight == 1 || retries_under_way < max_in_flight - max_in_flight.div_ceil(4)
    }

    /// Returns the next batch that is sent again immediately.
    pub(in crate::lane) async fn next_resend(
        &mut self,
    ) -> Result<Option<OutgoingBatch>, ReadError> {
        // Parts of one batch may share a key, so with order by key only one part is in flight.
        while !(self.keys.is_some() && self.resends_under_way > 0)
            && let Some(resend) = self.resends.pop_front()
        {
            let offsets = resend.events.iter().map(|(offset, _)| *offset).collect();
            let items = match self.fetch_all(offsets, usize::MAX).await {
                Ok(items) => items,
                Err(error) => {
                    self.resends.push_front(resend);
                    return Err(error);
                }
            };
            let (mut found, mut found_keys) = (Vec::new(), Vec::new());
            for (offset, key) in resend.events {
                if self.follows_parked(offset, key) {
                    self.park_behind(offset, key);
                    continue;
                }
                let item = items.get(&offset);
                let may_send = self.subscription.shared.account().begin_attempt(offset);
                match (item, &mut self.keys) {
                    (Some(item), _) if may_send => {
                        found.push(Arc::clone(item));
                        found_keys.push(key);
                    }
                    (_, Some(order)) => order.end(key),
                    (_, None) => (),
                }
            }
            if !found.is_empty() {
                self.resends_under_way += 1;
                return Ok(Some(self.make_batch(
                    found,
                    found_keys,
                    resend.attempt,
                    Purpose::Resend,
                )));
            }
        }
        Ok(None)
    }

    /// True if an earlier event with this key is parked.
    fn follows_parked(&self, offset: Offset, key: Option<OrderKey>) -> bool {
        let keys = self.keys.as_ref();
        let first = keys.and_then(|keys| keys.first_parked(key?));
        first.is_some_and(|first| first < offset)
    }

    /// Parks an event behind an earlier event with the same key. Frees the key, which this event kept busy.
    fn park_behind(&mut self, offset: Offset, key: Option<OrderKey>) {
        let (Some(keys), Some(key)) = (&mut self.keys, key) else {
            return;
        };
        keys.end(Some(key));
        let mut account = self.subscription.shared.account();
        let behind = match account.parked(offset).cloned() {
            Some(parked) => Parked {
                due: Due::AfterKey,
                ..parked
            },
            None => Parked::behind(offset, key, &self.follower_reason),
        };
        if account.park(offset, behind) {
            keys.park(offset, Some(key));
        }
    }

    /// Returns the next batch of parked deliveries that are due.
    pub(super) async fn next_due(&mut self) -> Result<Option<OutgoingBatch>, ReadError> {
        if self.due.is_empty() && self.ready_retries.is_empty() {
            return Ok(None);
        }
        loop {
            while let Some(items) = self.ready_retries.pop_front() {
                if let Some(outgoing) = self.make_parked_batch(items, Purpose::Retry) {
                    return Ok(Some(outgoing));
                }
            }
            if !self.prefetch_retries().await? {
                return Ok(None);
            }
        }
    }

    /// Returns a parked delivery, due or not, as a probe of the endpoint. Each call chooses another delivery,
    /// because a single event may be at fault.
    pub(in crate::lane) async fn probe_parked(
        &mut self,
    ) -> Result<Option<OutgoingBatch>, ReadError> {
        let offsets = {
            let account = self.subscription.shared.account();
            let order = self.keys.as_ref();
            let is_candidate = |(offset, parked): &(Offset, &Parked)| {
                let first = order.and_then(|order| order.first_parked(parked.key?));
                let is_first = first.is_none_or(|first| first == *offset);
                let is_due = matches!(parked.due, Due::At(_));
                is_first && is_due && account.is_parked_and_waits(*offset)
            };
            let after = account.all_parked(self.latest_probe_offset.next());
            let mut candidates = after.chain(account.all_parked(Offset::ZERO));
            let Some((first, parked)) = candidates.find(is_candidate) else {
                return Ok(None);
            };
            let batch_offset = parked.batch_offset;
            let others = account.all_parked(std::cmp::min(batch_offset, first));
            let others = others.take(READY_RETRIES).filter(is_candidate);
            let others = others.filter(|(_, parked)| parked.batch_offset == batch_offset);
            let mut offsets: Vec<_> = others.map(|(offset, _)| offset).collect();
            offsets.truncate(self.limits.max_items);
            if !offsets.contains(&first) {
                offsets = vec![first];
            }
            offsets
        };
        self.latest_probe_offset = offsets.last().copied().unwrap_or_default();
        let items = self.fetch_all(offsets, READY_RETRY_BYTES).await?;
        let mut items: Vec<_> = items.into_values().collect();
        items.sort_by_key(|item| item.offset);
        Ok(self.make_parked_batch(items, Purpose::Probe))
    }

    /// Fetches the parked deliveries that are due. Returns `false` if there are none.
    async fn prefetch_retries(&mut self) -> Result<bool, ReadError> {
        let (mut batches, mut offsets) = (Vec::new(), Vec::new());
        {
            let account = self.subscription.shared.account();
            let now = account.clock().at(self.context.clock.now());
            while offsets.len() < READY_RETRIES
                && let Some(batch) = self.due.pop(&account, now)
            {
                offsets.extend(&batch);
                batches.push(batch);
            }
        }
        if batches.is_empty() {
            return Ok(false);
        }
        let items = match self.fetch_all(offsets.clone(), READY_RETRY_BYTES).await {
            Ok(items) => items,
            Err(error) => {
                self.put_back(offsets);
                return Err(error);
            }
        };
        for batch in batches {
            let found = batch.iter().filter_map(|offset| items.get(offset));
            let found: Vec<_> = found.map(Arc::clone).collect();
            let missing = batch
                .into_iter()
                .filter(|offset| !items.contains_key(offset));
            self.put_back(missing.collect());
            self.ready_retries.extend(self.split_by_limits(found));
        }
        Ok(true)
    }

    /// Splits items into batches that the sink allows. The sink's limits may have changed since the items
    /// were sent.
    fn split_by_limits(&self, items: Vec<Arc<Item>>) -> Vec<Vec<Arc<Item>>> {
        let mut batches: Vec<Vec<Arc<Item>>> = Vec::new();
        let mut bytes = 0;
        for item in items {
            let item_bytes = item.form.bytes().len();
            let fits = |batch: &Vec<Arc<Item>>| {
                batch.len() < self.limits.max_items
                    && bytes + item_bytes <= self.limits.max_bytes
                    && self.sink.can_join_batch(batch, &item)
            };
            match batches.last_mut().filter(|batch| fits(batch)) {
                Some(batch) => {
                    bytes += item_bytes;
                    batch.push(item);
                }
                None => {
                    bytes = item_bytes;
                    batches.push(vec![item]);
                }
            }
        }
        batches
    }

    /// Puts parked deliveries back into the queue if they were not sent.
    pub(super) fn put_back(&mut self, offsets: Vec<Offset>) {
        let account = self.subscription.shared.account();
        for offset in offsets {
            if let Some(parked) = account.parked(offset) {
                self.due.insert(offset, parked);
            }
        }
    }

    /// Builds a batch from the parked deliveries that still wait.
    fn make_parked_batch(
        &mut self,
        mut items: Vec<Arc<Item>>,
        purpose: Purpose,
    ) -> Option<OutgoingBatch> {
        let mut attempt_count = 0;
        let mut keys = Vec::new();
        {
            let mut account = self.subscription.shared.account();
            let mut included = HashSet::new();
            items.retain(|item| {
                let offset = item.offset;
                if !account.is_parked_and_waits(offset) {
                    return false;
                }
                let Some(parked) = account.parked(offset).cloned() else {
                    return false;
                };
                let order = self.keys.as_ref();
                let first = order.and_then(|order| order.first_parked(parked.key?));
                if first.is_some_and(|first| first != offset && !included.contains(&first)) {
                    // An earlier delivery with the same key is sent first. When it ends, this one is released.
                    let due = Due::AfterKey;
                    account.park(offset, Parked { due, ..parked });
                    return false;
                }
                included.insert(offset);
                attempt_count = std::cmp::max(attempt_count, parked.attempt_count);
                keys.push(parked.key);
                account.begin_attempt(offset)
            });
        }
        if items.is_empty() {
            return None;
        }
        let attempt = NonZeroU32::MIN.saturating_add(attempt_count);
        let keys = match &mut self.keys {
            None => Vec::new(),
            Some(order) => {
                for key in &keys {
                    order.begin(*key);
                }
                keys
            }
        };
        Some(self.make_batch(items, keys, attempt, purpose))
    }

    /// Returns the items at these offsets, from the cache or from the log. Stops after `max_bytes`. If an offset
    /// has no item any more, records the reason in the account.
    async fn fetch_all(
        &mut self,
        mut offsets: Vec<Offset>,
        max_bytes: usize,
    ) -> Result<HashMap<Offset, Arc<Item>>, ReadError> {
        let mut items = HashMap::new();
        let mut bytes = 0;
        offsets.retain(|offset| match self.item_cache.take(*offset) {
            Some(item) => {
                bytes += item.form.bytes().len();
                items.insert(*offset, item);
                false
            }
            None => true,
        });
        offsets.sort_unstable();
        offsets.dedup();
        while !offsets.is_empty() && (items.is_empty() || bytes < max_bytes) {
            let fetched = self.fetch.read(offsets.clone(), max_bytes).await?;
            offsets.drain(..fetched.len());
            for ready in self.record_fetched(fetched) {
                bytes += ready.item.form.bytes().len();
                items.insert(ready.item.offset, ready.item);
            }
        }
        Ok(items)
    }
}
