//! What a lane sends next.
//!
//! First what is sent again at once. Then the parked deliveries that are due, each batch as it was
//! sent before, so that a receiver knows it by its id; they share the places with what is owed, by
//! offset. When nothing is owed, the source matches the next block for itself, until it has caught up
//! with the feed.

mod fetch;
mod retries;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use easel_catalog::{Facts, OrderKey};
use easel_log::{Block, Found, Offset, ReadError, Reader, Want};
use easel_sinks::{Batch, Item, Sink, SinkLimits};
use easel_subscriptions::{Account, Due, Filter, Loss, Parked, Subscription, Subscriptions};
use tokio::time::Instant;

use super::due::DueQueue;
use super::flight::{FlightLoad, OutgoingBatch, Purpose};
use super::key_order::KeyOrder;
use super::rate::Rate;
use crate::item_cache::ItemCache;
use crate::offload::offload;
use crate::rooms::Rooms;
use fetch::{Fetch, Fetched, Ready};
use retries::Resend;

/// Items, and bytes of them, made ready at once: little, since each lane has its own. A sink whose
/// batches are larger has one batch ready.
const READY_ITEMS: usize = 32;
const READY_BYTES: usize = 64 * 1024;

/// The same for a lane that keeps events in order by key: it must look past those whose key is busy.
const KEYED_READY_ITEMS: usize = 512;
const KEYED_READY_BYTES: usize = 1 << 20;

/// Offsets owed to one lane at most, unless its sink's batches need more. With more than that it is
/// behind.
const MAX_OWED: usize = 1_000;

/// A lane asks for a save after this part (a quarter) of the deliveries that a crash may repeat. So
/// the save ends, as a rule, before the lane has to wait for it.
const SAVES_PER_ROOM: u64 = 4;

/// What a lane sends next.
#[derive(Debug)]
pub(super) struct LaneSource {
    subscription: Arc<Subscription>,
    name: Arc<str>,
    sink: Arc<dyn Sink>,
    limits: SinkLimits,
    rooms: Arc<Rooms>,
    reader: Reader,
    fetch: Fetch,
    max_owed: usize,
    /// The first offset that the destination did not have when it was last asked, if it keeps that.
    destination_has: Option<Offset>,
    /// Everything owed before this was taken.
    taken_to: Offset,
    /// Ready to be sent, by offset.
    ready: VecDeque<Ready>,
    ready_bytes: usize,
    /// When the first of them was made ready.
    ready_since: Option<Instant>,
    /// Batches that are sent again before anything else.
    resends: VecDeque<Resend>,
    resends_under_way: usize,
    /// When parked deliveries are due.
    due: DueQueue,
    /// Batches of parked deliveries that are due.
    ready_retries: VecDeque<Vec<Arc<Item>>>,
    item_cache: ItemCache,
    /// Which keys are being sent or wait, if the lane keeps events in order by key.
    keys: Option<KeyOrder>,
    /// Why those wait that come after a parked event with their key.
    reason_of_followers: Arc<str>,
    rate: Option<Rate>,
    /// Batches that were sent.
    sent_count: u64,
    /// The parked delivery that was the latest probe.
    latest_probe: Offset,
}

/// What one step towards the next batch came to.
pub(super) enum NextBatch {
    /// Send this.
    Send(OutgoingBatch),
    /// It is nearer; there is more to be done.
    Nearer,
    /// There is nothing, until the lane is notified.
    Wait,
    /// There is nothing, until the feed has moved.
    WaitForFeed,
    /// The batch waits for more, or for its turn, until then.
    WaitUntil(Instant),
}

impl LaneSource {
    pub(super) fn new(
        subscription: &Arc<Subscription>,
        sink: &Arc<dyn Sink>,
        limits: SinkLimits,
        rooms: Arc<Rooms>,
    ) -> Self {
        let filter = subscription.filter.clone();
        let want = Want::event_types(move |event_type| filter.wants_type(event_type));
        let reader = Reader::new(Arc::clone(&rooms.log), Offset::ZERO).wanting(want);
        let fetch = Fetch::new(&subscription.spec, Arc::clone(&rooms));
        let mut account = subscription.live.account();
        account.take_parked_news();
        let keys = if fetch.is_keyed() {
            Some(KeyOrder::of(&account))
        } else {
            None
        };
        release_followers(&mut account, keys.as_ref(), &rooms);
        let due = DueQueue::of(&account);
        drop(account);
        Self {
            subscription: Arc::clone(subscription),
            name: Arc::from(subscription.spec.name.as_str()),
            sink: Arc::clone(sink),
            limits,
            reader,
            fetch,
            max_owed: std::cmp::max(MAX_OWED, limits.max_items * (limits.max_in_flight + 1)),
            destination_has: None,
            taken_to: Offset::ZERO,
            ready: VecDeque::new(),
            ready_bytes: 0,
            ready_since: None,
            resends: VecDeque::new(),
            resends_under_way: 0,
            due,
            ready_retries: VecDeque::new(),
            item_cache: ItemCache::new(&rooms.item_cache_budget),
            keys,
            reason_of_followers: Arc::from("an earlier event with its key is parked"),
            rate: subscription.max_rate().map(Rate::new),
            sent_count: 0,
            latest_probe: Offset::ZERO,
            rooms,
        }
    }

