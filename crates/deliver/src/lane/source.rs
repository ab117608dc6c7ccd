//! What a lane sends next.
//!
//! First what failed, each batch as it was sent before, so that a receiver knows it by its id. Then
//! what is owed, by offset. When nothing is, the source matches the next block for itself, until it
//! has caught up with the feed.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;

use easel_catalog::Facts;
use easel_log::{Block, Found, Offset, Read, ReadError, Reader, Want};
use easel_sinks::{Batch, Item, Sink, SinkLimits};
use easel_subscriptions::{Account, Filter, Loss, Subscription};
use tokio::time::Instant;

use super::retries::Retries;
use crate::offload::offload;
use crate::rooms::Rooms;

/// Items, and bytes of them, made ready at once: little, since each lane has its own. A sink whose
/// batches are larger has one batch ready.
const READY_ITEMS: usize = 32;
const READY_BYTES: usize = 64 * 1024;

/// Offsets owed to one lane at most, unless its sink's batches need more. With more than that it is
/// behind.
const MAX_OWED: usize = 1_000;

/// A lane asks for a save after this part (a quarter) of the deliveries that a crash may repeat. So
/// the save ends, as a rule, before the lane has to wait for it.
const SAVES_PER_ROOM: u64 = 4;

/// What a lane sends next.
#[derive(Debug)]
pub(super) struct Source {
    subscription: Arc<Subscription>,
    name: Arc<str>,
    sink: Arc<dyn Sink>,
    limits: SinkLimits,
    rooms: Arc<Rooms>,
    reader: Reader,
    max_owed: usize,
    /// The first offset that the destination did not have when it was last asked, if it keeps that.
    destination_has: Option<Offset>,
    /// Everything owed before this was taken.
    taken_to: Offset,
    /// Ready to be sent, by offset.
    ready: VecDeque<Arc<Item>>,
    ready_bytes: usize,
    /// When the first of them was made ready.
    ready_since: Option<Instant>,
    retries: Retries,
}

/// What one step towards the next batch came to.
pub(super) enum Step {
    /// Send this.
    Send(Batch),
    /// It is nearer; there is more to be done.
    Nearer,
    /// There is nothing, until the lane is notified.
    Wait,
    /// There is nothing, until the feed has moved.
    WaitForFeed,
    /// The batch waits for more, until then.
    WaitUntil(Instant),
}

/// What was found at an owed offset.
enum Fetched {
    Item(Arc<Item>),
    /// The event has no form in the subscription's format.
    NoForm,
    Lost(Loss),
}

impl Source {
    pub(super) fn new(
        subscription: &Arc<Subscription>,
        sink: &Arc<dyn Sink>,
        limits: SinkLimits,
        rooms: Arc<Rooms>,
        retries: Retries,
    ) -> Self {
        let filter = subscription.filter.clone();
        let want = Want::event_types(move |event_type| filter.wants_type(event_type));
        let reader = Reader::new(Arc::clone(&rooms.log), Offset::ZERO).wanting(want);
        Self {
            subscription: Arc::clone(subscription),
            name: Arc::from(subscription.spec.name.as_str()),
            sink: Arc::clone(sink),
            limits,
            rooms,
            reader,
            max_owed: std::cmp::max(MAX_OWED, limits.max_items * (limits.max_in_flight + 1)),
            destination_has: None,
            taken_to: Offset::ZERO,
            ready: VecDeque::new(),
            ready_bytes: 0,
            ready_since: None,
            retries,
        }
    }

    /// Sets the position of the destination. What is owed before it counts as delivered.
    pub(super) fn resume_at(&mut self, position: Option<Offset>) {
        self.destination_has = position;
    }

    /// What failed and waits for its next attempt.
    pub(super) fn into_retries(self) -> Retries {
        self.retries
    }

    /// Takes back a batch, or a part of one, that failed in this attempt. The next one is due at
    /// `due`.
    pub(super) fn fail(&mut self, offsets: Vec<Offset>, attempt: NonZeroU32, due: Instant) {
        self.retries.insert(offsets, attempt.saturating_add(1), due);
    }

    /// Forgets what is ready, so that a held lane takes no memory. It is made ready again.
    pub(super) fn let_go(&mut self) {
        if let Some(first) = self.ready.front() {
            self.taken_to = first.offset;
        }
        self.ready = VecDeque::new();
        self.ready_bytes = 0;
        self.ready_since = None;
    }

