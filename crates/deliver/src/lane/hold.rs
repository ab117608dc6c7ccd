//! When a lane holds, and when it goes on.

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

/// How often an idle lane looks whether its host is back.
const LOOK_EVERY: Duration = Duration::from_secs(30);

impl Lane {
    /// Holds the lane after a failure: for as long as the endpoint asks, or else until a probe.
    pub(super) fn hold(&mut self, failure: &SendError, asked: Option<Duration>) {
        let pause = match asked {
            Some(asked) => self.breaker.pause(asked),
            None => self.breaker.open(),
        };
        let Some(pause) = pause else {
            // It was under way when the lane began to hold, and says nothing new.
            return;
        };
        let (until, reason) = (Some(Instant::now() + pause), failure.to_string());
        if asked.is_some() {
            // An endpoint that asks for a pause needs no operator, and is not to be deactivated.
            self.begin_hold(until, None, reason);
        } else {
            self.show_hold(until, reason.clone());
            self.tell_held(&reason);
        }
    }

    /// Holds the lane until an operator redelivers or discards what it could not deliver.
    pub(super) fn hold_for_operator(&mut self, failure: &SendError) {
        self.breaker.open_for_operator();
        self.waits_for_host = false;
        let reason = format!("a delivery waits for an operator: {failure}");
        self.show_hold(None, reason.clone());
        self.tell_held(&reason);
    }

    /// Holds the lane for a moment after the log could not be read, or the journal not be saved. The
    /// endpoint is not at fault, so this does not lead to a deactivation.
    pub(super) fn hold_for_storage(&mut self, reason: String) {
        let pause = self.breaker.open_for(Reader::PAUSE);
        self.begin_hold(Some(Instant::now() + pause), None, reason);
    }

    /// Says that the lane holds, and remembers since when.
    pub(super) fn show_hold(&mut self, until: Option<Instant>, reason: String) {
        let now = self.rooms.clock.now();
        let since = {
            let mut account = self.subscription.live.account();
            let since = account.held_since().unwrap_or(now);
            account.set_held_since(Some(since));
            since
        };
        self.begin_hold(until, Some(since), reason);
    }

    /// Says that the lane sends nothing, stops the clock of its schedule, and lets go of what was
    /// ready.
    fn begin_hold(&mut self, until: Option<Instant>, since: Option<Timestamp>, reason: String) {
        let now = self.rooms.clock.now();
        let live = &self.subscription.live;
        live.account().stop_clock(now);
        let since = since.unwrap_or(now);
        let until = until.map(|until| now + until.duration_since(Instant::now()));
        debug!(subscription = %self.subscription.spec.name, reason, "lane holds");
        let hold = Hold {
            since,
            until,
            reason,
        };
        live.set_hold(Some(hold));
        self.source.let_go();
    }

    /// Goes on after a hold. The breaker is closed already.
    pub(super) fn release(&mut self) {
        self.waits_for_host = false;
        let now = self.rooms.clock.now();
        let live = &self.subscription.live;
        let mut account = live.account();
        account.start_clock(now);
        account.set_held_since(None);
        drop(account);
        if live.hold().is_some() {
            info!(subscription = %self.subscription.spec.name, "lane goes on");
        }
        live.set_hold(None);
        self.tell_resumed();
    }

    /// Ends a hold without a probe.
    pub(super) fn go_on(&mut self) {
        self.breaker.release();
        self.release();
    }

    /// Begins with a hold, if the lane before this one ended in one: the first thing is a probe.
    pub(super) fn take_over_hold(&mut self) {
        let now = self.rooms.clock.now();
        let holds_lane = self.subscription.spec.on_exhausted == OnExhausted::HoldLane;
        if holds_lane && self.waits_for_operator() {
            self.breaker.open_for_operator();
            self.show_hold(None, "a delivery waits for an operator".to_owned());
            return;
        }
        let mut account = self.subscription.live.account();
        match account.held_since() {
            Some(since) => {
                account.stop_clock(now);
                drop(account);
                self.breaker = Breaker::due_for_probe();
                self.subscription.live.set_hold(Some(Hold {
                    since,
                    until: Some(now),
                    reason: "it held when it was stopped".to_owned(),
                }));
            }
            None => account.start_clock(now),
        }
    }

