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

/// The most bytes of events in one envelope; an event larger than that goes alone.
pub(crate) const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The most bytes of event types in one header: common servers take 8 KiB of a line.
const MAX_NAME_BYTES: usize = 4096;

/// What one attempt sends: a delivery, or several in one envelope.
#[derive(Debug)]
pub(crate) struct Shipment {
    first: Delivery,
    others: Vec<Delivery>,
    /// The number of this attempt, from 1.
    attempt: NonZeroU32,
    bytes: usize,
    name_bytes: usize,
}

impl Shipment {
    /// A first attempt to send this.
    pub(crate) fn new(first: Delivery) -> Self {
        Self {
            bytes: first.content.bytes(),
            name_bytes: first.event_type.len(),
            first,
            others: Vec::new(),
            attempt: NonZeroU32::MIN,
        }
    }

    /// The next attempt to send the same.
    pub(crate) fn again(mut self) -> Self {
        self.attempt = self.attempt.saturating_add(1);
        self
    }

    /// Adds a delivery that there is room for.
    pub(crate) fn add(&mut self, delivery: Delivery) {
        self.bytes += delivery.content.bytes();
        self.name_bytes += 1 + delivery.event_type.len();
        self.others.push(delivery);
    }

    /// How many deliveries it is.
    pub(crate) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Whether another delivery can be sent with it.
    pub(crate) fn has_room_for(&self, delivery: &Delivery) -> bool {
        self.first.goes_with(delivery)
            && self.bytes + delivery.content.bytes() <= MAX_BATCH_BYTES
            && self.name_bytes + 1 + delivery.event_type.len() <= MAX_NAME_BYTES
    }

    /// The place of its first record.
    pub(crate) const fn offset(&self) -> Offset {
        self.first.offset
    }

    /// The number of this attempt, from 1.
    pub(crate) const fn attempt(&self) -> NonZeroU32 {
        self.attempt
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
            attempt: self.attempt,
            mapper_version,
            body,
        }
    }

    /// The places of its records.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = Offset> + '_ {
        self.deliveries().map(|delivery| delivery.offset)
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
