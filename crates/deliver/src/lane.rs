//! The task that serves one subscription.
//!
//! It finds what is owed, keeps up to `in_flight` attempts going, settles them, and holds when its
//! endpoint fails: then nothing is sent until the pause is over, and one delivery probes first.
//!
//! Invariant: a crash repeats at most [`MAX_REPEATED`] deliveries, whatever hangs. What may be
//! repeated is what no saved journal holds: what is under way, and what was delivered since the
//! latest save.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::Facts;
use easel_log::{Clock, Offset, Read, ReadError, SharedLog};
use easel_sinks::{Next, SendError, Sink};
use easel_subscriptions::{Account, Hold, Loss, Subscription};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, trace_span, warn};

use crate::backoff::Backoff;
use crate::delivery::Delivery;
use crate::feed::Feed;
use crate::formatter::Formatter;
use crate::metrics::LaneCounts;
use crate::shipment::{MAX_BATCH_BYTES, Shipment};

/// Deliveries that a crash may repeat.
const MAX_REPEATED: u64 = 1_000;

/// Unsaved deliveries after which a save is asked for.
const SAVE_AT: u64 = 250;

/// Offsets owed to one lane at most; with more than that it is behind.
const MAX_OWED: usize = 1_000;

/// Records, and bytes of them, taken out of a block at once: little, since each lane has its own.
/// Of records it is so many batches, at least one, that none is sent half full for this.
const STOCK_RECORDS: usize = 32;
const STOCK_BYTES: usize = 64 * 1024;

/// Pause after the log could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// What a lane works with besides its subscription.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) log: SharedLog,
    pub(crate) feed: Feed,
    pub(crate) formatter: Formatter,
    pub(crate) clock: Arc<dyn Clock>,
    /// Lets few lanes at a time look through the past, so that many of them neither hold many
    /// blocks in memory nor keep new events waiting.
    pub(crate) scans: Semaphore,
    /// Rung when cursors should be saved soon.
    pub(crate) save_soon: Notify,
}

/// Why a lane ended by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to.
    Stopped,
    /// The endpoint is gone for good; the subscription is to be paused, for this reason.
    Gone(String),
}

/// The task that serves one subscription.
#[derive(Debug)]
pub(crate) struct Lane {
    subscription: Arc<Subscription>,
    name: Arc<str>,
    sink: Arc<dyn Sink>,
    workshop: Arc<Workshop>,
    /// Everything owed before this was taken, to be sent.
    taken_to: Offset,
    /// Read and ready to be sent.
    stock: VecDeque<Delivery>,
    /// Failed, by the offset of the first in it; these go first when the lane no longer holds, each
    /// as it was sent before, so that a receiver knows it by its id.
    failed: BTreeMap<Offset, Shipment>,
    backoff: Backoff,
    pace: Pace,
    counts: LaneCounts,
}

/// How freely a lane sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As much as `in_flight` allows.
    Flowing,
    /// Nothing until then.
    Holding { until: Instant },
    /// One delivery, to see whether the endpoint is back.
    Probing,
}

type Attempt = BoxFuture<'static, (Shipment, Result<(), SendError>)>;
type Attempts = FuturesUnordered<Attempt>;

/// What one step towards the next delivery came to.
enum Step {
    /// Send this.
    Send(Shipment),
    /// It is nearer; there is more to be done.
    Nearer,
    /// There is nothing, until the lane is rung.
    Wait,
    /// There is nothing, until the feed has moved.
    WaitForFeed,
}

impl Lane {
    pub(crate) fn new(
        subscription: Arc<Subscription>,
        sink: Arc<dyn Sink>,
        workshop: Arc<Workshop>,
    ) -> Self {
        Self {
            name: Arc::from(subscription.spec.name.as_str()),
            counts: LaneCounts::new(subscription.spec.name.as_str()),
            subscription,
            sink,
            workshop,
            taken_to: Offset::ZERO,
            stock: VecDeque::new(),
            failed: BTreeMap::new(),
            backoff: Backoff::default(),
            pace: Pace::Flowing,
        }
    }

