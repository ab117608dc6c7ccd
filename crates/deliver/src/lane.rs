//! The task that serves one subscription, or one replay of it.
//!
//! A lane takes batches from its [`Batcher`], in the [order](order) that the sink requires. It runs
//! the attempts in its [`Flight`], and [settles](settle) each one in the account. A delivery that fails
//! is parked, and the lane continues. If the endpoint itself is at fault, the [`Breaker`] opens and the
//! lane is [on hold](hold): it sends only single probes.
//!
//! With an ordered sink nothing is parked: any failure puts the lane on hold.
//!
//! Invariant: a crash repeats at most as many deliveries as the sink's limits allow, even if attempts
//! hang. A crash can repeat the deliveries that no saved journal contains: those in flight, and those
//! delivered since the latest save.

mod batcher;
mod breaker;
mod due;
mod flight;
mod hold;
mod key_order;
mod notices;
mod order;
mod position;
mod rate;
mod settle;
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
use crate::lane_context::LaneContext;
use crate::metrics::LaneCounts;
use batcher::{Batcher, NextBatch};
use breaker::Breaker;
use flight::{Flight, OutgoingBatch};
use notices::Notices;
use position::find_contradiction;

/// The task that serves one subscription, or one replay of it.
#[derive(Debug)]
pub(crate) struct Lane {
    subscription: Arc<Subscription>,
    context: Arc<LaneContext>,
    sink: Arc<dyn Sink>,
    limits: SinkLimits,
    batcher: Batcher,
    flight: Flight,
    breaker: Breaker,
    /// The host that the sink connects to, if it has one.
    host: Option<Arc<EndpointHost>>,
    /// Receives whether connections to the host can be made.
    host_up_receiver: Option<watch::Receiver<bool>>,
    /// True while the lane is on hold because of its host.
    waits_for_host: bool,
    /// True while it is this lane's turn to probe the host.
    probes_host: bool,
    stop: CancellationToken,
    /// The number of probes so far.
    probe_count: u32,
    /// True if the journal must be saved before the lane sends again.
    must_save: bool,
    counts: LaneCounts,
    notices: Notices,
    latest_reason: Arc<str>,
    /// The next state of the subscription, if the lane closes itself. The lane then sends no new batches.
    closing: Option<Closing>,
}

/// The next state of a subscription whose lane closes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Paused, for this reason.
    Pause(String),
    /// Deactivated, for this reason.
    Deactivate(String),
}

impl Lane {
    /// Creates a lane that continues where an earlier one stopped.
    pub(crate) fn new(
        subscription: Arc<Subscription>,
        sink: Arc<dyn Sink>,
        context: Arc<LaneContext>,
    ) -> Self {
        // An earlier lane that panicked did not clear its attempts and its hold.
        subscription.shared.account().cancel_attempts();
        subscription.shared.set_hold(None);
        let limits = order::ordered_limits(sink.limits());
        let batcher = Batcher::new(&subscription, &sink, limits, Arc::clone(&context));
        let host = sink.host().map(|host| context.hosts.get(host));
        Self {
            counts: LaneCounts::new(&subscription.full_name().to_string()),
            batcher,
            flight: Flight::default(),
            breaker: Breaker::default(),
            host_up_receiver: host.as_ref().map(|host| host.watch_is_up()),
            host,
            waits_for_host: false,
            probes_host: false,
            stop: CancellationToken::new(),
            probe_count: 0,
            must_save: false,
            notices: Notices::default(),
            latest_reason: Arc::from(""),
            closing: None,
            subscription,
            context,
            sink,
            limits,
        }
    }

    /// Returns the id of the lane.
    pub(crate) fn id(&self) -> LaneId {
        self.subscription.lane_id()
    }

