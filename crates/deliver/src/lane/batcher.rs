//! Chooses the next batch of a lane.
//!
//! Batches that must be sent again come first. After them come the parked deliveries that are due, and new
//! events by offset; both share the places in flight. A parked batch keeps its items, so a receiver
//! recognises the batch by its id. When no event is owed, the batcher matches the next block itself, until
//! it has caught up with the feed.

mod fetch;
mod retries;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use easel_catalog::{FilterFacts, OrderKey};
use easel_log::{Block, Found, Offset, ReadError, Reader, Want};
use easel_sinks::{Batch, Item, Sink, SinkLimits};
use easel_subscriptions::{
    Account, Due, Filter, FilterVerdict, Loss, Parked, Subscription, Subscriptions,
};
use tokio::time::Instant;

use super::due::DueQueue;
use super::flight::{FlightLoad, OutgoingBatch, Purpose};
use super::key_order::KeyOrder;
use super::rate::Rate;
use crate::item_cache::ItemCache;
use crate::lane_context::LaneContext;
use crate::offload::offload;
use fetch::{Fetch, Fetched, ReadyItem};
use retries::Resend;

/// Prefetch limits of a lane, in items and bytes. They are small, because every lane has its own copies. The
/// item limit is rounded up to whole batches, so prefetching never causes a partial batch.
const READY_ITEMS: usize = 32;
const READY_BYTES: usize = 64 * 1024;

/// Prefetch limits of a lane with order by key. They are larger, because the lane must pass over events whose
/// key is busy.
const KEYED_READY_ITEMS: usize = 512;
const KEYED_READY_BYTES: usize = 1 << 20;

/// The maximum number of owed offsets of one lane, unless its sink's batches need more. A lane at the limit is
/// behind.
const MAX_OWED: usize = 1_000;

/// A lane asks for a save when a quarter of the allowed deliveries is unsaved: their number divided by this. So
/// the save usually ends before the lane must wait for it.
const SAVE_DIVISOR: u64 = 4;

/// Chooses and builds the batches of a lane.
#[derive(Debug)]
pub(super) struct Batcher {
    subscription: Arc<Subscription>,
    name: Arc<str>,
    sink: Arc<dyn Sink>,
    limits: SinkLimits,
    context: Arc<LaneContext>,
    reader: Reader,
    fetch: Fetch,
    max_owed: usize,
    /// The position of the destination when it was last asked, if it stores one: the first offset that it does
    /// not have.
    destination_position: Option<Offset>,
    /// Every owed offset before this one was fetched.
    fetched_to: Offset,
    /// The prefetched items, by offset.
    ready: VecDeque<ReadyItem>,
    ready_bytes: usize,
    /// When the first prefetched item became ready.
    ready_since: Option<Instant>,
    /// Batches that are sent again before all others.
    resends: VecDeque<Resend>,
    resends_under_way: usize,
    /// The due times of parked deliveries.
    due: DueQueue,
    /// Prefetched batches of parked deliveries that are due.
    ready_retries: VecDeque<Vec<Arc<Item>>>,
    item_cache: ItemCache,
    /// The state of the keys, if the lane keeps events in order by key.
    keys: Option<KeyOrder>,
    /// The reason in the rows of events that wait behind a parked event with the same key.
    follower_reason: Arc<str>,
    rate: Option<Rate>,
    /// The number of batches that were sent.
    sent_count: u64,
    /// The latest parked delivery that was sent as a probe.
    latest_probe_offset: Offset,
}

/// The result of one step towards the next batch.
pub(super) enum NextBatch {
    /// Send this batch.
    Send(OutgoingBatch),
    /// There is no batch yet. Call again immediately.
    Again,
    /// There is no batch until the lane is notified.
    Wait,
    /// There is no batch until the feed moves.
    WaitForFeed,
    /// The next batch waits until this time, to gather more items or because of the rate limit.
    WaitUntil(Instant),
}

