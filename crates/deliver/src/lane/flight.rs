//! The attempts of a lane that are in flight.

use std::sync::Arc;

use easel_sinks::{Batch, Outcome, SendError, Sink};
use easel_subscriptions::Subscription;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Instrument, trace_span};

use crate::lane_context::LaneContext;

/// An attempt in flight.
type AttemptFuture = BoxFuture<'static, EndedAttempt>;

/// A batch to send.
#[derive(Debug)]
pub(super) struct OutgoingBatch {
    pub(super) batch: Batch,
    pub(super) purpose: Purpose,
}

/// Why a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The events are new.
    Fresh,
    /// The deliveries were parked.
    Retry,
    /// The batch is sent again before all other batches: a part of a rejected batch, or a failed batch of an ordered sink.
    Resend,
    /// The lane is on hold, and checks whether the endpoint is back.
    Probe,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct EndedAttempt {
    /// The batch that was sent.
    pub(super) sent: OutgoingBatch,
    /// The outcome.
    pub(super) outcome: Outcome,
    /// When the attempt began.
    pub(super) began_at: Timestamp,
    /// The duration of the attempt in milliseconds.
    pub(super) took_millis: u32,
}

/// The number of items and retries in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlightLoad {
    /// Items in flight.
    pub(super) item_count: usize,
    /// Batches in flight that were parked.
    pub(super) retry_count: usize,
}

/// The attempts of a lane that are in flight. An attempt that hangs blocks only its own place.
#[derive(Debug, Default)]
pub(super) struct Flight {
    attempts: FuturesUnordered<AttemptFuture>,
    item_count: usize,
    retry_count: usize,
}

impl Flight {
    /// Returns the number of batches in flight.
    pub(super) fn batch_count(&self) -> usize {
        self.attempts.len()
    }

    /// Returns the number of items and retries in flight.
    pub(super) const fn load(&self) -> FlightLoad {
        FlightLoad {
            item_count: self.item_count,
            retry_count: self.retry_count,
        }
    }

    /// True if no attempt is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// Starts an attempt. The batcher has already marked the items in the account as being sent. If the sink has
    /// a note for the batch, saves the note before the batch is sent.
    pub(super) fn start(
        &mut self,
        outgoing: OutgoingBatch,
        sink: Arc<dyn Sink>,
        subscription: Arc<Subscription>,
        context: Arc<LaneContext>,
    ) {
        let batch = &outgoing.batch;
        let span = trace_span!(
            "attempt",
            subscription = %subscription.full_name(),
            offset = batch.offsets().next().map(easel_log::Offset::get),
            attempt = batch.attempt,
        );
        self.item_count += batch.items.len();
        self.retry_count += usize::from(outgoing.purpose == Purpose::Retry);
        let (began, began_at) = (Instant::now(), context.clock.now());
        let attempt = async move {
            let outcome = send(&outgoing.batch, &sink, &subscription, &context).await;
            EndedAttempt {
                sent: outgoing,
                outcome,
                began_at,
                took_millis: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
            }
        };
        self.attempts.push(Box::pin(attempt.instrument(span)));
    }

    /// Waits for the next attempt to end. Waits forever if no attempt is in flight.
    pub(super) async fn next(&mut self) -> EndedAttempt {
        match self.attempts.next().await {
            Some(ended) => self.subtract(ended),
            None => std::future::pending().await,
        }
    }

    /// Returns an attempt that has already ended, without waiting.
    pub(super) fn next_ended(&mut self) -> Option<EndedAttempt> {
        let ended = self.attempts.next().now_or_never()??;
        Some(self.subtract(ended))
    }

    /// Subtracts an attempt that has ended from the counts.
    fn subtract(&mut self, ended: EndedAttempt) -> EndedAttempt {
        self.item_count -= ended.sent.batch.items.len();
        self.retry_count -= usize::from(ended.sent.purpose == Purpose::Retry);
        ended
    }
}

async fn send(
    batch: &Batch,
    sink: &Arc<dyn Sink>,
    subscription: &Arc<Subscription>,
    context: &LaneContext,
) -> Outcome {
    if let Some(note) = sink.note(batch) {
        subscription.shared.account().set_note(note);
        if let Err(error) = context.subscriptions.save_one(subscription).await {
            let reason = error.to_string();
            return Outcome::all(Err(SendError::Unreachable { reason }));
        }
    }
    sink.send(batch).await
}
