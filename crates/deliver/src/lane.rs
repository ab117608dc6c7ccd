//! The task that serves one subscription.
//!
//! It finds what is owed, keeps up to `in_flight` sends going, settles them, and holds when its
//! endpoint fails: then nothing is sent until the pause is over, and one delivery probes first.
//!
//! Invariant: at most [`MAX_UNSAVED`] deliveries are not yet known to the store, so a crash
//! repeats no more than that.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use easel_log::{Clock, Offset, Read, ReadError, SharedLog};
use easel_sinks::{Next, SendError, Sink};
use easel_subscriptions::{Hold, Loss, Subscription};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, trace_span, warn};

use crate::backoff::Backoff;
use crate::feed::{Feed, MAX_OWED};
use crate::job::Job;
use crate::metrics;

/// Deliveries the store may not know of yet.
const MAX_UNSAVED: u64 = 1000;

/// Deliveries after which the store is asked to catch up.
const SAVE_AT: u64 = 250;

/// Records, and bytes of them, taken out of a block at once: little, since each lane has its own.
const STOCK_RECORDS: usize = 32;
const STOCK_BYTES: usize = 64 * 1024;

/// Pause after the log could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// What a lane works with besides its subscription.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) log: SharedLog,
    pub(crate) feed: Feed,
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
    /// Read and ready to be sent.
    stock: VecDeque<Job>,
    /// Failed, by offset; these go first when the lane no longer holds.
    failed: BTreeMap<Offset, Job>,
    backoff: Backoff,
    pace: Pace,
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

type Send = BoxFuture<'static, (Job, Result<(), SendError>)>;
type Sends = FuturesUnordered<Send>;