impl Batcher {
    pub(super) fn new(
        subscription: &Arc<Subscription>,
        sink: &Arc<dyn Sink>,
        limits: SinkLimits,
        context: Arc<LaneContext>,
    ) -> Self {
        let filter = subscription.filter.clone();
        let want = Want::event_types(move |event_type| filter.wants_type(event_type));
        let mut reader = Reader::new(Arc::clone(&context.log), Offset::ZERO);
        // A confined lane counts the events that it may not receive, so it reads all events.
        if subscription.filter.may_skip_types() {
            reader = reader.wanting(want);
        }
        let fetch = Fetch::new(&subscription.spec, Arc::clone(&context));
        let mut account = subscription.shared.account();
        account.take_parked_changes();
        let keys = if fetch.is_keyed() {
            Some(KeyOrder::from_account(&account))
        } else {
            None
        };
        release_followers(&mut account, keys.as_ref(), &context);
        let due = DueQueue::from_account(&account);
        drop(account);
        Self {
            subscription: Arc::clone(subscription),
            name: Arc::from(subscription.spec.name.as_str()),
            sink: Arc::clone(sink),
            limits,
            reader,
            fetch,
            max_owed: std::cmp::max(MAX_OWED, limits.max_items * (limits.max_in_flight + 1)),
            destination_position: None,
            fetched_to: Offset::ZERO,
            ready: VecDeque::new(),
            ready_bytes: 0,
            ready_since: None,
            resends: VecDeque::new(),
            resends_under_way: 0,
            due,
            ready_retries: VecDeque::new(),
            item_cache: ItemCache::new(&context.item_cache_budget),
            keys,
            follower_reason: Arc::from("an earlier event with its key is parked"),
            rate: subscription.max_rate().map(Rate::new),
            sent_count: 0,
            latest_probe_offset: Offset::ZERO,
            context,
        }
    }

    /// Sets the position of the destination. Owed events before this position count as delivered, except parked
    /// ones.
    pub(super) fn set_destination_position(&mut self, position: Option<Offset>) {
        self.destination_position = position;
    }

    /// Drops prefetched items, so that a lane on hold uses no memory. The items are fetched again later.
    pub(super) fn drop_ready(&mut self) {
        if let Some(first) = self.ready.front() {
            self.fetched_to = first.item.offset;
        }
        self.ready = VecDeque::new();
        self.ready_bytes = 0;
        self.ready_since = None;
        self.item_cache.clear();
        let retries = std::mem::take(&mut self.ready_retries);
        let offsets = retries.iter().flatten().map(|item| item.offset);
        self.put_back(offsets.collect());
    }

    /// Marks the end of an attempt for these keys.
    pub(super) fn end_keys(&mut self, ended: impl IntoIterator<Item = OrderKey>) {
        if let Some(keys) = &mut self.keys {
            for key in ended {
                keys.end(Some(key));
            }
        }
    }

    /// Makes one step towards the next batch. Reads at most one block of new events.
    pub(super) async fn step(&mut self, in_flight: FlightLoad) -> Result<NextBatch, ReadError> {
        if self.subscription.is_retired() {
            return Ok(NextBatch::Wait);
        }
        if !self.has_room(in_flight.item_count) {
            return Ok(NextBatch::Wait);
        }
        if let Some(ready_at) = self.rate.as_ref().and_then(Rate::ready_at) {
            return Ok(NextBatch::WaitUntil(ready_at));
        }
        if let Some(outgoing) = self.next_resend().await? {
            return Ok(NextBatch::Send(outgoing));
        }
        let is_retry_turn = self.is_retry_turn(in_flight.retry_count);
        if is_retry_turn && let Some(outgoing) = self.next_due().await? {
            return Ok(NextBatch::Send(outgoing));
        }
        match self.next_fresh().await? {
            step @ (NextBatch::Send(_) | NextBatch::Again) => Ok(step),
            step @ (NextBatch::Wait | NextBatch::WaitForFeed | NextBatch::WaitUntil(_)) => {
                let may_retry = !is_retry_turn && self.may_retry(in_flight.retry_count);
                if may_retry && let Some(outgoing) = self.next_due().await? {
                    return Ok(NextBatch::Send(outgoing));
                }
                Ok(step)
            }
        }
    }

