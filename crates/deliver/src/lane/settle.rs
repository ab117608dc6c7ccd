//! Settles an attempt: records the result of each event, and decides what is sent next and whether the lane
//! goes on hold.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use easel_catalog::OrderKey;
use easel_log::Offset;
use easel_sinks::{Blame, EndpointAnswer, Item, Order, Outcome, Results, SendError};
use easel_subscriptions::{Attempt, DeadLetter, Due, LoggedAttempt, OnExhausted, Parked};
use tracing::{debug, warn};

use super::flight::{EndedAttempt, OutgoingBatch, Purpose};
use super::{Closing, Lane};

/// The consequences of a failed attempt for the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    /// The endpoint is at fault. An event that it rejected is sent again later, and is not given up.
    endpoint_is_at_fault: bool,
    /// The endpoint rejected a batch. Its halves are sent again, to find the event that is at fault.
    splits_batch: bool,
}

/// One item that was not delivered, with its attempt.
struct FailedItem<'a> {
    item: &'a Arc<Item>,
    key: Option<OrderKey>,
    failure: &'a SendError,
    attempt: &'a Attempt,
    answer: Option<&'a EndpointAnswer>,
    /// A random number that all items of the batch share, so that they are due together.
    jitter: f64,
    /// The first offset of the batch.
    batch_offset: Offset,
}

impl Lane {
    /// Records the end of an attempt.
    pub(super) fn settle(&mut self, ended: &EndedAttempt) {
        let EndedAttempt {
            sent,
            outcome,
            began_at,
            took_millis,
        } = ended;
        let OutgoingBatch { batch, purpose } = sent;
        if *purpose == Purpose::Resend {
            self.batcher.resend_ended();
        }
        let failure = worst_failure(outcome, batch.items.len());
        let attempt = Attempt {
            at_millis: began_at.as_millisecond(),
            took_millis: *took_millis,
            status: outcome.answer.as_ref().map(|answer| answer.status),
            outcome: Cow::Borrowed(failure.map_or(Attempt::DELIVERED, SendError::name)),
        };
        self.log_attempt(ended, failure);
        let verdict = self.judge(failure, outcome, batch.items.len());
        if failure.is_none()
            && let Some(note) = self.sink.note_after(batch)
        {
            let mut account = self.subscription.shared.account();
            // A newer version of the subscription may have another destination.
            if !self.subscription.is_retired() {
                account.set_note(note);
            }
        }
        let batch_offset = batch.offsets().next().unwrap_or_default();
        let (mut delivered_count, mut to_resend, mut ended_keys) = (0, Vec::new(), Vec::new());
        let jitter = fastrand::f64();
        for (index, item) in batch.items.iter().enumerate() {
            let key = batch.key(index);
            let failure = match outcome.result(index) {
                Ok(()) => {
                    let mut account = self.subscription.shared.account();
                    delivered_count += usize::from(account.deliver(item.offset));
                    ended_keys.extend(key);
                    continue;
                }
                Err(failure) => failure,
            };
            let failed = FailedItem {
                item,
                key,
                failure,
                attempt: &attempt,
                answer: outcome.answer.as_ref(),
                jitter,
                batch_offset,
            };
            if self.fail(&failed, verdict, *purpose) {
                to_resend.push((item.offset, key));
            } else {
                ended_keys.extend(key);
            }
        }
        self.batcher.end_keys(ended_keys);
        let next_attempt = batch.attempt.saturating_add(1);
        if verdict.splits_batch {
            let second_half = to_resend.split_off(to_resend.len() / 2);
            self.batcher.resend(second_half, next_attempt);
        }
        self.batcher.resend(to_resend, next_attempt);
        match failure {
            None => self.counts.delivered(delivered_count),
            Some(failure) => {
                self.counts.failed(failure, delivered_count);
                debug!(
                    subscription = %self.subscription.full_name(),
                    offset = batch_offset.get(),
                    attempt = batch.attempt,
                    error = %failure,
                    "attempt failed"
                );
                // An event in flight does not expire. If the log dropped the event meanwhile, it expires now.
                let tail = self.context.log.bounds().borrow().tail;
                let tail = std::cmp::min(tail, self.subscription.end().unwrap_or(tail));
                self.subscription.shared.account().expire_to(tail);
            }
        }
        if let Some(reason) = &outcome.pause_reason {
            self.closing = Some(Closing::Pause(reason.clone()));
        }
    }

