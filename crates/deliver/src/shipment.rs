//! What one attempt sends: a delivery, or several in one envelope.

use std::num::NonZeroU32;
use std::sync::Arc;

use easel_caliper::{MAPPER_VERSION, envelope};
use easel_catalog::event_id;
use easel_log::Offset;
use easel_sinks::Parcel;
use jiff::Timestamp;
use uuid::Uuid;

use crate::delivery::{Content, Delivery};

/// What one attempt sends: a delivery, or several in one envelope.
#[derive(Debug)]
pub(crate) struct Shipment {
    first: Delivery,
    others: Vec<Delivery>,
}

impl Shipment {
    pub(crate) const fn new(first: Delivery) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }

    /// Adds a delivery that goes with the first.
    pub(crate) fn add(&mut self, delivery: Delivery) {
        self.others.push(delivery);
    }

    /// How many deliveries it is.
    pub(crate) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Whether another delivery can be sent with it.
    pub(crate) fn goes_with(&self, delivery: &Delivery) -> bool {
        self.first.goes_with(delivery)
    }

    /// The place of its first record.
    pub(crate) const fn offset(&self) -> Offset {
        self.first.offset
    }

    /// The number of this attempt, from 1: the highest of its deliveries'.
    pub(crate) fn attempt(&self) -> NonZeroU32 {
        let attempts = self.deliveries().map(|it| it.attempt);
        attempts.max().unwrap_or(NonZeroU32::MIN)
    }

    /// What to send for this attempt, made `now`.
    pub(crate) fn parcel(&self, subscription: &Arc<str>, now: Timestamp) -> Parcel {
        let body = match &self.first.content {
            Content::Canvas(event) => event.clone(),
            Content::Caliper(_) => {
                let events: Vec<_> = self.deliveries().filter_map(Delivery::caliper).collect();
                envelope(&events, now).into()
            }
        };
        let mapper_version = self.first.caliper().map(|_| MAPPER_VERSION);
        let joined =
            |text: fn(&Delivery) -> &str| self.deliveries().map(text).collect::<Vec<_>>().join(",");
        Parcel {
            id: self.id(),
            event_name: if self.others.is_empty() {
                Arc::clone(&self.first.event_type)
            } else {
                joined(|it| &it.event_type).into()
            },
            event_time: joined(|it| &it.event_time),
            subscription: Arc::clone(subscription),
            attempt: self.attempt(),
            mapper_version,
            body,
        }
    }

    pub(crate) fn into_deliveries(self) -> impl Iterator<Item = Delivery> {
        std::iter::once(self.first).chain(self.others)
    }

    fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The event's id; of several, the id that their ids together make.
    fn id(&self) -> Uuid {
        if self.others.is_empty() {
            return self.first.id;
        }
        let ids: Vec<u8> = self.deliveries().flat_map(|it| *it.id.as_bytes()).collect();
        event_id(&ids)
    }
}

impl Delivery {
    const fn caliper(&self) -> Option<&easel_caliper::CaliperEvent> {
        match &self.content {
            Content::Caliper(event) => Some(event),
            Content::Canvas(_) => None,
        }
    }
}
