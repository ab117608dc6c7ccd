//! One delivery: a record owed to a subscription, and which attempt comes next.

use std::num::NonZeroU32;
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
    /// The number of the attempt that comes next, from 1.
    pub(crate) attempt: NonZeroU32,
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
    /// The first attempt at a record.
    pub(crate) fn new(record: &Record, event_time: String, content: Content) -> Self {
        Self {
            offset: record.offset,
            id: record.id,
            event_type: Arc::clone(&record.event_type),
            event_time,
            content,
            attempt: NonZeroU32::MIN,
        }
    }

    /// Whether it can be sent together with another: in one envelope, which has one sensor.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Content::Caliper(one), Content::Caliper(other)) => one.sensor() == other.sensor(),
            _ => false,
        }
    }

    /// The same delivery's next attempt.
    pub(crate) fn again(mut self) -> Self {
        self.attempt = self.attempt.saturating_add(1);
        self
    }
}