    /// Serves until told to stop; then what is under way is settled first.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Ended {
        let subscription = Arc::clone(&self.subscription);
        let ended = self.serve(&stop).await;
        subscription.live.account().give_up_attempts();
        self.workshop.feed.detach(&subscription);
        subscription.live.set_hold(None);
        ended
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Ended {
        let subscription = Arc::clone(&self.subscription);
        let mut feed_moved = self.workshop.feed.moved();
        let mut attempts = Attempts::new();
        loop {
            let mut wait_for_feed = false;
            while self.may_send(&attempts) && !stop.is_cancelled() {
                feed_moved.mark_unchanged();
                match self.step(attempts.len()).await {
                    Ok(Step::Send(shipment)) => attempts.push(self.attempt(shipment)),
                    Ok(Step::Nearer) => (),
                    Ok(Step::Wait) => break,
                    Ok(Step::WaitForFeed) => {
                        wait_for_feed = true;
                        break;
                    }
                    Err(error) => {
                        error!(subscription = %self.name, %error, "lane cannot read the log");
                        self.hold(READ_PAUSE, error.to_string());
                    }
                }
                // A long look through the past must not keep attempts from starting and ending.
                while let Some(Some((shipment, result))) = attempts.next().now_or_never() {
                    if let Some(reason) = self.settle(shipment, result) {
                        return Ended::Gone(reason);
                    }
                }
            }
            if stop.is_cancelled() {
                self.workshop.feed.detach(&subscription);
                if attempts.is_empty() {
                    return Ended::Stopped;
                }
            }
            let probe_at = self.probe_due().filter(|_| attempts.is_empty());
            tokio::select! {
                () = stop.cancelled(), if !stop.is_cancelled() => (),
                Some((shipment, result)) = attempts.next() => {
                    if let Some(reason) = self.settle(shipment, result) {
                        return Ended::Gone(reason);
                    }
                }
                () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => {
                    attempts.extend(self.probe());
                }
                () = subscription.live.work.notified() => (),
                Ok(()) = feed_moved.changed(), if wait_for_feed => (),
            }
        }
    }

    fn may_send(&self, attempts: &Attempts) -> bool {
        self.pace == Pace::Flowing && attempts.len() < self.subscription.spec.in_flight.get()
    }

    const fn probe_due(&self) -> Option<Instant> {
        match self.pace {
            Pace::Holding { until } => Some(until),
            Pace::Flowing | Pace::Probing => None,
        }
    }

    /// Sends the oldest shipment that failed; when none did, the lane simply goes on.
    fn probe(&mut self) -> Option<Attempt> {
        match self.take_failed() {
            Some(shipment) => {
                self.pace = Pace::Probing;
                Some(self.attempt(shipment))
            }
            None => {
                self.release();
                None
            }
        }
    }

    /// The oldest shipment that failed and that something is still owed of: the rest has expired.
    fn take_failed(&mut self) -> Option<Shipment> {
        let account = self.subscription.live.account();
        while let Some((_, shipment)) = self.failed.pop_first() {
            if shipment.offsets().any(|offset| account.is_owed(offset)) {
                return Some(shipment);
            }
        }
        None
    }

    /// Makes one step, of at most one block, towards the next delivery to attempt.
    async fn step(&mut self, attempts: usize) -> Result<Step, ReadError> {
        if self.subscription.is_retired() {
            return Ok(Step::Wait);
        }
        // There was room for it when it was sent first, and nothing new has been sent since.
        if let Some(shipment) = self.take_failed() {
            return Ok(Step::Send(shipment));
        }
        let (unsent, owed, following) = {
            let account = self.subscription.live.account();
            let expired = |delivery: &mut Delivery| !account.is_owed(delivery.offset);
            while self.stock.pop_front_if(expired).is_some() {}
            if !self.has_room(&account, attempts) {
                return Ok(Step::Wait);
            }
            let unsent = account.next_owed(self.taken_to);
            (unsent, account.owed_count(), account.is_following())
        };
        if let Some(delivery) = self.stock.pop_front() {
            return Ok(Step::Send(self.load(delivery)));
        }
        if let Some(offset) = unsent {
            self.fill_stock(offset).await?;
            return Ok(Step::Nearer);
        }
        if following || owed >= MAX_OWED {
            return Ok(Step::Wait);
        }
        self.look_further().await
    }