    /// Sets the position of the destination. What is owed before it counts as delivered.
    pub(super) fn resume_at(&mut self, position: Option<Offset>) {
        self.destination_has = position;
    }

    /// Forgets what is ready, so that a held lane takes no memory. It is made ready again.
    pub(super) fn let_go(&mut self) {
        if let Some(first) = self.ready.front() {
            self.taken_to = first.item.offset;
        }
        self.ready = VecDeque::new();
        self.ready_bytes = 0;
        self.ready_since = None;
        self.item_cache.clear();
        let retries = std::mem::take(&mut self.ready_retries);
        let offsets = retries.iter().flatten().map(|item| item.offset);
        self.put_back(offsets.collect());
    }

    /// An attempt has ended for these keys.
    pub(super) fn end_keys(&mut self, ended: impl IntoIterator<Item = OrderKey>) {
        if let Some(keys) = &mut self.keys {
            for key in ended {
                keys.end(Some(key));
            }
        }
    }

    /// Makes one step towards the next batch, and reads at most one block of what is new for that.
    pub(super) async fn step(&mut self, load: FlightLoad) -> Result<NextBatch, ReadError> {
        if self.subscription.is_retired() {
            return Ok(NextBatch::Wait);
        }
        if !self.has_room(load.item_count) {
            return Ok(NextBatch::Wait);
        }
        if let Some(ready_at) = self.rate.as_ref().and_then(Rate::ready_at) {
            return Ok(NextBatch::WaitUntil(ready_at));
        }
        if let Some(outgoing) = self.next_resend().await? {
            return Ok(NextBatch::Send(outgoing));
        }
        let is_retry_turn = self.is_retry_turn(load.retry_count);
        if is_retry_turn && let Some(outgoing) = self.next_due().await? {
            return Ok(NextBatch::Send(outgoing));
        }
        match self.next_fresh().await? {
            step @ (NextBatch::Send(_) | NextBatch::Nearer) => Ok(step),
            step @ (NextBatch::Wait | NextBatch::WaitForFeed | NextBatch::WaitUntil(_)) => {
                let may_retry = !is_retry_turn && self.may_retry(load.retry_count);
                if may_retry && let Some(outgoing) = self.next_due().await? {
                    return Ok(NextBatch::Send(outgoing));
                }
                Ok(step)
            }
        }
    }

    /// Makes one step towards a batch of what was never sent.
    pub(super) async fn next_fresh(&mut self) -> Result<NextBatch, ReadError> {
        if self.subscription.is_retired() {
            return Ok(NextBatch::Wait);
        }
        let subscription = Arc::clone(&self.subscription);
        let (has_next, may_match) = {
            let mut account = subscription.live.account();
            if account.parked_count() >= Subscriptions::MAX_PARKED {
                return Ok(NextBatch::Wait);
            }
            if self.keys.is_some() {
                if let Some(outgoing) = self.load_by_key(&mut account) {
                    return Ok(NextBatch::Send(outgoing));
                }
                if self.ready.len() >= KEYED_READY_ITEMS || self.ready_bytes >= KEYED_READY_BYTES {
                    return Ok(NextBatch::Wait);
                }
            } else {
                self.drop_ended(&account);
                if self.has_full_batch() {
                    return Ok(self.load(&mut account));
                }
            }
            let has_next = self.unsent(&account).next().is_some();
            let may_load = self.keys.is_none() && self.limits.gather.is_zero();
            if !has_next && may_load && !self.ready.is_empty() {
                return Ok(self.load(&mut account));
            }
            let is_behind = account.owed_count() >= self.max_owed;
            (has_next, !account.is_following() && !is_behind)
        };
        if has_next {
            self.make_ready().await?;
            return Ok(NextBatch::Nearer);
        }
        let step = if may_match {
            self.match_further().await?
        } else {
            NextBatch::Wait
        };
        let gathered_at = self.gathered_at().filter(|_| self.keys.is_none());
        match (step, gathered_at) {
            (NextBatch::Wait | NextBatch::WaitForFeed, Some(time)) if time <= Instant::now() => {
                let mut account = subscription.live.account();
                Ok(self.load(&mut account))
            }
            (NextBatch::Wait | NextBatch::WaitForFeed, Some(time)) => {
                Ok(NextBatch::WaitUntil(time))
            }
            (step, _) => Ok(step),
        }
    }

