//! The attempts of a lane that are under way.

use std::sync::Arc;

use easel_catalog::OrderKey;
use easel_sinks::{Batch, Outcome, SendError, Sink};
use easel_subscriptions::Subscription;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Instrument, trace_span};

use crate::rooms::Rooms;

/// An attempt that is under way.
type SendTask = BoxFuture<'static, Landed>;

/// A batch that is to be sent.
#[derive(Debug)]
pub(super) struct OutgoingBatch {
    pub(super) batch: Batch,
    /// What each item is kept in order by; empty if the lane keeps no order by key.
    pub(super) keys: Vec<Option<OrderKey>>,
    pub(super) purpose: Purpose,
}

/// Why a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its events are new.
    Fresh,
    /// It was parked.
    Retry,
    /// It is sent again at once: a part of a batch that was refused, or, at a sink with order, what
    /// failed.
    Resend,
    /// The lane holds, and wants to know whether the endpoint is back.
    Probe,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Landed {
    /// What was sent.
    pub(super) sent: OutgoingBatch,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// When it began, by the time of day.
    pub(super) began_at: Timestamp,
    /// How many milliseconds it took.
    pub(super) took_millis: u32,
}

/// How much of a lane is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlightLoad {
    /// Items.
    pub(super) item_count: usize,
    /// Batches that were parked.
    pub(super) retry_count: usize,
}

/// The attempts of a lane that are under way. One that hangs costs its own place and no more.
#[derive(Debug, Default)]
pub(super) struct Flight {
    attempts: FuturesUnordered<SendTask>,
    item_count: usize,
    retry_count: usize,
}

impl Flight {
    /// How many batches are under way.
    pub(super) fn batch_count(&self) -> usize {
        self.attempts.len()
    }

    /// How much is under way.
    pub(super) const fn load(&self) -> FlightLoad {
        FlightLoad {
            item_count: self.item_count,
            retry_count: self.retry_count,
        }
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// Starts an attempt. The source has recorded it in the account already. If the sink has a note
    /// for the batch, it is saved before the batch is sent.
    pub(super) fn start(
        &mut self,
        outgoing: OutgoingBatch,
        sink: Arc<dyn Sink>,
        subscription: Arc<Subscription>,
        rooms: Arc<Rooms>,
    ) {
        let batch = &outgoing.batch;
        let span = trace_span!(
            "attempt",
            subscription = %subscription.spec.name,
            offset = batch.offsets().next().map(easel_log::Offset::get),
            attempt = batch.attempt,
        );
        self.item_count += batch.items.len();
        self.retry_count += usize::from(outgoing.purpose == Purpose::Retry);
        let (began, began_at) = (Instant::now(), rooms.clock.now());
        let attempt = async move {
            let outcome = send(&outgoing.batch, &sink, &subscription, &rooms).await;
            Landed {
                sent: outgoing,
                outcome,
                began_at,
                took_millis: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
            }
        };
        self.attempts.push(Box::pin(attempt.instrument(span)));
    }

    /// The next attempt that ends; waits for ever while nothing is under way.
    pub(super) async fn next(&mut self) -> Landed {
        match self.attempts.next().await {
            Some(landed) => self.count(landed),
            None => std::future::pending().await,
        }
    }

    /// An attempt that has ended already.
    pub(super) fn next_ended(&mut self) -> Option<Landed> {
        let landed = self.attempts.next().now_or_never()??;
        Some(self.count(landed))
    }

    fn count(&mut self, landed: Landed) -> Landed {
        self.item_count -= landed.sent.batch.items.len();
        self.retry_count -= usize::from(landed.sent.purpose == Purpose::Retry);
        landed
    }
}

async fn send(
    batch: &Batch,
    sink: &Arc<dyn Sink>,
    subscription: &Arc<Subscription>,
    rooms: &Rooms,
) -> Outcome {
    if let Some(note) = sink.note(batch) {
        subscription.live.account().set_note(note);
        if let Err(error) = rooms.subscriptions.save_one(subscription).await {
            let reason = error.to_string();
            return Outcome::all(Err(SendError::Unreachable { reason }));
        }
    }
    sink.send(batch).await
}