    /// Puts what is at hand and goes with a delivery beside it.
    fn load(&mut self, first: Delivery) -> Shipment {
        let mut shipment = Shipment::new(first);
        while shipment.count() < self.subscription.spec.webhook.batch.get()
            && let Some(delivery) = self.stock.pop_front_if(|it| shipment.has_room_for(it))
        {
            shipment.add(delivery);
        }
        shipment
    }

    /// Whether one more attempt keeps to what a crash may repeat; asks for a save in time.
    fn has_room(&self, account: &Account, attempts: usize) -> bool {
        let unsaved = account.unsaved();
        if unsaved >= SAVE_AT {
            self.workshop.save_soon.notify_one();
        }
        let under_way = (attempts + 1) * self.subscription.spec.webhook.batch.get();
        unsaved + u64::try_from(under_way).unwrap_or(u64::MAX) <= MAX_REPEATED
    }

    /// Reads the first records owed, those of one block, and as many as the stock may hold.
    async fn fill_stock(&mut self, first: Offset) -> Result<(), ReadError> {
        // What a lane that follows owes is new, and in memory: it does not queue with the others.
        let following = self.subscription.live.account().is_following();
        let _turn = if following {
            None
        } else {
            self.workshop.scans.acquire().await.ok()
        };
        let found = self.workshop.log.read(first).await?;
        let batch = self.subscription.spec.webhook.batch.get();
        let (records, most_bytes) = if batch == 1 {
            (STOCK_RECORDS, STOCK_BYTES)
        } else {
            (STOCK_RECORDS.next_multiple_of(batch), MAX_BATCH_BYTES)
        };
        let mut account = self.subscription.live.account();
        let mut bytes = 0;
        while let Some(offset) = account.next_owed(self.taken_to) {
            match &found {
                Read::Block(block) if block.first() <= offset => {
                    let Some(record) = block.record(offset) else {
                        break;
                    };
                    bytes += record.bytes.len();
                    let format = self.subscription.spec.format;
                    match self.workshop.formatter.delivery(&record, format) {
                        Some(delivery) => self.stock.push_back(delivery),
                        None => account.skip(offset),
                    }
                }
                Read::Block(_) => account.lose(offset, Loss::Trimmed),
                Read::Damaged(range) if range.end <= offset => break,
                Read::Damaged(range) if range.contains(&offset) => {
                    account.lose(offset, Loss::Damaged);
                }
                Read::Damaged(range) if offset < range.start => {
                    account.lose(offset, Loss::Trimmed);
                }
                Read::End if offset == first => account.lose(offset, Loss::Trimmed),
                // It came after the log was read.
                Read::Damaged(_) | Read::End => break,
            }
            self.taken_to = offset.next();
            if self.stock.len() >= records || bytes >= most_bytes {
                break;
            }
        }
        Ok(())
    }

