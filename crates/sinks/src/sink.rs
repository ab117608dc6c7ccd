//! The trait every way of sending implements.
//!
//! A sink makes one attempt to send a batch and says how that ended. Framing, headers, signing and
//! protocol are its own affair. It remembers nothing between attempts but its connections; what its
//! destination remembers, it may tell.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use easel_log::Offset;

use crate::{Batch, Item, Outcome, SendError};

/// A way of sending.
///
/// There are two kinds. Most destinations forget: what a crash may repeat is bounded by
/// [`SinkLimits::max_repeated`]. A destination that keeps the position, as a table does, commits it
/// together with the events: it answers [`resume_at`](Self::resume_at), and nothing is repeated.
#[async_trait]
pub trait Sink: Debug + Send + Sync + 'static {
    /// What a lane must keep to. The same for as long as the sink lives.
    fn limits(&self) -> SinkLimits;

    /// The host that it connects to, as `name:port`, if subscriptions may share it. When no
    /// connection can be made, one lane probes on behalf of all that send there.
    fn host(&self) -> Option<&str> {
        None
    }

    /// Whether an item can be in one batch with others, besides what the limits say.
    fn goes_with(&self, _items: &[Arc<Item>], _item: &Item) -> bool {
        true
    }

    /// What must be on stable storage before a batch is sent: the lane saves it in its journal, and
    /// gives the latest to [`resume_at`](Self::resume_at) after a restart.
    fn note(&self, _batch: &Batch) -> Option<Bytes> {
        None
    }

    /// Asked when a lane begins, and after a failure before anything is sent again: the first offset
    /// that the destination does not have, if it keeps that. What is owed before it counts as delivered and is not sent. What lies beyond it
    /// is sent, so the destination must not have it. Like an attempt, it must end by itself.
    async fn resume_at(&self, _note: Option<&Bytes>) -> Result<Option<Offset>, SendError> {
        Ok(None)
    }

    /// Makes one attempt. A success means that the subscriber has taken the events over.
    ///
    /// Dropping the future gives the attempt up; the subscriber may have received it or not.
    async fn send(&self, batch: &Batch) -> Outcome;
}

/// What a lane must keep to when it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkLimits {
    /// Items in one batch, at least one.
    pub max_items: usize,
    /// Bytes of forms in one batch; an item that is larger goes alone.
    pub max_bytes: usize,
    /// How long a batch that is not full may wait for more.
    pub gather: Duration,
    /// Batches under way at once, at least one. More than one only without order.
    pub max_in_flight: usize,
    /// In which order batches are sent.
    pub order: Order,
    /// Deliveries that a crash may repeat; at least `max_items`.
    pub max_repeated: u64,
}

/// In which order batches are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they come, several at once.
    Any,
    /// By offset: one batch at a time, and none before the one that failed.
    Offset,
}
