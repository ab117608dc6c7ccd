//! The task that serves one subscription, or one replay of it.
//!
//! A lane takes batches from its [`LaneSource`](source::Source), in the [order](order) that the sink
//! asks for, keeps attempts going in its [`Flight`](flight::Flight), and [settles](settle) each one
//! in the account. A delivery that fails is parked, and the lane goes on. When the endpoint itself is
//! at fault, the [`Breaker`](breaker::Breaker) opens and the lane [holds](hold): nothing is sent but
//! one probe from time to time.
//!
//! A sink with order parks nothing: whatever fails holds its lane.
//!
//! Invariant: a crash repeats no more deliveries than the sink's limits say, whatever hangs. What may
//! be repeated is what no saved journal holds: what is under way, and what was delivered since the
//! latest save.

mod breaker;
mod due;
mod flight;
mod hold;
mod key_order;
mod notices;
mod order;
mod rate;
mod settle;
mod source;
mod window;

use std::sync::Arc;

use easel_log::ReadError;
use easel_sinks::{SendError, Sink, SinkLimits};
use easel_subscriptions::{LaneId, Subscription};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::hosts::EndpointHost;
use crate::metrics::LaneCounts;
use crate::rooms::Rooms;
use breaker::Breaker;
use flight::{Flight, OutgoingBatch};
use notices::Notices;
use source::{LaneSource, NextBatch};

/// The task that serves one subscription, or one replay of it.
#[derive(Debug)]
pub(crate) struct Lane {
    subscription: Arc<Subscription>,
    rooms: Arc<Rooms>,
    sink: Arc<dyn Sink>,
    limits: SinkLimits,
    source: LaneSource,
    flight: Flight,
    breaker: Breaker,
    /// The host that the sink connects to, and whether connections can be made.
    host: Option<Arc<EndpointHost>>,
    host_is_up: Option<watch::Receiver<bool>>,
    /// True while the lane holds because of its host.
    waits_for_host: bool,
    /// True while this lane has its turn to probe the host.
    probes_host: bool,
    stop: CancellationToken,
    probe_number: u32,
    /// The journal must be saved before anything else is sent.
    must_save: bool,
    counts: LaneCounts,
    notices: Notices,
    latest_reason: Arc<str>,
    /// Why the lane sends nothing more; `None` while it may send.
    closed: Option<Closing>,
}

/// What is to become of a subscription whose lane has closed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// It is paused, for this reason.
    Pause(String),
    /// It is deactivated, for this reason.
    Deactivate(String),
}

impl Lane {
    /// A lane that goes on where an earlier one has stopped.
    pub(crate) fn new(
        subscription: Arc<Subscription>,
        sink: Arc<dyn Sink>,
        rooms: Arc<Rooms>,
    ) -> Self {
        // An earlier lane that died has left its attempts and its hold behind.
        subscription.live.account().give_up_attempts();
        subscription.live.set_hold(None);
        let limits = order::within(sink.limits());
        let source = LaneSource::new(&subscription, &sink, limits, Arc::clone(&rooms));
        let host = sink.host().map(|host| rooms.hosts.get(host));
        Self {
            counts: LaneCounts::new(subscription.spec.name.as_str()),
            source,
            flight: Flight::default(),
            breaker: Breaker::default(),
            host_is_up: host.as_ref().map(|host| host.is_up()),
            host,
            waits_for_host: false,
            probes_host: false,
            stop: CancellationToken::new(),
            probe_number: 0,
            must_save: false,
            notices: Notices::default(),
            latest_reason: Arc::from(""),
            closed: None,
            subscription,
            rooms,
            sink,
            limits,
        }
    }

    /// Which lane it is.
    pub(crate) fn id(&self) -> LaneId {
        self.subscription.lane()
    }

