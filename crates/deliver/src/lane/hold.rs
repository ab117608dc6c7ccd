//! When a lane is on hold, and when the hold ends.

use std::time::Duration;

use easel_log::{Offset, Reader};
use easel_sinks::SendError;
use easel_subscriptions::{Due, Hold, OnExhausted};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, error, info};

use super::breaker::Breaker;
use super::flight::Purpose;
use super::{Closing, Lane};
use crate::hosts::ProbeTurn;

/// How often an idle lane checks whether its host is back.
const CHECK_EVERY: Duration = Duration::from_secs(30);

impl Lane {
    /// Puts the lane on hold after a failure. The first probe comes after `retry_after` if the endpoint asks for
    /// it, else after the pause of the breaker.
    pub(super) fn hold(&mut self, failure: &SendError, retry_after: Option<Duration>) {
        let pause = match retry_after {
            Some(retry_after) => self.breaker.open_for_retry_after(retry_after),
            None => self.breaker.open(),
        };
        let Some(pause) = pause else {
            // The attempt was in flight when the hold began, so its failure changes nothing.
            return;
        };
        let (until, reason) = (Some(Instant::now() + pause), failure.to_string());
        if retry_after.is_some() {
            // An endpoint that asks for a pause needs no operator, and its subscription must not be deactivated.
            self.begin_hold(until, None, reason);
        } else {
            self.record_hold(until, reason.clone());
            self.report_held(&reason);
        }
    }

    /// Puts the lane on hold until an operator redelivers or discards the failed delivery.
    pub(super) fn hold_for_operator(&mut self, failure: &SendError) {
        self.breaker.open_for_operator();
        self.waits_for_host = false;
        let reason = format!("a delivery waits for an operator: {failure}");
        self.record_hold(None, reason.clone());
        self.report_held(&reason);
    }

    /// Puts the lane on hold briefly, after the log could not be read or the journal could not be saved. The
    /// endpoint is not at fault, so this hold never leads to a deactivation.
    pub(super) fn hold_for_storage(&mut self, reason: String) {
        let pause = self.breaker.open_for(Reader::PAUSE);
        self.begin_hold(Some(Instant::now() + pause), None, reason);
    }

    /// Begins a hold, and records since when the lane is on hold.
    pub(super) fn record_hold(&mut self, until: Option<Instant>, reason: String) {
        let now = self.context.clock.now();
        let since = {
            let mut account = self.subscription.shared.account();
            let since = account.held_since().unwrap_or(now);
            account.set_held_since(Some(since));
            since
        };
        self.begin_hold(until, Some(since), reason);
    }

    /// Marks the lane as on hold, stops the clock of its retry schedule, and drops prefetched items.
    fn begin_hold(&mut self, until: Option<Instant>, since: Option<Timestamp>, reason: String) {
        let now = self.context.clock.now();
        let shared = &self.subscription.shared;
        shared.account().stop_clock(now);
        let since = since.unwrap_or(now);
        let until = until.map(|until| now + until.duration_since(Instant::now()));
        debug!(subscription = %self.subscription.full_name(), reason, "lane is on hold");
        let hold = Hold {
            since,
            until,
            reason,
        };
        shared.set_hold(Some(hold));
        self.batcher.drop_ready();
    }

    /// Clears the hold. The breaker must be closed already.
    pub(super) fn clear_hold(&mut self) {
        self.waits_for_host = false;
        let now = self.context.clock.now();
        let shared = &self.subscription.shared;
        let mut account = shared.account();
        account.start_clock(now);
        account.set_held_since(None);
        drop(account);
        if shared.hold().is_some() {
            info!(subscription = %self.subscription.full_name(), "lane resumed");
        }
        shared.set_hold(None);
        self.report_resumed();
    }

    /// Closes the breaker and clears the hold, without a probe.
    pub(super) fn end_hold(&mut self) {
        self.breaker.close();
        self.clear_hold();
    }

    /// Restores the hold of the previous lane, if that lane was on hold when it ended. This lane then starts with
    /// a probe.
    pub(super) fn restore_hold(&mut self) {
        let now = self.context.clock.now();
        let holds_lane = self.subscription.spec.on_exhausted == OnExhausted::HoldLane;
        if holds_lane && self.waits_for_operator() {
            self.breaker.open_for_operator();
            self.record_hold(None, "a delivery waits for an operator".to_owned());
            return;
        }
        let mut account = self.subscription.shared.account();
        match account.held_since() {
            Some(since) => {
                account.stop_clock(now);
                drop(account);
                self.breaker = Breaker::due_for_probe();
                self.subscription.shared.set_hold(Some(Hold {
                    since,
                    until: Some(now),
                    reason: "it was on hold when it was stopped".to_owned(),
                }));
            }
            None => account.start_clock(now),
        }
    }

