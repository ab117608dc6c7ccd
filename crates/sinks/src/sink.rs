//! The trait that every way of sending implements.
//!
//! A sink makes one attempt to send a batch and returns the outcome. It alone knows framing, headers,
//! signing and protocol. Between attempts it keeps only its connections. If its destination stores a
//! position, the sink can report that position.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use easel_log::Offset;
use uuid::Uuid;

use crate::{Batch, Item, Outcome, SendError};

/// A way of sending.
///
/// There are two kinds of destinations. Most store no position: after a crash, up to
/// [`SinkLimits::max_repeated`] deliveries are repeated. A destination such as a table stores its
/// position in the same commit as the events. Its sink implements [`resume_at`](Self::resume_at), and
/// nothing is repeated.
#[async_trait]
pub trait Sink: Debug + Send + Sync + 'static {
    /// Returns the limits that a lane must respect. They never change.
    fn limits(&self) -> SinkLimits;

    /// Returns the host that the sink connects to, as `name:port`. If no connection to the host can be
    /// made, one lane probes it for all lanes that send to it. `None` if lanes must not share this probe.
    fn host(&self) -> Option<&str> {
        None
    }

    /// True if `item` can join a batch that has `items`. The lane also respects [`limits`](Self::limits).
    fn can_join_batch(&self, _items: &[Arc<Item>], _item: &Item) -> bool {
        true
    }

    /// Returns a note that must be on disk before the batch is sent. The lane saves it in its journal, and
    /// passes the latest note to [`resume_at`](Self::resume_at) after a restart.
    fn note(&self, _batch: &Batch) -> Option<Bytes> {
        None
    }

    /// Returns a note about a batch that was accepted. The journal that counts the events as delivered has the
    /// note, and the lane passes the latest note to [`resume_at`](Self::resume_at) after a restart. A sink has
    /// notes before batches or after batches, not both.
    ///
    /// The lane forgets the note if the subscription gets another destination, and if an operator resumes the
    /// subscription after `resume_at` answered [`SendError::Gone`].
    fn note_after(&self, _batch: &Batch) -> Option<Bytes> {
        None
    }

    /// Returns the position that the destination stores; `None` if it stores none.
    ///
    /// A lane calls this at its start, and after a failure before it sends again. Events before the
    /// position count as delivered and are not sent. Events from the position on are sent, so the destination
    /// must not have them. Like `send`, this method must have its own timeout.
    async fn resume_at(&self, _note: Option<&Bytes>) -> Result<Option<StoredPosition>, SendError> {
        Ok(None)
    }

    /// Makes one attempt. A success means that the subscriber has accepted the events.
    ///
    /// Dropping the future cancels the attempt. The subscriber may have received the batch.
    async fn send(&self, batch: &Batch) -> Outcome;
}

/// The position that a destination stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPosition {
    /// The first offset that the destination does not have.
    pub next_offset: Offset,
    /// The id of the event before this offset, if the destination stores it. It shows whether the position is one
    /// of this log, or of a log that had other events at the same offsets.
    pub last_event_id: Option<Uuid>,
}

/// The limits that a lane must respect when it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkLimits {
    /// The maximum number of items in one batch, at least 1.
    pub max_items: usize,
    /// The maximum bytes of all forms in one batch. A larger item is sent alone.
    pub max_bytes: usize,
    /// How long a batch that is not full may wait for more items.
    pub gather: Duration,
    /// The maximum number of batches in flight, at least 1. More than 1 only with [`Order::Any`].
    pub max_in_flight: usize,
    /// The order in which batches are sent.
    pub order: Order,
    /// The maximum number of deliveries that a crash may repeat; at least `max_items`.
    pub max_repeated: u64,
}

/// The order in which batches are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any order, several batches at the same time.
    Any,
    /// By offset: one batch at a time. A failed batch is sent again before any later batch.
    Offset,
}