    /// Drops what is ready and no longer owed.
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

    /// What is owed and neither taken nor being sent.
    fn unsent<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = Offset> + 'a {
        account.waiting_from(self.taken_to)
    }

    /// Whether one more batch keeps to what a crash may repeat; asks for a save in time. Learns by the
    /// way what has happened to parked deliveries.
    fn has_room(&mut self, under_way: usize) -> bool {
        let (unsaved, has_news) = {
            let account = self.subscription.live.account();
            let unsaved = account.unsaved() + account.unsaved_row_count() as u64;
            (unsaved, account.has_parked_news())
        };
        if has_news {
            self.take_news();
        }
        let max_repeated = self.limits.max_repeated;
        // This many can be delivered between two saves while the flight is full.
        let in_flight = u64::try_from(self.limits.max_in_flight * self.limits.max_items);
        let room = max_repeated.saturating_sub(in_flight.unwrap_or(u64::MAX));
        if unsaved > 0 && unsaved >= room / SAVES_PER_ROOM {
            self.rooms.save_soon.notify_one();
        }
        let under_way = u64::try_from(under_way + self.limits.max_items).unwrap_or(u64::MAX);
        unsaved.saturating_add(under_way) <= max_repeated
    }

    fn has_full_batch(&self) -> bool {
        self.ready.len() >= self.limits.max_items || self.ready_bytes >= self.limits.max_bytes
    }

    /// When the batch that gathers is to go out, full or not.
    fn gathered_at(&self) -> Option<Instant> {
        self.ready_since.map(|since| since + self.limits.gather)
    }

    /// A batch of what is ready and still owed, if there is any.
    fn load(&mut self, account: &mut Account) -> NextBatch {
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < self.limits.max_items
            && let Some(ready) = self.ready.front()
        {
            if !self.fits(&items, bytes, &ready.item) {
                break;
            }
            let Some(Ready { item, key: _ }) = self.ready.pop_front() else {
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
            return NextBatch::Nearer;
        }
        NextBatch::Send(self.make_batch(items, Vec::new(), NonZeroU32::MIN, Purpose::Fresh))
    }

    /// A batch of what is ready and whose key is free. What comes after a parked event with its key is
    /// parked too.
    fn load_by_key(&mut self, account: &mut Account) -> Option<OutgoingBatch> {
        let (mut items, mut keys) = (Vec::new(), Vec::new());
        let (mut bytes, mut place) = (0, 0);
        while items.len() < self.limits.max_items
            && let Some(Ready { item, key }) = self.ready.get(place).cloned()
        {
            let order = self.keys.as_mut()?;
            let item_bytes = item.form.bytes().len();
            let is_owed = account.is_owed(item.offset);
            if is_owed && !order.is_blocked(key) {
                if order.is_busy(key) && !keys.contains(&key) {
                    place += 1;
                    continue;
                }
                if !self.fits(&items, bytes, &item) {
                    break;
                }
            }
            self.ready.remove(place);
            self.ready_bytes -= item_bytes;
            let order = self.keys.as_mut()?;
            match key {
                _ if !is_owed => (),
                Some(key) if order.is_blocked(Some(key)) => {
                    let parked = Parked::behind(item.offset, key, &self.reason_of_followers);
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

    /// Whether an item can be in one batch with others that have so many bytes.
    fn fits(&self, items: &[Arc<Item>], bytes: usize, item: &Item) -> bool {
        let fits = bytes + item.form.bytes().len() <= self.limits.max_bytes;
        items.is_empty() || fits && self.sink.goes_with(items, item)
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
                replay: self.subscription.lane().replay,
                items,
            },
            keys,
            purpose,
        }
    }

    /// Makes the next items ready, as far as one block has them.
    async fn make_ready(&mut self) -> Result<(), ReadError> {
        let (max_items, max_bytes) = match self.limits.max_items {
            _ if self.keys.is_some() => (KEYED_READY_ITEMS / 4, KEYED_READY_BYTES / 4),
            1 => (READY_ITEMS, READY_BYTES),
            batch => (READY_ITEMS.next_multiple_of(batch), self.limits.max_bytes),
        };
        let (offsets, is_following) = {
            let account = self.subscription.live.account();
            let offsets: Vec<_> = self.unsent(&account).take(max_items).collect();
            (offsets, account.is_following())
        };
        // What a lane that follows is owed is new, and in memory: it does not queue with the others.
        let rooms = Arc::clone(&self.rooms);
        let _turn = if is_following {
            None
        } else {
            rooms.scans.acquire().await.ok()
        };
        let fetched = self.fetch.read(offsets, max_bytes).await?;
        if let Some((last, _)) = fetched.last() {
            self.taken_to = last.next();
        }
        for ready in self.take(fetched) {
            self.ready_bytes += ready.item.form.bytes().len();
            self.ready.push_back(ready);
            self.ready_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Returns the items to send. Everything else that was fetched ends in the account.
    fn take(&self, fetched: Vec<(Offset, Fetched)>) -> Vec<Ready> {
        let mut account = self.subscription.live.account();
        let mut items = Vec::with_capacity(fetched.len());
        for (offset, fetched) in fetched {
            match fetched {
                Fetched::Item(_) if self.destination_has.is_some_and(|has| offset < has) => {
                    account.deliver(offset);
                }
                Fetched::Item(ready) => items.push(ready),
                Fetched::NoForm => account.skip(offset),
                Fetched::Lost(loss) => account.lose(offset, loss),
            }
        }
        items
    }

    /// Matches the next block that this lane has not matched, unless the feed does that for it by
    /// now.
    async fn match_further(&mut self) -> Result<NextBatch, ReadError> {
        let end = self.subscription.end();
        if end.is_none() && self.rooms.feed.attach(&self.subscription, self.max_owed) {
            return Ok(NextBatch::Nearer);
        }
        let end = end.unwrap_or(Offset::new(u64::MAX));
        if self.subscription.live.account().matched() >= end {
            return Ok(NextBatch::Wait);
        }
        let rooms = Arc::clone(&self.rooms);
        let _turn = rooms.scans.acquire().await;
        let position = self.subscription.live.account().matched();
        self.reader.seek(position);
        let Some(found) = self.reader.try_next().await? else {
            return Ok(NextBatch::WaitForFeed);
        };
        if let Found::Block { block, from } = found {
            let (subscription, max_owed) = (Arc::clone(&self.subscription), self.max_owed);
            let record_count = block.len();
            let work = move || match_block(&subscription, &block, from, max_owed);
            offload(record_count, work).await;
            return Ok(NextBatch::Nearer);
        }
        let mut account = self.subscription.live.account();
        if self.subscription.is_retired() {
            return Ok(NextBatch::Wait);
        }
        match found {
            Found::Block { .. } => (),
            Found::Skipped(range) => account.match_to(std::cmp::min(range.end, end)),
            Found::Trimmed(range) => account.lose_to(std::cmp::min(range.end, end), Loss::Trimmed),
            Found::Damaged(range) => account.lose_to(std::cmp::min(range.end, end), Loss::Damaged),
        }
        Ok(NextBatch::Nearer)
    }
}

/// Matches the events of a block from `from` on, until so many are owed.
fn match_block(subscription: &Subscription, block: &Block, from: Offset, max_owed: usize) {
    let filter: &Filter = &subscription.filter;
    let last = std::cmp::min(block.next(), subscription.end().unwrap_or(block.next()));
    let records = block.records_from(from);
    let records = records.take_while(|record| record.offset < last);
    let wanted = records.filter(|record| {
        filter.wants_type(&record.event_type) && filter.wants(|| Facts::of(&record.bytes))
    });
    let mut wanted = wanted.map(|record| record.offset);
    let owed_count = subscription.live.account().owed_count();
    let room = max_owed.saturating_sub(owed_count);
    let owed: Vec<_> = wanted.by_ref().take(room).collect();
    let end = wanted.next().unwrap_or(last);
    let mut account = subscription.live.account();
    if subscription.is_retired() {
        return;
    }
    for offset in owed {
        account.owe(offset);
    }
    account.match_to(end);
}

/// Lets those go that wait for a key, if no earlier delivery with their key is parked: the process may
/// have died in between, or the lane keeps no order by key any more.
fn release_followers(account: &mut Account, keys: Option<&KeyOrder>, rooms: &Rooms) {
    let followers = account.all_parked(Offset::ZERO).filter(|(offset, parked)| {
        let first = keys.and_then(|keys| keys.first_parked(parked.key?));
        parked.due == Due::AfterKey && first.is_none_or(|first| first == *offset)
    });
    let followers: Vec<_> = followers
        .map(|(offset, parked)| (offset, parked.clone()))
        .collect();
    let now = account.clock().at(rooms.clock.now());
    for (offset, parked) in followers {
        let due = Due::At(now);
        account.park(offset, Parked { due, ..parked });
    }
}