    /// Decides whether the endpoint is at fault. Puts the lane on hold or ends a hold
    /// accordingly.
    fn judge(
        &mut self,
        failure: Option<&SendError>,
        outcome: &Outcome,
        item_count: usize,
    ) -> Verdict {
        let mut verdict = Verdict {
            endpoint_is_at_fault: false,
            splits_batch: false,
        };
        let Some(failure) = failure else {
            self.probes_host = false;
            if let Some(host) = &self.host {
                host.succeed();
            }
            if self.breaker.succeed(self.limits.max_in_flight) {
                self.clear_hold();
            }
            return verdict;
        };
        self.report_to_host(failure);
        let is_ordered = self.limits.order == Order::Offset;
        match failure.blame() {
            Blame::Gone => {
                // The subscription is paused after the other attempts in flight have ended.
                self.closing = Some(Closing::Pause(failure.to_string()));
            }
            Blame::Event
                if matches!(outcome.results, Results::All(_))
                    && item_count > 1
                    && self.breaker.may_blame_events() =>
            {
                verdict.splits_batch = true;
                self.end_probe();
            }
            Blame::Event | Blame::Batch => {
                if self.breaker.reject() {
                    verdict.endpoint_is_at_fault = true;
                    self.hold(failure, None);
                } else {
                    self.end_probe();
                }
            }
            Blame::Pause {
                retry_after: Some(retry_after),
            } => {
                verdict.endpoint_is_at_fault = true;
                self.hold(failure, Some(retry_after));
            }
            Blame::Pause { retry_after: None } | Blame::Endpoint { .. } | Blame::Host => {
                verdict.endpoint_is_at_fault = true;
                if self.breaker.fail() || is_ordered {
                    self.hold(failure, None);
                }
            }
        }
        verdict
    }

    /// Decides what happens to an item that was not delivered. Returns `true` if the item must be sent again
    /// before all other items.
    fn fail(&mut self, failed: &FailedItem<'_>, verdict: Verdict, purpose: Purpose) -> bool {
        let is_ordered = self.limits.order == Order::Offset;
        let offset = failed.item.offset;
        match failed.failure.blame() {
            Blame::Gone => {
                self.subscription.shared.account().fail_attempt(offset);
                false
            }
            Blame::Event if verdict.splits_batch => true,
            Blame::Batch => {
                self.apply_on_exhausted(failed);
                false
            }
            Blame::Event if !verdict.endpoint_is_at_fault => {
                self.apply_on_exhausted(failed);
                false
            }
            Blame::Event | Blame::Endpoint { .. } | Blame::Pause { .. } | Blame::Host
                if is_ordered =>
            {
                true
            }
            Blame::Event => {
                self.park(failed, None, false);
                false
            }
            Blame::Endpoint { retry_after } | Blame::Pause { retry_after } => {
                self.park(failed, retry_after, purpose != Purpose::Probe);
                false
            }
            Blame::Host => {
                self.park(failed, None, purpose != Purpose::Probe);
                false
            }
        }
    }

    /// Parks a delivery until the next time of its schedule. After its last attempt, applies `on_exhausted`. An
    /// attempt that does not count for the schedule, such as a probe, is never the last attempt.
    fn park(&mut self, failed: &FailedItem<'_>, retry_after: Option<Duration>, is_counted: bool) {
        let offset = failed.item.offset;
        let (previous, now) = {
            let account = self.subscription.shared.account();
            let now = account.clock().at(self.context.clock.now());
            (account.parked(offset).cloned(), now)
        };
        let failure_count = match &previous {
            Some(previous) => previous.failure_count + u32::from(is_counted),
            None => u32::from(is_counted),
        };
        let previous_due = previous.as_ref().map(|previous| previous.due);
        let schedule = &self.subscription.spec.retry;
        let due = match previous_due {
            Some(due @ Due::At(_)) if !is_counted => Some(due),
            _ if !is_counted => {
                let pause = schedule.pause_after(1, retry_after, failed.jitter);
                Some(Due::At(now.after(pause.unwrap_or_default())))
            }
            _ => {
                let pause = schedule.pause_after(failure_count, retry_after, failed.jitter);
                pause.map(|pause| Due::At(now.after(pause)))
            }
        };
        match due {
            Some(due) => self.park_until(failed, previous, failure_count, due),
            None => self.apply_on_exhausted(failed),
        }
    }

    /// Parks a delivery until `due`.
    fn park_until(
        &mut self,
        failed: &FailedItem<'_>,
        previous: Option<Parked>,
        failure_count: u32,
        due: Due,
    ) {
        let reason = self.reason(failed.failure);
        let key = match &previous {
            Some(previous) => previous.key,
            None => failed.key,
        };
        let batch_offset = previous
            .as_ref()
            .map_or(failed.batch_offset, |parked| parked.batch_offset);
        let (attempts, attempt_count) = append_attempt(previous, failed.attempt);
        let parked = Parked {
            batch_offset,
            failure_count,
            due,
            key,
            reason,
            attempts,
            attempt_count,
        };
        self.batcher.park(failed.item, parked);
    }