    /// When the next batch that failed is due.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.next_due()
    }

    /// The oldest batch that failed, due or not, without what is no longer owed of it.
    pub(super) async fn retry(&mut self) -> Result<Option<Batch>, ReadError> {
        self.retry_first(Retries::oldest).await
    }

    async fn retry_first(
        &mut self,
        pick: impl Fn(&Retries) -> Option<Offset>,
    ) -> Result<Option<Batch>, ReadError> {
        while let Some(first) = pick(&self.retries)
            && let Some((mut left, attempt)) = self.retries.get(first)
        {
            let mut items = Vec::new();
            while !left.is_empty() {
                let fetched = self.fetch(left.clone(), usize::MAX).await?;
                left.drain(..fetched.len());
                items.extend(self.take(fetched));
            }
            self.retries.remove(first);
            let mut account = self.subscription.live.account();
            items.retain(|item| account.begin_attempt(item.offset));
            if !items.is_empty() {
                return Ok(Some(self.batch(items, attempt)));
            }
        }
        Ok(None)
    }

    /// Makes one step towards the next batch, and reads at most one block for that. `under_way` is
    /// the number of items that are being sent.
    pub(super) async fn step(&mut self, under_way: usize) -> Result<Step, ReadError> {
        if self.subscription.is_retired() {
            return Ok(Step::Wait);
        }
        if !self.has_room(under_way) {
            return Ok(Step::Wait);
        }
        if self.next_retry().is_some() {
            let is_due = |retries: &Retries| retries.oldest_due(Instant::now());
            if let Some(batch) = self.retry_first(is_due).await? {
                return Ok(Step::Send(batch));
            }
        }
        let subscription = Arc::clone(&self.subscription);
        let (has_next, may_match) = {
            let mut account = subscription.live.account();
            while let Some(item) = self
                .ready
                .pop_front_if(|item| !account.is_owed(item.offset))
            {
                self.ready_bytes -= item.form.bytes().len();
            }
            if self.ready.is_empty() {
                self.ready_since = None;
            }
            if self.has_full_batch() {
                return Ok(self.load(&mut account));
            }
            let has_next = self.unsent(&account).next().is_some();
            if !has_next && self.limits.gather.is_zero() && !self.ready.is_empty() {
                return Ok(self.load(&mut account));
            }
            let is_behind = account.owed_count() >= self.max_owed;
            (has_next, !account.is_following() && !is_behind)
        };
        if has_next {
            self.make_ready().await?;
            return Ok(Step::Nearer);
        }
        let step = if may_match {
            self.match_further().await?
        } else {
            Step::Wait
        };
        match (step, self.gathered_at()) {
            (Step::Wait | Step::WaitForFeed, Some(time)) if time <= Instant::now() => {
                let mut account = subscription.live.account();
                Ok(self.load(&mut account))
            }
            (Step::Wait | Step::WaitForFeed, Some(time)) => Ok(Step::WaitUntil(time)),
            (step, _) => Ok(step),
        }
    }

    /// What is owed and neither taken, nor being sent, nor waiting for its next attempt.
    fn unsent<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = Offset> + 'a {
        let waiting = account.waiting_from(self.taken_to);
        waiting.filter(|offset| !self.retries.contains(*offset))
    }

    /// Whether one more batch keeps to what a crash may repeat; asks for a save in time.
    fn has_room(&self, under_way: usize) -> bool {
        let unsaved = self.subscription.live.account().unsaved();
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
    fn load(&mut self, account: &mut Account) -> Step {
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < self.limits.max_items
            && let Some(item) = self.ready.front()
        {
            let item_bytes = item.form.bytes().len();
            let fits = bytes + item_bytes <= self.limits.max_bytes;
            if !(items.is_empty() || fits && self.sink.goes_with(&items, item)) {
                break;
            }
            let Some(item) = self.ready.pop_front() else {
                break;
            };
            self.ready_bytes -= item_bytes;
            if account.begin_attempt(item.offset) {
                bytes += item_bytes;
                items.push(item);
            }
        }
        self.ready_since = (!self.ready.is_empty()).then(Instant::now);
        if items.is_empty() {
            return Step::Nearer;
        }
        Step::Send(self.batch(items, NonZeroU32::MIN))
    }

    fn batch(&self, items: Vec<Arc<Item>>, attempt: NonZeroU32) -> Batch {
        Batch {
            subscription: Arc::clone(&self.name),
            attempt,
            items,
        }
    }

    /// Makes the next items ready, as far as one block has them.
    async fn make_ready(&mut self) -> Result<(), ReadError> {
        let (max_items, max_bytes) = match self.limits.max_items {
            1 => (READY_ITEMS, READY_BYTES),
            batch => (READY_ITEMS.next_multiple_of(batch), self.limits.max_bytes),
        };
        let (offsets, is_following) = {
            let account = self.subscription.live.account();
            let offsets: Vec<_> = self.unsent(&account).take(max_items).collect();
            (offsets, account.is_following())
        };
        // What a lane that follows is owed is new, and in memory: it does not queue with the others.
        let _turn = if is_following {
            None
        } else {
            self.rooms.scans.acquire().await.ok()
        };
        let fetched = self.fetch(offsets, max_bytes).await?;
        if let Some((last, _)) = fetched.last() {
            self.taken_to = last.next();
        }
        for item in self.take(fetched) {
            self.ready_bytes += item.form.bytes().len();
            self.ready.push_back(item);
            self.ready_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Returns the items to send. Everything else that was fetched ends in the account.
    fn take(&self, fetched: Vec<(Offset, Fetched)>) -> Vec<Arc<Item>> {
        let mut account = self.subscription.live.account();
        let mut items = Vec::with_capacity(fetched.len());
        for (offset, fetched) in fetched {
            match fetched {
                Fetched::Item(_) if self.destination_has.is_some_and(|has| offset < has) => {
                    account.deliver(offset);
                }
                Fetched::Item(item) => items.push(item),
                Fetched::NoForm => account.skip(offset),
                Fetched::Lost(loss) => account.lose(offset, loss),
            }
        }
        items
    }

    /// Reads owed offsets, which ascend: as many as one block has, but no more than `max_bytes`
    /// take. It is at least one, if there is one.
    async fn fetch(
        &self,
        offsets: Vec<Offset>,
        max_bytes: usize,
    ) -> Result<Vec<(Offset, Fetched)>, ReadError> {
        let Some(first) = offsets.first().copied() else {
            return Ok(Vec::new());
        };
        let read = self.rooms.log.read(first).await?;
        let tail = self.rooms.log.bounds().borrow().tail;
        if matches!(read, Read::End) && first >= tail {
            return Err(ReadError::Failed {
                reason: format!("it has offset {first}, but does not find it yet"),
            });
        }
        let record_count = offsets.len();
        let (rooms, format) = (Arc::clone(&self.rooms), self.subscription.spec.format);
        let make = move || {
            let mut fetched = Vec::new();
            let mut bytes = 0;
            for offset in offsets {
                let found = match &read {
                    Read::Block(block) if block.first() <= offset => {
                        let Some(record) = block.record(offset) else {
                            break;
                        };
                        bytes += record.bytes.len();
                        let item = rooms.forms.item(&record, format);
                        item.map_or(Fetched::NoForm, Fetched::Item)
                    }
                    Read::Damaged(range) if range.contains(&offset) => Fetched::Lost(Loss::Damaged),
                    Read::Damaged(range) if range.end <= offset => break,
                    Read::Block(_) | Read::Damaged(_) => Fetched::Lost(Loss::Trimmed),
                    Read::End if offset < tail => Fetched::Lost(Loss::Trimmed),
                    // It came after the log was read.
                    Read::End => break,
                };
                fetched.push((offset, found));
                if bytes >= max_bytes {
                    break;
                }
            }
            fetched
        };
        Ok(offload(record_count, make).await)
    }

    /// Matches the next block that this lane has not matched, unless the feed does that for it by
    /// now.
    async fn match_further(&mut self) -> Result<Step, ReadError> {
        if self.rooms.feed.attach(&self.subscription, self.max_owed) {
            return Ok(Step::Nearer);
        }
        let rooms = Arc::clone(&self.rooms);
        let _turn = rooms.scans.acquire().await;
        let position = self.subscription.live.account().matched();
        self.reader.seek(position);
        let Some(found) = self.reader.try_next().await? else {
            return Ok(Step::WaitForFeed);
        };
        if let Found::Block { block, from } = found {
            let (subscription, max_owed) = (Arc::clone(&self.subscription), self.max_owed);
            let record_count = block.len();
            let work = move || match_block(&subscription, &block, from, max_owed);
            offload(record_count, work).await;
            return Ok(Step::Nearer);
        }
        let mut account = self.subscription.live.account();
        if self.subscription.is_retired() {
            return Ok(Step::Wait);
        }
        match found {
            Found::Block { .. } => (),
            Found::Skipped(range) => account.match_to(range.end),
            Found::Trimmed(range) => account.lose_to(range.end, Loss::Trimmed),
            Found::Damaged(range) => account.lose_to(range.end, Loss::Damaged),
        }
        Ok(Step::Nearer)
    }
}

/// Matches the events of a block from `from` on, until so many are owed.
fn match_block(subscription: &Subscription, block: &Block, from: Offset, max_owed: usize) {
    let filter: &Filter = &subscription.filter;
    let wanted = block.records_from(from).filter(|record| {
        filter.wants_type(&record.event_type) && filter.wants(|| Facts::of(&record.bytes))
    });
    let mut wanted = wanted.map(|record| record.offset);
    let owed_count = subscription.live.account().owed_count();
    let room = max_owed.saturating_sub(owed_count);
    let owed: Vec<_> = wanted.by_ref().take(room).collect();
    let end = wanted.next().unwrap_or(block.next());
    let mut account = subscription.live.account();
    if subscription.is_retired() {
        return;
    }
    for offset in owed {
        account.owe(offset);
    }
    account.match_to(end);
}
