//! What the end of an attempt means: for each event, for what is sent next, and for how long the lane
//! holds.

use easel_log::ReadError;
use easel_sinks::{Blame, SendError};
use tokio::time::Instant;
use tracing::warn;

use super::Lane;
use super::flight::Landed;
use crate::backoff::Backoff;

impl Lane {
    /// Records the end of an attempt.
    pub(super) fn settle(&mut self, landed: &Landed) {
        let Landed {
            batch,
            outcome,
            began,
        } = landed;
        let failure = outcome.first_failure(batch.items.len());
        let (mut failed, mut delivered_count) = (Vec::new(), 0);
        let tail = self.rooms.log.bounds().borrow().tail;
        let mut account = self.subscription.live.account();
        for (place, item) in batch.items.iter().enumerate() {
            match outcome.result(place) {
                Ok(()) => delivered_count += usize::from(account.deliver(item.offset)),
                Err(_failure) => {
                    account.fail_attempt(item.offset);
                    failed.push(item.offset);
                }
            }
        }
        if failure.is_some() {
            // An event that the log dropped meanwhile does not expire while it is being sent.
            account.expire_to(tail);
        }
        drop(account);
        match failure {
            None => {
                self.counts.delivered(delivered_count);
                self.pace.succeed(&self.subscription);
            }
            Some(failure) => {
                self.counts.failed(failure, delivered_count);
                let (offset, attempt) = (failed.first(), batch.attempt);
                warn!(
                    subscription = %self.subscription.spec.name,
                    offset = offset.map(|offset| offset.get()),
                    attempt,
                    error = %failure,
                    "attempt failed"
                );
                let now = Instant::now();
                let hung_alone =
                    *failure == SendError::TimedOut && self.pace.has_succeeded_after(*began);
                if hung_alone {
                    // The endpoint works, so only this batch waits, and the lane goes on.
                    let pause = Backoff::after(attempt.get() - 1).fail(None);
                    self.source.fail(failed, attempt, now + pause);
                } else {
                    self.source.fail(failed, attempt, now);
                    self.react(failure);
                }
            }
        }
    }

    /// Does what a failure asks for.
    pub(super) fn react(&mut self, failure: &SendError) {
        let retry_after = match failure.blame() {
            Blame::Gone => {
                // What is under way is finished first.
                self.closed = Some(failure.to_string());
                return;
            }
            Blame::Event => None,
            Blame::Endpoint { retry_after } => retry_after,
        };
        let reason = failure.to_string();
        if self.pace.fail(&self.subscription, retry_after, reason) {
            self.source.let_go();
        }
    }

    /// Holds the lane after its log could not be read.
    pub(super) fn hold_for_the_log(&mut self, error: &ReadError) {
        let pause = easel_log::Reader::PAUSE;
        self.pace.hold(&self.subscription, pause, error.to_string());
        self.source.let_go();
    }
}
