//! One delivery: a record owed to a subscription, and which attempt comes next.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use easel_catalog::Facts;
use easel_log::{Offset, Record};
use easel_sinks::Parcel;

/// A record owed to a subscription, ready to be sent any number of times.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) offset: Offset,
    parcel: Parcel,
}

impl Delivery {
    /// The first attempt at a record.
    ///
    /// The bytes are copied: a slice would keep the record's whole block in memory for as long
    /// as its endpoint takes.
    pub(crate) fn new(record: &Record, subscription: &Arc<str>) -> Self {
        let event_time = Facts::of(&record.bytes)
            .event_time
            .unwrap_or_default()
            .into_owned();
        let parcel = Parcel {
            id: record.id,
            event_name: Arc::clone(&record.event_type),
            event_time,
            subscription: Arc::clone(subscription),
            attempt: NonZeroU32::MIN,
            body: Bytes::copy_from_slice(&record.bytes),
        };
        Self {
            offset: record.offset,
            parcel,
        }
    }

    /// What to send for this attempt.
    pub(crate) fn parcel(&self) -> Parcel {
        self.parcel.clone()
    }

    /// The number of this attempt, from 1.
    pub(crate) fn attempt(&self) -> NonZeroU32 {
        self.parcel.attempt
    }

    /// The same delivery's next attempt.
    pub(crate) fn again(mut self) -> Self {
        self.parcel.attempt = self.parcel.attempt.saturating_add(1);
        self
    }
}
