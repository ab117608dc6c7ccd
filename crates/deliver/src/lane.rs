//! The task that serves one subscription.
//!
//! A lane takes batches from its [`Source`](source::Source), in the [order](order) that the sink
//! asks for, keeps attempts going in its [`Flight`](flight::Flight), and [settles](settle) each one
//! in the account. When its endpoint fails, its [`Pace`](pace::Pace) holds it: nothing is sent until
//! the pause is over, and one batch probes first. A request that timed out while others went through
//! says nothing of the endpoint: it alone is tried again later.
//!
//! Invariant: a crash repeats no more deliveries than the sink's limits say, whatever hangs. What may
//! be repeated is what no saved journal holds: what is under way, and what was delivered since the
//! latest save.

mod flight;
mod order;
mod pace;
mod retries;
mod settle;
mod source;

use std::sync::Arc;

use easel_sinks::{Batch, Sink, SinkLimits};
use easel_subscriptions::{LaneId, Subscription};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::metrics::LaneCounts;
use crate::rooms::Rooms;
use flight::Flight;
use pace::Pace;
pub(crate) use retries::Retries;
use source::{Source, Step};

/// The task that serves one subscription.
#[derive(Debug)]
pub(crate) struct Lane {
    id: LaneId,
    subscription: Arc<Subscription>,
    rooms: Arc<Rooms>,
    sink: Arc<dyn Sink>,
    limits: SinkLimits,
    source: Source,
    flight: Flight,
    pace: Pace,
    counts: LaneCounts,
    /// Why the lane sends nothing more; `None` while it may send.
    closed: Option<String>,
}

/// How a lane ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Why the subscription is to be paused; `None` when the lane was told to stop.
    pub(crate) pause: Option<String>,
    /// What failed and waits for its next attempt.
    pub(crate) retries: Retries,
}

impl Lane {
    /// A lane that goes on with what an earlier one has left.
    pub(crate) fn new(
        subscription: Arc<Subscription>,
        sink: Arc<dyn Sink>,
        rooms: Arc<Rooms>,
        retries: Retries,
    ) -> Self {
        // An earlier lane that died has left its attempts and its hold behind.
        subscription.live.account().give_up_attempts();
        subscription.live.set_hold(None);
        let limits = order::within(sink.limits());
        let retries = order::retries(limits, retries);
        let source = Source::new(&subscription, &sink, limits, Arc::clone(&rooms), retries);
        Self {
            id: LaneId::live(subscription.id),
            counts: LaneCounts::new(subscription.spec.name.as_str()),
            source,
            flight: Flight::default(),
            pace: Pace::new(Arc::clone(&rooms.clock)),
            closed: None,
            subscription,
            rooms,
            sink,
            limits,
        }
    }

    /// Which lane it is.
    pub(crate) const fn id(&self) -> LaneId {
        self.id
    }

    /// Serves until told to stop; then what is under way is settled first.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Ended {
        self.find_position(&stop).await;
        self.serve(&stop).await;
        self.rooms.feed.detach(&self.subscription);
        self.subscription.live.account().give_up_attempts();
        self.subscription.live.set_hold(None);
        Ended {
            pause: self.closed,
            retries: self.source.into_retries(),
        }
    }

    /// Ends a lane that never ran.
    pub(crate) fn end(self) -> Ended {
        Ended {
            pause: None,
            retries: self.source.into_retries(),
        }
    }

    /// Asks the destination what it has, as often as it takes.
    async fn find_position(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() && self.closed.is_none() {
            let is_found = tokio::select! {
                () = stop.cancelled() => return,
                is_found = self.ask_position() => is_found,
            };
            if is_found {
                self.pace.release(&self.subscription);
                return;
            }
            let until = self.pace.probe_due().unwrap_or_else(Instant::now);
            tokio::select! {
                () = stop.cancelled() => (),
                () = sleep_until(until) => (),
            }
        }
    }

    /// Asks the destination what it has; `false` after a failure, for which the lane holds.
    async fn ask_position(&mut self) -> bool {
        if !self.pace.is_flowing() {
            self.pace.probe();
        }
        let note = self.subscription.live.account().note().cloned();
        match self.sink.resume_at(note.as_ref()).await {
            Ok(position) => {
                let head = self.rooms.log.bounds().borrow().head;
                match position.filter(|position| *position > head) {
                    None => self.source.resume_at(position),
                    Some(beyond) => {
                        self.closed = Some(format!(
                            "its destination has events up to offset {beyond}, but the log ends \
                             at {head}"
                        ));
                    }
                }
                true
            }
            Err(failure) => {
                self.react(&failure);
                false
            }
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) {
        let subscription = Arc::clone(&self.subscription);
        let mut feed_moved = self.rooms.feed.moved();
        loop {
            let (mut wait_for_feed, mut gather_until) = (false, None);
            while self.may_send() && !stop.is_cancelled() {
                feed_moved.mark_unchanged();
                match self.source.step(self.flight.item_count()).await {
                    Ok(Step::Send(batch)) => self.send(batch),
                    Ok(Step::Nearer) => (),
                    Ok(Step::Wait) => break,
                    Ok(Step::WaitForFeed) => {
                        wait_for_feed = true;
                        break;
                    }
                    Ok(Step::WaitUntil(time)) => {
                        gather_until = Some(time);
                        break;
                    }
                    Err(error) => {
                        error!(subscription = %subscription.spec.name, %error, "lane cannot read the log");
                        self.hold_for_the_log(&error);
                    }
                }
                // Attempts must also end while the lane reads much of the log.
                while let Some(landed) = self.flight.next_ended() {
                    self.settle(&landed);
                }
            }
            if stop.is_cancelled() || self.closed.is_some() {
                self.rooms.feed.detach(&subscription);
                if self.flight.is_empty() {
                    return;
                }
                gather_until = None;
            }
            let probe_at = self.pace.probe_due().filter(|_| self.flight.is_empty());
            let retry_at = self.source.next_retry();
            let retry_at = retry_at.filter(|_| self.may_send() && !subscription.is_retired());
            let wait_until = [gather_until, probe_at, retry_at]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                () = stop.cancelled(), if !stop.is_cancelled() => (),
                landed = self.flight.next(), if !self.flight.is_empty() => self.settle(&landed),
                () = sleep_until(wait_until.unwrap_or_else(Instant::now)),
                    if wait_until.is_some() => self.probe().await,
                () = subscription.live.work.notified() => (),
                Ok(()) = feed_moved.changed(), if wait_for_feed => (),
            }
        }
    }

    fn may_send(&self) -> bool {
        let has_place = self.flight.batch_count() < self.limits.max_in_flight;
        self.closed.is_none() && self.pace.is_flowing() && has_place
    }

    fn send(&mut self, batch: Batch) {
        let (subscription, rooms) = (Arc::clone(&self.subscription), Arc::clone(&self.rooms));
        self.flight
            .start(batch, Arc::clone(&self.sink), subscription, rooms);
    }

    /// After a pause: sends what failed first; when nothing did, the lane simply goes on.
    async fn probe(&mut self) {
        if self.pace.is_flowing() {
            return;
        }
        // The destination may have committed the attempt that failed.
        if !self.ask_position().await || self.closed.is_some() {
            return;
        }
        match self.source.retry().await {
            Ok(Some(batch)) => {
                self.pace.probe();
                self.send(batch);
            }
            Ok(None) => self.pace.release(&self.subscription),
            Err(error) => self.hold_for_the_log(&error),
        }
    }
}