    /// Makes one step towards a batch of events that were never sent.
    pub(super) async fn next_fresh(&mut self) -> Result<NextBatch, ReadError> {
        if self.subscription.is_retired() {
            return Ok(NextBatch::Wait);
        }
        let subscription = Arc::clone(&self.subscription);
        let (has_next, may_match) = {
            let mut account = subscription.shared.account();
            if account.parked_count() >= Subscriptions::MAX_PARKED {
                return Ok(NextBatch::Wait);
            }
            if self.keys.is_some() {
                if let Some(outgoing) = self.make_keyed_batch(&mut account) {
                    return Ok(NextBatch::Send(outgoing));
                }
                if self.ready.len() >= KEYED_READY_ITEMS || self.ready_bytes >= KEYED_READY_BYTES {
                    return Ok(NextBatch::Wait);
                }
            } else {
                self.drop_ended(&account);
                if self.has_full_batch() {
                    return Ok(self.make_fresh_batch(&mut account));
                }
            }
            let has_next = self.unsent(&account).next().is_some();
            let may_send_partial = self.keys.is_none() && self.limits.gather.is_zero();
            if !has_next && may_send_partial && !self.ready.is_empty() {
                return Ok(self.make_fresh_batch(&mut account));
            }
            let is_behind = account.owed_count() >= self.max_owed;
            (has_next, !account.is_following() && !is_behind)
        };
        if has_next {
            self.prefetch().await?;
            return Ok(NextBatch::Again);
        }
        let step = if may_match {
            self.match_further().await?
        } else {
            NextBatch::Wait
        };
        let gathered_at = self.gathered_at().filter(|_| self.keys.is_none());
        match (step, gathered_at) {
            (NextBatch::Wait | NextBatch::WaitForFeed, Some(time)) if time <= Instant::now() => {
                let mut account = subscription.shared.account();
                Ok(self.make_fresh_batch(&mut account))
            }
            (NextBatch::Wait | NextBatch::WaitForFeed, Some(time)) => {
                Ok(NextBatch::WaitUntil(time))
            }
            (step, _) => Ok(step),
        }
    }

    /// Drops prefetched items that are no longer owed.
    fn drop_ended(&mut self, account: &Account) {
        while let Some(ready) = self
            .ready
            .pop_front_if(|ready| !account.is_owed(ready.item.offset))
        {
            self.ready_bytes -= ready.item.form.bytes().len();
        }
        if self.ready.is_empty() {
            self.ready_since = None;
        }
    }