    /// Puts the lane on hold if its host is down. All lanes of the host do the same.
    pub(super) fn hold_if_host_is_down(&mut self) {
        let is_down = self.host.as_ref().is_some_and(|host| host.is_down());
        if is_down && self.breaker.is_closed() {
            self.waits_for_host = true;
            let pause = self.breaker.open().unwrap_or_default();
            let host = self.sink.host().unwrap_or("its host").to_owned();
            let reason = format!("no connection can be made to {host}");
            self.record_hold(Some(Instant::now() + pause), reason.clone());
            self.report_held(&reason);
        }
    }

    /// Ends the hold if no delivery waits for an operator any more.
    pub(super) fn resume_if_operator_acted(&mut self) {
        if self.breaker.waits_for_operator() && !self.waits_for_operator() {
            self.end_hold();
        }
    }

    /// True if a parked delivery waits for an operator.
    fn waits_for_operator(&self) -> bool {
        let account = self.subscription.shared.account();
        let mut parked = account.all_parked(Offset::ZERO);
        parked.any(|(_, parked)| parked.due == Due::OnCommand)
    }

    /// Deactivates the subscription if the lane was on hold for too long.
    pub(super) fn close_if_held_too_long(&mut self) {
        let Some(Hold { since, reason, .. }) = self.subscription.shared.hold() else {
            return;
        };
        let may_deactivate = self.subscription.shared.account().held_since().is_some();
        // Without a probe, it is unknown whether the endpoint is back.
        if !may_deactivate || self.probe_count == 0 {
            return;
        }
        if self.breaker.waits_for_operator() || self.subscription.replay.is_some() {
            return;
        }
        let held = self.context.clock.now().duration_since(since);
        let limit = self.context.deactivate_after;
        if Duration::try_from(held).is_ok_and(|held| held >= limit) {
            let limit = humantime::format_duration(limit);
            let reason = format!("it was on hold for {limit}: {reason}");
            self.report_deactivated(&reason, since);
            self.closing = Some(Closing::Deactivate(reason));
        }
    }

    /// Gives back the turn to probe the host, if the lane has the turn. Returns true if the lane had it.
    fn give_back_host_probe(&mut self) -> bool {
        let has_turn = std::mem::take(&mut self.probes_host);
        if let Some(host) = self.host.as_ref().filter(|_| has_turn) {
            host.give_back_turn();
        }
        has_turn
    }

    /// Sends one batch as a probe, if the breaker is not closed. If there is nothing to send, ends the hold.
    pub(super) async fn probe(&mut self) {
        if self.breaker.is_closed() {
            return;
        }
        self.close_if_held_too_long();
        if self.closing.is_some() {
            return;
        }
        if self.waits_for_host
            && let Some(host) = self.host.clone()
        {
            match host.take_turn() {
                ProbeTurn::Probe => self.probes_host = true,
                ProbeTurn::Up => return self.end_hold(),
                ProbeTurn::Wait(until) => {
                    let pause = until.duration_since(Instant::now());
                    self.breaker.open_for(pause);
                    return;
                }
            }
        }
        // The destination may have committed the failed attempt, so ask for its position first.
        if !self.query_position().await || self.closing.is_some() {
            self.give_back_host_probe();
            return;
        }
        self.probe_count = self.probe_count.wrapping_add(1);
        match self.next_probe().await {
            Ok(Some(mut outgoing)) => {
                if outgoing.purpose != Purpose::Resend {
                    outgoing.purpose = Purpose::Probe;
                }
                self.breaker.begin_probe();
                self.send(outgoing);
            }
            Ok(None) if self.stop.is_cancelled() || self.subscription.is_retired() => {
                self.give_back_host_probe();
                self.breaker.open_for(CHECK_EVERY);
            }
            // This lane has nothing to send. Another lane must probe the host.
            Ok(None) if self.give_back_host_probe() => {
                self.breaker.open_for(CHECK_EVERY);
            }
            Ok(None) => self.end_hold(),
            Err(failure) => {
                self.give_back_host_probe();
                error!(subscription = %self.subscription.full_name(), error = %failure, "lane cannot read the log");
                self.hold_for_storage(failure.to_string());
            }
        }
    }
}
