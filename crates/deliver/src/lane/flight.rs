//! The attempts of a lane that are under way.

use std::sync::Arc;

use easel_sinks::{Batch, Outcome, SendError, Sink};
use easel_subscriptions::Subscription;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use tracing::{Instrument, trace_span};

use crate::rooms::Rooms;

/// An attempt that is under way.
type Attempt = BoxFuture<'static, Landed>;

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Landed {
    /// What was sent.
    pub(super) batch: Batch,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// When it began.
    pub(super) began: Instant,
}

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

    /// Starts an attempt. The source has recorded it in the account already. If the sink has a note
    /// for the batch, it is saved before the batch is sent.
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
        let began = Instant::now();
        let attempt = async move {
            if let Some(note) = sink.note(&batch) {
                subscription.live.account().set_note(note);
                if let Err(error) = rooms.subscriptions.save_one(&subscription).await {
                    let reason = error.to_string();
                    return Landed {
                        batch,
                        outcome: Outcome::All(Err(SendError::Unreachable { reason })),
                        began,
                    };
                }
            }
            let outcome = sink.send(&batch).await;
            Landed {
                batch,
                outcome,
                began,
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
        self.item_count -= landed.batch.items.len();
        landed
    }
}