    /// Returns the offsets that are owed, not fetched and not in flight.
    fn unsent<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = Offset> + 'a {
        account.waiting_from(self.fetched_to)
    }

    /// True if one more batch stays within the number of deliveries that a crash may repeat. Asks for a save
    /// early enough. Also applies the changes of parked deliveries.
    fn has_room(&mut self, under_way: usize) -> bool {
        let (unsaved, has_changes) = {
            let account = self.subscription.shared.account();
            let unsaved = account.unsaved_delivered_count() + account.unsaved_row_count() as u64;
            (unsaved, account.has_parked_changes())
        };
        if has_changes {
            self.apply_parked_changes();
        }
        let max_repeated = self.limits.max_repeated;
        // This many items can be in flight, and all of them may be delivered before the next save.
        let in_flight = u64::try_from(self.limits.max_in_flight * self.limits.max_items);
        let room = max_repeated.saturating_sub(in_flight.unwrap_or(u64::MAX));
        if unsaved > 0 && unsaved >= room / SAVE_DIVISOR {
            self.context.save_soon.notify_one();
        }
        let under_way = u64::try_from(under_way + self.limits.max_items).unwrap_or(u64::MAX);
        unsaved.saturating_add(under_way) <= max_repeated
    }

    fn has_full_batch(&self) -> bool {
        self.ready.len() >= self.limits.max_items || self.ready_bytes >= self.limits.max_bytes
    }

    /// Returns when the prefetched items must be sent, even if they do not fill a batch.
    fn gathered_at(&self) -> Option<Instant> {
        self.ready_since.map(|since| since + self.limits.gather)
    }

    /// Builds a batch from the prefetched items that are still owed.
    fn make_fresh_batch(&mut self, account: &mut Account) -> NextBatch {
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < self.limits.max_items
            && let Some(ready) = self.ready.front()
        {
            if !self.fits(&items, bytes, &ready.item) {
                break;
            }
            let Some(ReadyItem { item, key: _ }) = self.ready.pop_front() else {
                break;
            };
            let item_bytes = item.form.bytes().len();
            self.ready_bytes -= item_bytes;
            if account.begin_attempt(item.offset) {
                bytes += item_bytes;
                items.push(item);
            }
        }
        self.ready_since = (!self.ready.is_empty()).then(Instant::now);
        if items.is_empty() {
            return NextBatch::Again;
        }
        NextBatch::Send(self.make_batch(items, Vec::new(), NonZeroU32::MIN, Purpose::Fresh))
    }

    /// Builds a batch from the prefetched items whose key is free. Parks items that follow a parked event with
    /// the same key.
    fn make_keyed_batch(&mut self, account: &mut Account) -> Option<OutgoingBatch> {
        let (mut items, mut keys) = (Vec::new(), Vec::new());
        let (mut bytes, mut index) = (0, 0);
        while items.len() < self.limits.max_items
            && let Some(ReadyItem { item, key }) = self.ready.get(index).cloned()
        {
            let order = self.keys.as_mut()?;
            let item_bytes = item.form.bytes().len();
            let is_owed = account.is_owed(item.offset);
            if is_owed && !order.is_blocked(key) {
                if order.is_busy(key) && !keys.contains(&key) {
                    index += 1;
                    continue;
                }
                if !self.fits(&items, bytes, &item) {
                    break;
                }
            }
            self.ready.remove(index);
            self.ready_bytes -= item_bytes;
            let order = self.keys.as_mut()?;
            match key {
                _ if !is_owed => (),
                Some(key) if order.is_blocked(Some(key)) => {
                    let parked = Parked::behind(item.offset, key, &self.follower_reason);
                    account.park(item.offset, parked);
                    order.park(item.offset, Some(key));
                }
                key => {
                    account.begin_attempt(item.offset);
                    order.begin(key);
                    bytes += item_bytes;
                    items.push(item);
                    keys.push(key);
                }
            }
        }
        (!items.is_empty()).then(|| self.make_batch(items, keys, NonZeroU32::MIN, Purpose::Fresh))
    }

    /// True if an item can join a batch with these items, which have `bytes` bytes.
    fn fits(&self, items: &[Arc<Item>], bytes: usize, item: &Item) -> bool {
        let fits = bytes + item.form.bytes().len() <= self.limits.max_bytes;
        items.is_empty() || fits && self.sink.can_join_batch(items, item)
    }

    fn make_batch(
        &mut self,
        items: Vec<Arc<Item>>,
        keys: Vec<Option<OrderKey>>,
        attempt: NonZeroU32,
        purpose: Purpose,
    ) -> OutgoingBatch {
        self.sent_count = self.sent_count.wrapping_add(1);
        if let Some(rate) = &mut self.rate {
            rate.spend(items.len());
        }
        OutgoingBatch {
            batch: Batch {
                subscription: Arc::clone(&self.name),
                attempt,
                replay: self.subscription.lane_id().replay,
                items,
                keys,
            },
            purpose,
        }
    }

    /// Fetches the next items, from one block at most.
    async fn prefetch(&mut self) -> Result<(), ReadError> {
        let (max_items, max_bytes) = match self.limits.max_items {
            _ if self.keys.is_some() => (KEYED_READY_ITEMS / 4, KEYED_READY_BYTES / 4),
            1 => (READY_ITEMS, READY_BYTES),
            batch => (READY_ITEMS.next_multiple_of(batch), self.limits.max_bytes),
        };
        let (offsets, is_following) = {
            let account = self.subscription.shared.account();
            let offsets: Vec<_> = self.unsent(&account).take(max_items).collect();
            (offsets, account.is_following())
        };
        // The events of a following lane are new and still in memory, so it does not wait for a scan permit.
        let context = Arc::clone(&self.context);
        let _permit = if is_following {
            None
        } else {
            context.scans.acquire().await.ok()
        };
        let fetched = self.fetch.read(offsets, max_bytes).await?;
        if let Some((last, _)) = fetched.last() {
            self.fetched_to = last.next();
        }
        for ready in self.record_fetched(fetched) {
            self.ready_bytes += ready.item.form.bytes().len();
            self.ready.push_back(ready);
            self.ready_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Returns the items to send. Records the result of all other fetched offsets in the account.
    fn record_fetched(&self, fetched: Vec<(Offset, Fetched)>) -> Vec<ReadyItem> {
        let mut account = self.subscription.shared.account();
        let mut items = Vec::with_capacity(fetched.len());
        for (offset, fetched) in fetched {
            match fetched {
                // A redelivered dead letter is parked. Its row is missing although the position is beyond it.
                Fetched::Item(_)
                    if self
                        .destination_position
                        .is_some_and(|position| offset < position)
                        && account.parked(offset).is_none() =>
                {
                    account.deliver(offset);
                }
                Fetched::Item(ready) => items.push(ready),
                Fetched::NoForm => account.filter_out(offset),
                Fetched::Lost(loss) => account.lose(offset, loss),
            }
        }
        items
    }

    /// Matches the next block for this lane, or attaches the lane to the feed if it has caught up.
    async fn match_further(&mut self) -> Result<NextBatch, ReadError> {
        let end = self.subscription.end();
        if end.is_none() && self.context.feed.attach(&self.subscription, self.max_owed) {
            return Ok(NextBatch::Again);
        }
        let end = end.unwrap_or(Offset::new(u64::MAX));
        if self.subscription.shared.account().first_unmatched() >= end {
            return Ok(NextBatch::Wait);
        }
        let context = Arc::clone(&self.context);
        let _permit = context.scans.acquire().await;
        let position = self.subscription.shared.account().first_unmatched();
        self.reader.seek(position);
        let Some(found) = self.reader.try_next().await? else {
            return Ok(NextBatch::WaitForFeed);
        };
        if let Found::Block { block, from } = found {
            let (subscription, max_owed) = (Arc::clone(&self.subscription), self.max_owed);
            let record_count = block.len();
            let work = move || match_block(&subscription, &block, from, max_owed);
            offload(record_count, work).await;
            return Ok(NextBatch::Again);
        }
        let mut account = self.subscription.shared.account();
        if self.subscription.is_retired() {
            return Ok(NextBatch::Wait);
        }
        match found {
            Found::Block { .. } => (),
            Found::Skipped(range) => account.match_to(std::cmp::min(range.end, end)),
            Found::Trimmed(range) => account.lose_to(std::cmp::min(range.end, end), Loss::Trimmed),
            Found::Damaged(range) => account.lose_to(std::cmp::min(range.end, end), Loss::Damaged),
        }
        Ok(NextBatch::Again)
    }
}

/// Matches the events of a block from `from` on, until `max_owed` events are owed.
fn match_block(subscription: &Subscription, block: &Block, from: Offset, max_owed: usize) {
    let filter: &Filter = &subscription.filter;
    let end = std::cmp::min(block.end(), subscription.end().unwrap_or(block.end()));
    let records = block.records_from(from);
    let records = records.take_while(|record| record.offset < end);
    let owed_count = subscription.shared.account().owed_count();
    let mut room = max_owed.saturating_sub(owed_count);
    let mut match_end = end;
    // Neighbours that are out of reach share one entry. Unwanted events have none.
    let mut judged: Vec<(Range<Offset>, FilterVerdict)> = Vec::new();
    for record in records {
        let offsets = record.offset..record.offset.next();
        let verdict = filter.judge(&record, &FilterFacts::new(&record.bytes));
        match (verdict, judged.last_mut()) {
            (FilterVerdict::Unwanted, _) => continue,
            (FilterVerdict::OutOfReach, Some((last, FilterVerdict::OutOfReach)))
                if last.end == offsets.start =>
            {
                last.end = offsets.end;
                continue;
            }
            (FilterVerdict::Wanted, _) if room == 0 => {
                match_end = record.offset;
                break;
            }
            (FilterVerdict::Wanted, _) => room -= 1,
            (FilterVerdict::OutOfReach | FilterVerdict::NoForm, _) => (),
        }
        judged.push((offsets, verdict));
    }
    let mut account = subscription.shared.account();
    if subscription.is_retired() {
        return;
    }
    for (offsets, verdict) in judged {
        account.match_to(offsets.start);
        match verdict {
            FilterVerdict::Unwanted => (),
            FilterVerdict::OutOfReach => account.leave_out_to(offsets.end),
            FilterVerdict::NoForm => account.pass_over(offsets.start),
            FilterVerdict::Wanted => {
                account.owe(offsets.start);
            }
        }
    }
    account.match_to(match_end);
}

/// Releases parked deliveries that wait for their key, if no earlier delivery with the key is parked. Such
/// deliveries remain after a crash between two steps, or when the subscription no longer has order by key.
fn release_followers(account: &mut Account, keys: Option<&KeyOrder>, context: &LaneContext) {
    let followers = account.all_parked(Offset::ZERO).filter(|(offset, parked)| {
        let first = keys.and_then(|keys| keys.first_parked(parked.key?));
        parked.due == Due::AfterKey && first.is_none_or(|first| first == *offset)
    });
    let followers: Vec<_> = followers
        .map(|(offset, parked)| (offset, parked.clone()))
        .collect();
    let now = account.clock().at(context.clock.now());
    for (offset, parked) in followers {
        let due = Due::At(now);
        account.park(offset, Parked { due, ..parked });
    }
}