    /// Serves until told to stop, or until a replay has ended; then what is under way is settled
    /// first. Returns why the lane has closed by itself, if it has.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Option<Closing> {
        self.stop = stop.clone();
        self.take_over_hold();
        self.find_position(&stop).await;
        self.serve(&stop).await;
        self.rooms.feed.detach(&self.subscription);
        let now = self.rooms.clock.now();
        let mut account = self.subscription.live.account();
        account.give_up_attempts();
        account.stop_clock(now);
        if self.closed.is_some() {
            account.set_held_since(None);
        }
        drop(account);
        self.subscription.live.set_hold(None);
        self.closed
    }

    /// Asks the destination what it has, as often as it takes.
    async fn find_position(&mut self, stop: &CancellationToken) {
        let mut has_failed = false;
        while !stop.is_cancelled() && self.closed.is_none() {
            let is_found = tokio::select! {
                () = stop.cancelled() => return,
                is_found = self.ask_position() => is_found,
            };
            if is_found {
                if has_failed {
                    self.go_on();
                }
                return;
            }
            has_failed = true;
            self.probe_number = self.probe_number.wrapping_add(1);
            self.look_at_deadline();
            let until = self.breaker.probe_due().unwrap_or_else(Instant::now);
            tokio::select! {
                () = stop.cancelled() => (),
                () = sleep_until(until) => (),
            }
            self.breaker.probe();
        }
    }

    /// Asks the destination what it has; `false` after a failure, for which the lane holds.
    async fn ask_position(&mut self) -> bool {
        let note = self.subscription.live.account().note().cloned();
        match self.sink.resume_at(note.as_ref()).await {
            Ok(position) => {
                let head = self.rooms.log.bounds().borrow().head;
                match position.filter(|position| *position > head) {
                    None => self.source.resume_at(position),
                    Some(beyond) => {
                        self.closed = Some(Closing::Pause(format!(
                            "its destination has events up to offset {beyond}, but the log ends \
                             at {head}"
                        )));
                    }
                }
                true
            }
            Err(failure) => {
                self.fail_position(&failure);
                false
            }
        }
    }

    fn fail_position(&mut self, failure: &SendError) {
        match failure {
            SendError::Gone { .. } => self.closed = Some(Closing::Pause(failure.to_string())),
            _ => {
                self.breaker.probe();
                self.hold(failure, None);
            }
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) {
        let subscription = Arc::clone(&self.subscription);
        let mut feed_moved = self.rooms.feed.moved();
        loop {
            let (mut wait_for_feed, mut wait_until) = (false, None);
            self.follow_host();
            if !self.breaker.is_closed() {
                self.source.take_news();
                self.look_at_operator();
            }
            while self.may_send() && !stop.is_cancelled() {
                if self.must_save && !self.save().await {
                    break;
                }
                feed_moved.mark_unchanged();
                match self.source.step(self.flight.load()).await {
                    Ok(NextBatch::Send(outgoing)) => self.send(outgoing),
                    Ok(NextBatch::Nearer) => (),
                    Ok(NextBatch::Wait) => break,
                    Ok(NextBatch::WaitForFeed) => {
                        wait_for_feed = true;
                        break;
                    }
                    Ok(NextBatch::WaitUntil(time)) => {
                        wait_until = Some(time);
                        break;
                    }
                    Err(error) => {
                        error!(subscription = %subscription.spec.name, %error, "lane cannot read the log");
                        self.hold_for_storage(error.to_string());
                    }
                }
                // Attempts must also end while the lane reads much of the log.
                while let Some(landed) = self.flight.next_ended() {
                    self.settle(&landed);
                }
                self.follow_host();
            }
            let is_over = self.flight.is_empty() && subscription.has_ended();
            if stop.is_cancelled() || self.closed.is_some() || is_over {
                self.rooms.feed.detach(&subscription);
                if self.flight.is_empty() {
                    return;
                }
                wait_until = None;
            }
            let probe_at = self.breaker.probe_due().filter(|_| self.flight.is_empty());
            let retry_at = self.source.next_retry();
            let retry_at = retry_at.filter(|_| self.may_send() && !subscription.is_retired());
            let wake_at = [wait_until, probe_at, retry_at].into_iter().flatten().min();
            tokio::select! {
                () = stop.cancelled(), if !stop.is_cancelled() => (),
                landed = self.flight.next(), if !self.flight.is_empty() => self.settle(&landed),
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)),
                    if wake_at.is_some() => self.probe().await,
                () = subscription.live.work.notified() => (),
                Ok(()) = feed_moved.changed(), if wait_for_feed => (),
                () = host_changed(&mut self.host_is_up), if self.waits_for_host => {
                    self.host_changed();
                }
            }
        }
    }

    fn may_send(&self) -> bool {
        let max_in_flight = self.breaker.max_in_flight(self.limits.max_in_flight);
        self.closed.is_none() && self.flight.batch_count() < max_in_flight
    }

    fn send(&mut self, outgoing: OutgoingBatch) {
        let (subscription, rooms) = (Arc::clone(&self.subscription), Arc::clone(&self.rooms));
        self.flight
            .start(outgoing, Arc::clone(&self.sink), subscription, rooms);
    }

    /// Saves the journal; `false` after a failure, for which the lane holds.
    async fn save(&mut self) -> bool {
        let saved = self.rooms.subscriptions.save_one(&self.subscription).await;
        match saved {
            Ok(()) => {
                self.must_save = false;
                true
            }
            Err(error) => {
                self.hold_for_storage(error.to_string());
                false
            }
        }
    }

    /// The batch of a probe: what is sent again first; then, in turns, what is parked and what is new.
    async fn next_probe(&mut self) -> Result<Option<OutgoingBatch>, ReadError> {
        self.source.take_news();
        if let Some(resend) = self.source.next_resend().await? {
            return Ok(Some(resend));
        }
        let parked_first = self.probe_number % 2 == 1;
        if parked_first && let Some(parked) = self.source.probe_parked().await? {
            return Ok(Some(parked));
        }
        while !self.stop.is_cancelled() {
            match self.source.next_fresh().await? {
                NextBatch::Send(outgoing) => return Ok(Some(outgoing)),
                NextBatch::Nearer => (),
                NextBatch::Wait | NextBatch::WaitForFeed | NextBatch::WaitUntil(_) => break,
            }
        }
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        self.source.probe_parked().await
    }

    /// Goes on once connections can be made to its host again.
    fn host_changed(&mut self) {
        let is_up = self.host_is_up.as_ref().is_some_and(|it| *it.borrow());
        let waits = self.waits_for_host && !self.breaker.waits_for_operator();
        if is_up && waits && !self.breaker.is_closed() && self.flight.is_empty() {
            self.go_on();
        }
    }
}

/// Waits until a host is said to be up or down.
async fn host_changed(is_up: &mut Option<watch::Receiver<bool>>) {
    match is_up {
        // An error means that nobody will say anything any more, which the lane's own host rules out.
        Some(is_up) => drop(is_up.changed().await),
        None => std::future::pending().await,
    }
}