/// What there is to do next.
enum Outlook {
    /// Send this.
    Send(Job),
    /// Nothing, until the lane is rung.
    Wait,
    /// Nothing, until the feed has moved.
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
            subscription,
            sink,
            workshop,
            stock: VecDeque::new(),
            failed: BTreeMap::new(),
            backoff: Backoff::default(),
            pace: Pace::Flowing,
        }
    }

    /// Serves until told to stop; then what is under way is settled first.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Ended {
        let subscription = Arc::clone(&self.subscription);
        let live = &subscription.live;
        live.ledger().recall();
        let ended = self.serve(&stop).await;
        self.workshop.feed.detach(&subscription);
        live.set_hold(None);
        ended
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Ended {
        let subscription = Arc::clone(&self.subscription);
        let mut feed_moved = self.workshop.feed.moved();
        let mut sends = Sends::new();
        loop {
            let mut wait_for_feed = false;
            while self.may_send(&sends) && !stop.is_cancelled() {
                feed_moved.mark_unchanged();
                match self.outlook().await {
                    Ok(Outlook::Send(job)) => sends.push(self.send(job)),
                    Ok(Outlook::Wait) => break,
                    Ok(Outlook::WaitForFeed) => {
                        wait_for_feed = true;
                        break;
                    }
                    Err(error) => {
                        error!(subscription = %self.name, %error, "lane cannot read the log");
                        self.hold(READ_PAUSE, error.to_string());
                    }
                }
            }
            if stop.is_cancelled() && sends.is_empty() {
                return Ended::Stopped;
            }
            let probe_at = self.probe_due().filter(|_| sends.is_empty());
            tokio::select! {
                // From here on nothing new is owed by what may be an outdated filter.
                () = stop.cancelled(), if !stop.is_cancelled() => {
                    self.workshop.feed.detach(&subscription);
                }
                Some((job, result)) = sends.next() => {
                    if let Some(reason) = self.settle(job, result) {
                        return Ended::Gone(reason);
                    }
                }
                () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => {
                    sends.extend(self.probe());
                }
                () = subscription.live.work.notified() => (),
                Ok(()) = feed_moved.changed(), if wait_for_feed => (),
            }
        }
    }

    fn may_send(&self, sends: &Sends) -> bool {
        self.pace == Pace::Flowing && sends.len() < self.subscription.spec.in_flight.get()
    }

    const fn probe_due(&self) -> Option<Instant> {
        match self.pace {
            Pace::Holding { until } => Some(until),
            Pace::Flowing | Pace::Probing => None,
        }
    }

    /// Sends the oldest delivery that failed; when none did, the lane simply goes on.
    fn probe(&mut self) -> Option<Send> {
        match self.failed.pop_first() {
            Some((_, job)) => {
                self.pace = Pace::Probing;
                Some(self.send(job))
            }
            None => {
                self.release();
                None
            }
        }
    }

    /// Finds the next delivery to attempt.
    async fn outlook(&mut self) -> Result<Outlook, ReadError> {
        loop {
            let (unsaved, unsent, owed, following) = {
                let ledger = self.subscription.live.ledger();
                (
                    ledger.unsaved(),
                    ledger.first_unsent(),
                    ledger.owed_count(),
                    ledger.is_following(),
                )
            };
            if unsaved >= SAVE_AT {
                self.workshop.save_soon.notify_one();
            }
            let under_way =
                u64::try_from(self.subscription.spec.in_flight.get()).unwrap_or(u64::MAX);
            if unsaved + under_way > MAX_UNSAVED {
                return Ok(Outlook::Wait);
            }
            let next = self.failed.pop_first().map(|(_, job)| job);
            if let Some(job) = next.or_else(|| self.stock.pop_front()) {
                return Ok(Outlook::Send(job));
            }
            if let Some(offset) = unsent {
                self.fill_stock(offset).await?;
            } else if following || owed >= MAX_OWED {
                return Ok(Outlook::Wait);
            } else if !self.look_further().await? {
                return Ok(Outlook::WaitForFeed);
            }
        }
    }

    /// Reads the first records owed, those of one block, and as many as the stock may hold.
    async fn fill_stock(&mut self, first: Offset) -> Result<(), ReadError> {
        let _turn = self.workshop.scans.acquire().await;
        let found = self.workshop.log.read(first).await?;
        let mut ledger = self.subscription.live.ledger();
        let mut bytes = 0;
        while let Some(offset) = ledger.first_unsent() {
            match &found {
                Read::Block(block) if block.first() <= offset => {
                    let Some(record) = block.record(offset) else {
                        break;
                    };
                    bytes += record.bytes.len();
                    self.stock.push_back(Job::new(&record, &self.name));
                }
                Read::Block(_) => ledger.lose(offset, Loss::Trimmed),
                Read::Damaged(range) if range.end <= offset => break,
                Read::Damaged(range) if range.contains(&offset) => {
                    ledger.lose(offset, Loss::Damaged);
                }
                Read::Damaged(_) | Read::End => ledger.lose(offset, Loss::Trimmed),
            }
            ledger.take_unsent();
            if self.stock.len() >= STOCK_RECORDS || bytes >= STOCK_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// Looks at the next block this lane has not seen; `false` when the feed has to move first.
    async fn look_further(&self) -> Result<bool, ReadError> {
        let (subscription, log) = (&self.subscription, &self.workshop.log);
        if self.workshop.feed.attach(subscription) {
            return Ok(true);
        }
        let _turn = self.workshop.scans.acquire().await;
        let from = subscription.live.ledger().scanned();
        let Some(info) = log.peek(from).await? else {
            return Ok(false);
        };
        let filter = &subscription.filter;
        // Where damage hides what a block holds, no event type is named; reading it tells.
        let may_hold_wanted = info.event_types.is_empty()
            || info
                .event_types
                .iter()
                .any(|event_type| filter.wants_type(event_type));
        if !may_hold_wanted {
            let mut ledger = subscription.live.ledger();
            ledger.lose_to(info.first, Loss::Trimmed);
            ledger.scan_to(info.first.plus(info.count));
            return Ok(true);
        }
        let found = log.read(from).await?;
        let mut ledger = subscription.live.ledger();
        match found {
            Read::Block(block) => {
                ledger.lose_to(block.first(), Loss::Trimmed);
                for record in block.records().filter(|record| record.offset >= from) {
                    if ledger.owed_count() >= MAX_OWED {
                        return Ok(true);
                    }
                    let wanted = filter.wants_type(&record.event_type)
                        && filter.wants(|| easel_catalog::Facts::of(&record.bytes));
                    if wanted {
                        ledger.owe(record.offset);
                    } else {
                        ledger.scan_to(record.offset.next());
                    }
                }
            }
            Read::Damaged(range) => {
                ledger.lose_to(range.start, Loss::Trimmed);
                ledger.lose_to(range.end, Loss::Damaged);
            }
            Read::End => return Ok(false),
        }
        Ok(true)
    }

    fn send(&self, job: Job) -> Send {
        let sink = Arc::clone(&self.sink);
        let span = trace_span!(
            "attempt",
            subscription = %self.name,
            offset = %job.offset,
            attempt = job.attempt(),
        );
        let attempt = async move {
            let result = sink.send(job.parcel()).await;
            (job, result)
        };
        Box::pin(attempt.instrument(span))
    }

    /// Records the end of an attempt; answers with a reason when the lane is to end.
    fn settle(&mut self, job: Job, result: Result<(), SendError>) -> Option<String> {
        let (offset, attempt) = (job.offset, job.attempt());
        let failure = match result {
            Ok(()) => {
                metrics::attempted("delivered");
                self.subscription.live.ledger().deliver(offset);
                match self.pace {
                    Pace::Flowing => self.backoff.succeed(),
                    Pace::Probing => self.release(),
                    Pace::Holding { .. } => (),
                }
                return None;
            }
            Err(failure) => failure,
        };
        metrics::attempted(failure.outcome());
        warn!(subscription = %self.name, %offset, attempt, error = %failure, "attempt failed");
        self.failed.insert(offset, job.again());
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
        let mut ledger = self.subscription.live.ledger();
        while let Some(job) = self.stock.pop_back() {
            ledger.untake(job.offset);
        }
        drop(ledger);
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
