//! The attempts of a lane that are under way.

use std::sync::Arc;

use easel_sinks::{Batch, Outcome, SendError, Sink};
use easel_subscriptions::Subscription;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tracing::{Instrument, trace_span};

use crate::rooms::Rooms;

/// An attempt, and what it sends.
type Attempt = BoxFuture<'static, (Batch, Outcome)>;

/// The attempts of a lane that are under way. One that hangs costs its own place and no more.
#[derive(Debug, Default)]
pub(super) struct Flight {
    attempts: FuturesUnordered<Attempt>,
    item_count: usize,
}

impl Flight {
    /// How many batches are under way.
    pub(super) fn batch_count(&self) -> usize {
        self.attempts.len()
    }

    /// How many items these have.
    pub(super) const fn item_count(&self) -> usize {
        self.item_count
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// Starts an attempt, which its source has noted in the account. What the sink wants to find again after a crash is saved before it sends.
    pub(super) fn start(
        &mut self,
        batch: Batch,
        sink: Arc<dyn Sink>,
        subscription: Arc<Subscription>,
        rooms: Arc<Rooms>,
    ) {
        let span = trace_span!(
            "attempt",
            subscription = %subscription.spec.name,
            offset = batch.offsets().next().map(easel_log::Offset::get),
            attempt = batch.attempt,
        );
        self.item_count += batch.items.len();
        let attempt = async move {
            if let Some(note) = sink.note(&batch) {
                subscription.live.account().set_note(note);
                if let Err(error) = rooms.subscriptions.save_one(&subscription).await {
                    let reason = error.to_string();
                    return (batch, Outcome::All(Err(SendError::Unreachable { reason })));
                }
            }
            let outcome = sink.send(&batch).await;
            (batch, outcome)
        };
        self.attempts.push(Box::pin(attempt.instrument(span)));
    }

    /// The next attempt that ends; waits for ever while nothing is under way.
    pub(super) async fn next(&mut self) -> (Batch, Outcome) {
        match self.attempts.next().await {
            Some(ended) => self.landed(ended),
            None => std::future::pending().await,
        }
    }

    /// An attempt that has ended already.
    pub(super) fn next_ended(&mut self) -> Option<(Batch, Outcome)> {
        let ended = self.attempts.next().now_or_never()??;
        Some(self.landed(ended))
    }

    fn landed(&mut self, ended: (Batch, Outcome)) -> (Batch, Outcome) {
        self.item_count -= ended.0.items.len();
        ended
    }
}