    /// Holds with all other lanes of the host, if that is down.
    pub(super) fn follow_host(&mut self) {
        let is_down = self.host.as_ref().is_some_and(|host| host.is_down());
        if is_down && self.breaker.is_closed() {
            self.waits_for_host = true;
            let pause = self.breaker.open().unwrap_or_default();
            let host = self.sink.host().unwrap_or("its host").to_owned();
            let reason = format!("no connection can be made to {host}");
            self.show_hold(Some(Instant::now() + pause), reason.clone());
            self.tell_held(&reason);
        }
    }

    /// Goes on if an operator has dealt with everything that waited for one.
    pub(super) fn look_at_operator(&mut self) {
        if self.breaker.waits_for_operator() && !self.waits_for_operator() {
            self.go_on();
        }
    }

    /// Whether a parked delivery waits for an operator.
    fn waits_for_operator(&self) -> bool {
        let account = self.subscription.live.account();
        let mut parked = account.all_parked(Offset::ZERO);
        parked.any(|(_, parked)| parked.due == Due::Never)
    }

    /// Closes the lane if it has held for too long.
    pub(super) fn look_at_deadline(&mut self) {
        let Some(Hold { since, reason, .. }) = self.subscription.live.hold() else {
            return;
        };
        let is_held = self.subscription.live.account().held_since().is_some();
        // While no lane ran, nobody has seen whether the endpoint is back.
        if !is_held || self.probe_number == 0 {
            return;
        }
        if self.breaker.waits_for_operator() || self.subscription.replay.is_some() {
            return;
        }
        let held = self.rooms.clock.now().duration_since(since);
        let limit = self.rooms.deactivate_after;
        if Duration::try_from(held).is_ok_and(|held| held >= limit) {
            let limit = humantime::format_duration(limit);
            let reason = format!("it held for {limit}: {reason}");
            self.tell_deactivated(&reason, since);
            self.closed = Some(Closing::Deactivate(reason));
        }
    }

    /// Gives its turn to probe the host back, if it has one.
    fn return_host_probe(&mut self) -> bool {
        let has_turn = std::mem::take(&mut self.probes_host);
        if let Some(host) = self.host.as_ref().filter(|_| has_turn) {
            host.give_back();
        }
        has_turn
    }

    /// After a pause: sends one batch. When there is nothing to send, the lane simply goes on.
    pub(super) async fn probe(&mut self) {
        if self.breaker.is_closed() {
            return;
        }
        self.look_at_deadline();
        if self.closed.is_some() {
            return;
        }
        if self.waits_for_host
            && let Some(host) = self.host.clone()
        {
            match host.probe() {
                ProbeTurn::Probe => self.probes_host = true,
                ProbeTurn::Up => return self.go_on(),
                ProbeTurn::Wait(until) => {
                    let pause = until.duration_since(Instant::now());
                    self.breaker.open_for(pause);
                    return;
                }
            }
        }
        // The destination may have committed the attempt that failed.
        if !self.ask_position().await || self.closed.is_some() {
            self.return_host_probe();
            return;
        }
        self.probe_number = self.probe_number.wrapping_add(1);
        match self.next_probe().await {
            Ok(Some(mut outgoing)) => {
                if outgoing.purpose != Purpose::Resend {
                    outgoing.purpose = Purpose::Probe;
                }
                self.breaker.probe();
                self.send(outgoing);
            }
            Ok(None) if self.stop.is_cancelled() || self.subscription.is_retired() => {
                self.return_host_probe();
                self.breaker.open_for(LOOK_EVERY);
            }
            // Somebody who has something to send finds out when the host is back.
            Ok(None) if self.return_host_probe() => {
                self.breaker.open_for(LOOK_EVERY);
            }
            Ok(None) => self.go_on(),
            Err(failure) => {
                self.return_host_probe();
                error!(subscription = %self.subscription.spec.name, error = %failure, "lane cannot read the log");
                self.hold_for_storage(failure.to_string());
            }
        }
    }
}
