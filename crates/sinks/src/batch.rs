//! What a sink is given in one attempt.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::CaliperEvent;
use easel_log::Offset;
use jiff::Timestamp;
use uuid::Uuid;

/// What a sink is given in one attempt.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The subscription's name.
    pub subscription: Arc<str>,
    /// Which attempt it is, from 1.
    pub attempt: NonZeroU32,
    /// The number of the replay that it belongs to; `None` for live events.
    pub replay: Option<NonZeroU32>,
    /// What to send, by offset; at least one.
    pub items: Vec<Arc<Item>>,
}

/// One delivery: an event in the form that the subscriber wants. Lanes and attempts share it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The event's place in the log.
    pub offset: Offset,
    /// The event's identity, the same at every attempt.
    pub id: Uuid,
    /// Its event type.
    pub event_type: Arc<str>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The same, in the spelling that the event itself has.
    pub event_time: String,
    /// What to send of it.
    pub form: Form,
}

/// What is sent of an event.
#[derive(Clone, Debug)]
pub enum Form {
    /// The event's own JSON.
    Canvas(Bytes),
    /// The event in Caliper, still without an envelope.
    Caliper(CaliperEvent),
}

impl Batch {
    /// The places of its items, in order.
    pub fn offsets(&self) -> impl Iterator<Item = Offset> + '_ {
        self.items.iter().map(|item| item.offset)
    }
}

impl Form {
    /// The bytes of the event in this form.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Canvas(event) => event,
            Self::Caliper(event) => &event.json,
        }
    }

    /// The Caliper event, if it is one.
    pub const fn caliper(&self) -> Option<&CaliperEvent> {
        match self {
            Self::Caliper(event) => Some(event),
            Self::Canvas(_) => None,
        }
    }
}
