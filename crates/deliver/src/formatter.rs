//! Makes of a record what a subscription wants to be sent.
//!
//! A translation is made once for a dialect and shared by all that want it, as long as it is among
//! the latest: at the head, lanes of one format ask for the same events at about the same time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use easel_caliper::{CaliperEvent, Dialect, Translator};
use easel_catalog::Facts;
use easel_log::{Offset, Record};
use easel_subscriptions::Format;
use tracing::debug;

use crate::delivery::{Content, Delivery};
use crate::metrics;

/// Translations kept at most, in count and in bytes.
const MAX_KEPT: usize = 4096;
const MAX_KEPT_BYTES: usize = 8 << 20;

/// Makes of a record what a subscription wants to be sent.
#[derive(Debug)]
pub(crate) struct Formatter {
    translator: Arc<Translator>,
    kept: Mutex<Kept>,
}

/// The latest translations.
#[derive(Debug, Default)]
struct Kept {
    /// None of what cannot be translated, so that it is counted once for all lanes.
    by_place: HashMap<(Offset, Dialect), Option<CaliperEvent>>,
    /// The oldest first.
    order: VecDeque<(Offset, Dialect)>,
    bytes: usize,
}

impl Formatter {
    pub(crate) fn new(translator: Arc<Translator>) -> Self {
        Self {
            translator,
            kept: Mutex::default(),
        }
    }

    /// The delivery of a record in this format; none when it has no such form.
    ///
    /// Bytes are copied: a slice would keep the record's whole block in memory for as long as its
    /// endpoint takes.
    pub(crate) fn delivery(&self, record: &Record, format: Format) -> Option<Delivery> {
        let content = match format {
            Format::Canvas => Content::Canvas(Bytes::copy_from_slice(&record.bytes)),
            Format::Caliper => Content::Caliper(self.translated(record, Dialect::Compatible)?),
            Format::CaliperStrict => Content::Caliper(self.translated(record, Dialect::Strict)?),
        };
        let event_time = Facts::of(&record.bytes).event_time.unwrap_or_default();
        Some(Delivery::new(record, event_time.into_owned(), content))
    }

    fn translated(&self, record: &Record, dialect: Dialect) -> Option<CaliperEvent> {
        let place = (record.offset, dialect);
        if let Some(known) = self.with_kept(|kept| kept.by_place.get(&place).cloned()) {
            return known;
        }
        let (event_type, bytes) = (&record.event_type, &record.bytes);
        let translated = self
            .translator
            .translate(event_type, bytes, record.id, dialect);
        let event = match translated {
            Ok(event) => {
                metrics::unreadable(event.unreadable);
                Some(event)
            }
            Err(error) => {
                metrics::untranslated();
                debug!(offset = %record.offset, %event_type, %error, "event has no Caliper form");
                None
            }
        };
        self.with_kept(|kept| kept.insert(place, event.clone()));
        event
    }

    fn with_kept<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn insert(&mut self, place: (Offset, Dialect), event: Option<CaliperEvent>) {
        let bytes = size(event.as_ref());
        if self.by_place.insert(place, event).is_some() {
            return;
        }
        self.order.push_back(place);
        self.bytes += bytes;
        while self.order.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
            let oldest = self.order.pop_front();
            let Some(gone) = oldest.and_then(|place| self.by_place.remove(&place)) else {
                return;
            };
            self.bytes -= size(gone.as_ref());
        }
    }
}

fn size(event: Option<&CaliperEvent>) -> usize {
    event.map_or(0, |it| it.json.len())
}