    /// Serves until `stop` is cancelled, or until a replay has ended. Settles the attempts in flight before it
    /// returns. Returns the next state of the subscription if the lane closes itself.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Option<Closing> {
        self.stop = stop.clone();
        self.restore_hold();
        self.find_position(&stop).await;
        self.serve(&stop).await;
        self.context.feed.detach(&self.subscription);
        let now = self.context.clock.now();
        let mut account = self.subscription.shared.account();
        account.cancel_attempts();
        account.stop_clock(now);
        if self.closing.is_some() {
            account.set_held_since(None);
        }
        drop(account);
        self.subscription.shared.set_hold(None);
        self.closing
    }

    /// Asks the destination for its position until it answers, with pauses that grow.
    async fn find_position(&mut self, stop: &CancellationToken) {
        let mut has_failed = false;
        while !stop.is_cancelled() && self.closing.is_none() {
            let is_found = tokio::select! {
                () = stop.cancelled() => return,
                is_found = self.query_position() => is_found,
            };
            if is_found {
                if has_failed {
                    self.end_hold();
                }
                return;
            }
            has_failed = true;
            self.probe_count = self.probe_count.wrapping_add(1);
            self.close_if_held_too_long();
            let until = self.breaker.probe_due().unwrap_or_else(Instant::now);
            tokio::select! {
                () = stop.cancelled() => (),
                () = sleep_until(until) => (),
            }
            self.breaker.begin_probe();
        }
    }

    /// Asks the destination for its position. Returns `false` after a failure; the lane is then on hold.
    async fn query_position(&mut self) -> bool {
        let note = self.subscription.shared.account().note().cloned();
        match self.sink.resume_at(note.as_ref()).await {
            Ok(None) => {
                self.batcher.set_destination_position(None);
                true
            }
            Ok(Some(position)) => match find_contradiction(&self.context.log, position).await {
                Ok(None) => {
                    self.batcher
                        .set_destination_position(Some(position.next_offset));
                    true
                }
                Ok(Some(reason)) => {
                    self.closing = Some(Closing::Pause(reason));
                    true
                }
                Err(error) => {
                    self.hold_for_storage(error.to_string());
                    false
                }
            },
            Err(failure) => {
                self.position_failed(&failure);
                false
            }
        }
    }

    fn position_failed(&mut self, failure: &SendError) {
        match failure {
            SendError::Gone { .. } => {
                let head = self.context.log.bounds().borrow().head;
                let reason = format!("{failure}; the log ends at {head}");
                self.closing = Some(Closing::Pause(reason));
            }
            _ => {
                self.breaker.begin_probe();
                self.hold(failure, None);
            }
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) {
        let subscription = Arc::clone(&self.subscription);
        let mut feed_position = self.context.feed.watch_position();
        loop {
            let (mut wait_for_feed, mut wait_until) = (false, None);
            self.hold_if_host_is_down();
            if !self.breaker.is_closed() {
                self.batcher.apply_parked_changes();
                self.resume_if_operator_acted();
            }
            while self.may_send() && !stop.is_cancelled() {
                if self.must_save && !self.save().await {
                    break;
                }
                feed_position.mark_unchanged();
                match self.batcher.step(self.flight.load()).await {
                    Ok(NextBatch::Send(outgoing)) => self.send(outgoing),
                    Ok(NextBatch::Again) => (),
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
                        error!(subscription = %subscription.full_name(), %error, "lane cannot read the log");
                        self.hold_for_storage(error.to_string());
                    }
                }
                // Settle the attempts that have ended, also while the lane reads a long part of the log.
                while let Some(ended) = self.flight.next_ended() {
                    self.settle(&ended);
                }
                self.hold_if_host_is_down();
            }
            let is_over = self.flight.is_empty() && subscription.has_ended();
            if stop.is_cancelled() || self.closing.is_some() || is_over {
                self.context.feed.detach(&subscription);
                if self.flight.is_empty() {
                    return;
                }
                wait_until = None;
            }
            let probe_at = self.breaker.probe_due().filter(|_| self.flight.is_empty());
            let retry_at = self.batcher.next_retry();
            let retry_at = retry_at.filter(|_| self.may_send() && !subscription.is_retired());
            let wake_at = [wait_until, probe_at, retry_at].into_iter().flatten().min();
            tokio::select! {
                () = stop.cancelled(), if !stop.is_cancelled() => (),
                ended = self.flight.next(), if !self.flight.is_empty() => self.settle(&ended),
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)),
                    if wake_at.is_some() => self.probe().await,
                () = subscription.shared.work.notified() => (),
                Ok(()) = feed_position.changed(), if wait_for_feed => (),
                () = host_changed(&mut self.host_up_receiver), if self.waits_for_host => {
                    self.resume_if_host_is_up();
                }
            }
        }
    }

    fn may_send(&self) -> bool {
        let max_in_flight = self.breaker.max_in_flight(self.limits.max_in_flight);
        self.closing.is_none() && self.flight.batch_count() < max_in_flight
    }

    fn send(&mut self, outgoing: OutgoingBatch) {
        let (subscription, context) = (Arc::clone(&self.subscription), Arc::clone(&self.context));
        self.flight
            .start(outgoing, Arc::clone(&self.sink), subscription, context);
    }

    /// Saves the journal. Returns `false` after a failure; the lane is then on hold.
    async fn save(&mut self) -> bool {
        let saved = self
            .context
            .subscriptions
            .save_one(&self.subscription)
            .await;
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

    /// Returns the batch for a probe. A batch that must be sent again comes first. If there is none, probes
    /// alternate between parked and new batches.
    async fn next_probe(&mut self) -> Result<Option<OutgoingBatch>, ReadError> {
        self.batcher.apply_parked_changes();
        if let Some(resend) = self.batcher.next_resend().await? {
            return Ok(Some(resend));
        }
        let parked_first = self.probe_count % 2 == 1;
        if parked_first && let Some(parked) = self.batcher.probe_parked().await? {
            return Ok(Some(parked));
        }
        while !self.stop.is_cancelled() {
            match self.batcher.next_fresh().await? {
                NextBatch::Send(outgoing) => return Ok(Some(outgoing)),
                NextBatch::Again => (),
                NextBatch::Wait | NextBatch::WaitForFeed | NextBatch::WaitUntil(_) => break,
            }
        }
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        self.batcher.probe_parked().await
    }

    /// Ends the hold if connections to the host can be made again.
    fn resume_if_host_is_up(&mut self) {
        let is_up = self
            .host_up_receiver
            .as_ref()
            .is_some_and(|is_up| *is_up.borrow());
        let waits = self.waits_for_host && !self.breaker.waits_for_operator();
        if is_up && waits && !self.breaker.is_closed() && self.flight.is_empty() {
            self.end_hold();
        }
    }
}

/// Waits until the host goes up or down.
async fn host_changed(is_up: &mut Option<watch::Receiver<bool>>) {
    match is_up {
        // An error would mean that the sender was dropped. The lane keeps the sender in its `host`.
        Some(is_up) => drop(is_up.changed().await),
        None => std::future::pending().await,
    }
}