    /// Looks at the next block this lane has not seen, unless the feed does that for it by now.
    async fn look_further(&self) -> Result<Step, ReadError> {
        let (subscription, log) = (&self.subscription, &self.workshop.log);
        if self.workshop.feed.attach(subscription, MAX_OWED) {
            return Ok(Step::Nearer);
        }
        let _turn = self.workshop.scans.acquire().await;
        let from = subscription.live.account().matched();
        let Some(info) = log.peek(from).await? else {
            return Ok(Step::WaitForFeed);
        };
        let filter = &subscription.filter;
        // Where damage hides what a block holds, no event type is named; reading it tells.
        let may_hold_wanted = info.event_types.is_empty()
            || info
                .event_types
                .iter()
                .any(|event_type| filter.wants_type(event_type));
        let found = if may_hold_wanted {
            Some(log.read(from).await?)
        } else {
            None
        };
        let mut account = subscription.live.account();
        if subscription.is_retired() {
            return Ok(Step::Wait);
        }
        match found {
            None => {
                account.lose_to(info.first, Loss::Trimmed);
                account.match_to(info.next());
            }
            Some(Read::Block(block)) => {
                account.lose_to(block.first(), Loss::Trimmed);
                for record in block.records().filter(|record| record.offset >= from) {
                    if account.owed_count() >= MAX_OWED {
                        break;
                    }
                    let wanted = filter.wants_type(&record.event_type)
                        && filter.wants(|| Facts::of(&record.bytes));
                    if wanted {
                        account.owe(record.offset);
                    } else {
                        account.match_to(record.offset.next());
                    }
                }
            }
            Some(Read::Damaged(range)) => {
                account.lose_to(range.start, Loss::Trimmed);
                account.lose_to(range.end, Loss::Damaged);
            }
            Some(Read::End) => return Ok(Step::WaitForFeed),
        }
        Ok(Step::Nearer)
    }

    fn attempt(&self, shipment: Shipment) -> Attempt {
        let sink = Arc::clone(&self.sink);
        let span = trace_span!(
            "attempt",
            subscription = %self.name,
            offset = %shipment.offset(),
            attempt = shipment.attempt(),
        );
        let mut account = self.subscription.live.account();
        shipment
            .offsets()
            .for_each(|offset| account.begin_attempt(offset));
        drop(account);
        let parcel = shipment.parcel(&self.name, self.workshop.clock.now());
        let attempt = async move {
            let result = sink.send(parcel).await;
            (shipment, result)
        };
        Box::pin(attempt.instrument(span))
    }

    /// Records the end of an attempt; answers with a reason when the lane is to end.
    fn settle(&mut self, shipment: Shipment, result: Result<(), SendError>) -> Option<String> {
        let (offset, attempt) = (shipment.offset(), shipment.attempt());
        let failure = match result {
            Ok(()) => {
                self.counts.delivered(shipment.count());
                let mut account = self.subscription.live.account();
                for delivery in shipment.into_deliveries() {
                    account.deliver(delivery.offset);
                }
                drop(account);
                match self.pace {
                    Pace::Flowing => self.backoff.succeed(),
                    Pace::Probing => self.release(),
                    Pace::Holding { .. } => (),
                }
                return None;
            }
            Err(failure) => failure,
        };
        self.counts.failed(&failure);
        warn!(subscription = %self.name, %offset, attempt, error = %failure, "attempt failed");
        let tail = self.workshop.log.bounds().borrow().tail;
        let mut account = self.subscription.live.account();
        shipment
            .offsets()
            .for_each(|offset| account.fail_attempt(offset));
        // What the log dropped meanwhile was only waiting for this answer.
        account.expire_to(tail);
        drop(account);
        self.failed.insert(offset, shipment.again());
        match failure.next() {
            Next::Pause => Some(failure.to_string()),
            Next::Retry(asked) => {
                match self.pace {
                    Pace::Flowing | Pace::Probing => {
                        let pause = self.backoff.fail(asked);
                        self.hold(pause, failure.to_string());
                    }
                    // It was under way when the lane began to hold, and says nothing new.
                    Pace::Holding { .. } => (),
                }
                None
            }
        }
    }

    /// Puts the lane on hold; what was read ahead is let go, so a held lane takes no memory.
    fn hold(&mut self, pause: Duration, reason: String) {
        debug!(subscription = %self.name, ?pause, "lane holds");
        let until = self.workshop.clock.now() + pause;
        self.pace = Pace::Holding {
            until: Instant::now() + pause,
        };
        if let Some(first) = self.stock.front() {
            self.taken_to = first.offset;
        }
        self.stock.clear();
        self.subscription
            .live
            .set_hold(Some(Hold { until, reason }));
    }

    /// Ends a hold.
    fn release(&mut self) {
        info!(subscription = %self.name, "lane goes on");
        self.pace = Pace::Flowing;
        self.backoff.succeed();
        self.subscription.live.set_hold(None);
    }
}