    /// Ends the attempts of a delivery, as `on_exhausted` of the subscription says. The delivery becomes a dead
    /// letter, or it is parked until an operator acts.
    fn apply_on_exhausted(&mut self, failed: &FailedItem<'_>) {
        let offset = failed.item.offset;
        let previous = self.subscription.shared.account().parked(offset).cloned();
        let failure_count = previous.as_ref().map_or(1, |parked| parked.failure_count);
        let has_key = failed.key.is_some();
        match self.subscription.spec.on_exhausted {
            OnExhausted::HoldKey if has_key => {
                self.park_until(failed, previous, failure_count, Due::OnCommand);
            }
            OnExhausted::HoldLane => {
                self.park_until(failed, previous, failure_count, Due::OnCommand);
                self.hold_for_operator(failed.failure);
            }
            OnExhausted::DeadLetter | OnExhausted::HoldKey => {
                let (attempts, attempt_count) = append_attempt(previous, failed.attempt);
                let answer = failed.answer.map(|answer| answer.body.clone());
                let letter = DeadLetter {
                    event_id: failed.item.id,
                    event_type: Arc::clone(&failed.item.event_type),
                    reason: failed.failure.to_string(),
                    attempts,
                    attempt_count,
                    answer: answer.filter(|body| !body.is_empty()),
                    died_at: self.context.clock.now(),
                    is_discarded: false,
                };
                warn!(
                    subscription = %self.subscription.full_name(),
                    offset = offset.get(),
                    error = %failed.failure,
                    "delivery given up"
                );
                self.subscription.shared.account().give_up(offset, letter);
                self.count_dead_letter();
                // The destination of an ordered sink may store its position with the next batch. After a crash,
                // events before this position count as delivered. So this dead letter must be saved first.
                self.must_save |= self.limits.order == Order::Offset;
            }
        }
    }

    /// Returns the text of a failure. Repeated equal texts share memory.
    fn reason(&mut self, failure: &SendError) -> Arc<str> {
        let text = failure.to_string();
        if *self.latest_reason != *text {
            self.latest_reason = Arc::from(text);
        }
        Arc::clone(&self.latest_reason)
    }

    fn log_attempt(&self, ended: &EndedAttempt, failure: Option<&SendError>) {
        let batch = &ended.sent.batch;
        self.subscription.shared.attempts().push(LoggedAttempt {
            offset: batch.offsets().next().unwrap_or_default(),
            item_count: u32::try_from(batch.items.len()).unwrap_or(u32::MAX),
            number: batch.attempt.get(),
            at_millis: ended.began_at.as_millisecond(),
            took_millis: ended.took_millis,
            status: ended.outcome.answer.as_ref().map(|answer| answer.status),
            outcome: failure.map_or(Attempt::DELIVERED, SendError::name),
        });
    }

    /// Ends the hold if a probe was answered, even if its event was rejected: the endpoint works.
    fn end_probe(&mut self) {
        if self.breaker.is_probing() {
            self.end_hold();
        }
    }

    /// Updates the state of the host, which all lanes of the host share.
    fn report_to_host(&mut self, failure: &SendError) {
        let is_probe = std::mem::take(&mut self.probes_host);
        let Some(host) = self.host.clone() else {
            return;
        };
        match failure {
            SendError::Unconnected { .. } => {
                if host.fail(is_probe).is_some() && !self.breaker.waits_for_operator() {
                    self.waits_for_host = true;
                    self.hold(failure, None);
                }
            }
            // Neither a timeout nor an attempt without a connection shows whether the host is up.
            SendError::TimedOut | SendError::NotSent { .. } if is_probe => host.give_back_turn(),
            SendError::TimedOut | SendError::NotSent { .. } => (),
            // In all these cases a connection was made, so the host is up.
            SendError::Gone { .. }
            | SendError::Rejected { .. }
            | SendError::Aborted { .. }
            | SendError::Refused { .. }
            | SendError::Busy { .. }
            | SendError::Throttled { .. }
            | SendError::Unreachable { .. } => host.succeed(),
        }
    }
}

/// Returns the failure that matters most. A failure of the endpoint comes before a failure of an event.
fn worst_failure(outcome: &Outcome, item_count: usize) -> Option<&SendError> {
    if let Results::All(result) = &outcome.results {
        return result.as_ref().err();
    }
    let failures = (0..item_count).filter_map(|index| outcome.result(index).err());
    failures.max_by_key(|failure| match failure.blame() {
        Blame::Gone => 3,
        Blame::Host | Blame::Pause { .. } => 2,
        Blame::Endpoint { .. } => 1,
        Blame::Event | Blame::Batch => 0,
    })
}

/// Appends the latest attempt to the stored attempts of a delivery, and drops the oldest beyond the limit. Also
/// returns the number of all attempts.
fn append_attempt(previous: Option<Parked>, latest: &Attempt) -> (Vec<Attempt>, u32) {
    let (mut attempts, count) = match previous {
        Some(previous) => (previous.attempts, previous.attempt_count),
        None => (Vec::new(), 0),
    };
    if attempts.len() >= Parked::MAX_ATTEMPTS {
        attempts.remove(0);
    }
    attempts.push(latest.clone());
    (attempts, count.saturating_add(1))
}
