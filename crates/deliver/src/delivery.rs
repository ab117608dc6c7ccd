//! One delivery: a record owed to a subscription, in the form it wants.

use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::CaliperEvent;
use easel_log::{Offset, Record};
use uuid::Uuid;

/// A record owed to a subscription, ready to be sent any number of times.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) offset: Offset,
    pub(crate) id: Uuid,
    pub(crate) event_type: Arc<str>,
    pub(crate) event_time: String,
    pub(crate) content: Content,
}

/// What is sent of a record.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// The event itself.
    Canvas(Bytes),
    /// The event in an envelope that is made for each attempt.
    Caliper(CaliperEvent),
}

impl Delivery {
    /// What is to be sent of a record.
    pub(crate) fn new(record: &Record, event_time: String, content: Content) -> Self {
        Self {
            offset: record.offset,
            id: record.id,
            event_type: Arc::clone(&record.event_type),
            event_time,
            content,
        }
    }

    /// Whether it can be sent together with another: in one envelope, which has one sensor.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Content::Caliper(one), Content::Caliper(other)) => one.sensor() == other.sensor(),
            _ => false,
        }
    }
}

impl Content {
    /// How much it is.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Canvas(event) => event.len(),
            Self::Caliper(event) => event.json.len(),
        }
    }
}
