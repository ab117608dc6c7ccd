//! The batch that a lane passes to a sink in one attempt.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::CaliperEvent;
use easel_catalog::OrderKey;
use easel_log::Offset;
use jiff::Timestamp;
use uuid::Uuid;

use crate::JwtCell;

/// The items that a sink sends in one attempt.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The subscription's name.
    pub subscription: Arc<str>,
    /// The number of the attempt, from 1.
    pub attempt: NonZeroU32,
    /// The number of the replay; `None` for live events.
    pub replay: Option<NonZeroU32>,
    /// The items to send, by offset; at least one.
    pub items: Vec<Arc<Item>>,
    /// The order keys of the items. Empty if the lane does not keep events in order by key.
    pub keys: Vec<Option<OrderKey>>,
}

/// One delivery: an event in the form that the subscription asks for. Lanes and attempts share it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The event's offset in the log.
    pub offset: Offset,
    /// The event's id, the same in every attempt.
    pub id: Uuid,
    /// The event type.
    pub event_type: Arc<str>,
    /// When the event happened.
    pub occurred_at: Timestamp,
    /// When the log stored the event. `None` if the event is not in this server's log.
    pub appended_at: Option<Timestamp>,
    /// The time of the event, as the text in its metadata.
    pub event_time: String,
    /// The bytes to send.
    pub form: Form,
    /// The form as a JWT; `None` if no subscription that shares the item asks for one.
    pub jwt: Option<Arc<JwtCell>>,
}

/// An event in the format of a subscription.
#[derive(Clone, Debug)]
pub enum Form {
    /// The event's own JSON.
    Canvas(Bytes),
    /// The event in Caliper, without an envelope.
    Caliper(CaliperEvent),
    /// A Caliper envelope with one event, as it came in. It is sent alone.
    Envelope(Bytes),
}

impl Batch {
    /// Returns the order key of the item at `index`; `None` if it may be sent in any order.
    pub fn key(&self, index: usize) -> Option<OrderKey> {
        self.keys.get(index).copied().flatten()
    }

    /// Returns the offsets of the items, in order.
    pub fn offsets(&self) -> impl Iterator<Item = Offset> + '_ {
        self.items.iter().map(|item| item.offset)
    }
}

impl Form {
    /// Returns the bytes of the event in this form.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Canvas(event) | Self::Envelope(event) => event,
            Self::Caliper(event) => &event.json,
        }
    }

    /// Returns the translated Caliper event; `None` for another form.
    pub const fn caliper(&self) -> Option<&CaliperEvent> {
        match self {
            Self::Caliper(event) => Some(event),
            Self::Canvas(_) | Self::Envelope(_) => None,
        }
    }
}
