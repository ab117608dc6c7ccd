//! Converts a record to its form: the bytes that are sent to a subscription.
//!
//! A translated form is made once and cached. All lanes and attempts share it: at the head of the log,
//! lanes with one format ask for the same events at about the same time. No form is made while the
//! cache is locked, so lanes with different formats do not wait for each other.
//!
//! The event's own JSON needs no translation, so each lane makes a copy. Caching these copies cost 6 %
//! of the throughput of one lane, because their memory was cold when it was freed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use easel_caliper::{Dialect, Translator};
use easel_catalog::Facts;
use easel_log::{Offset, Record};
use easel_sinks::{Form, Item};
use easel_subscriptions::Format;
use tracing::debug;

use crate::metrics;

/// The maximum number of cached forms.
const MAX_FORMS: usize = 4096;
/// The maximum bytes of the records of all cached forms.
const MAX_FORM_BYTES: usize = 8 << 20;

/// The key of a cached form.
type FormKey = (Offset, Dialect);

/// A cache entry. It is empty until the form is made, and contains `None` if the event has no such form.
type FormCell = Arc<OnceLock<Option<Arc<Item>>>>;

/// Makes and caches forms.
#[derive(Debug)]
pub(crate) struct Forms {
    translator: Arc<Translator>,
    latest: Mutex<LatestForms>,
}

/// The cache of the latest forms.
#[derive(Debug, Default)]
struct LatestForms {
    cells: HashMap<FormKey, FormCell>,
    /// The keys, oldest first, each with the bytes of its record.
    order: VecDeque<(FormKey, usize)>,
    /// The bytes of the records of all cached forms.
    bytes: usize,
}

impl Forms {
    pub(crate) fn new(translator: Arc<Translator>) -> Self {
        Self {
            translator,
            latest: Mutex::default(),
        }
    }

    /// Returns the item of a record in this format; `None` if the event has no form in the format.
    pub(crate) fn item(&self, record: &Record, format: Format) -> Option<Arc<Item>> {
        let dialect = match format {
            Format::Canvas => {
                // A slice would keep the record's whole block in memory until the attempt ends.
                let copy = Bytes::copy_from_slice(&record.bytes);
                return Some(item(record, Form::Canvas(copy)));
            }
            Format::Caliper => Dialect::Compatible,
            Format::CaliperStrict => Dialect::Strict,
        };
        let key = (record.offset, dialect);
        let cell = {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.cell(key, record.bytes.len())
        };
        cell.get_or_init(|| self.translate(record, dialect)).clone()
    }

    fn translate(&self, record: &Record, dialect: Dialect) -> Option<Arc<Item>> {
        let (event_type, bytes) = (&record.event_type, &record.bytes);
        let translated = self
            .translator
            .translate(event_type, bytes, record.id, dialect);
        match translated {
            Ok(event) => {
                metrics::count_unreadable_values(event.unreadable);
                Some(item(record, Form::Caliper(event)))
            }
            Err(error) => {
                metrics::count_untranslated();
                debug!(offset = %record.offset, %event_type, %error, "event has no Caliper form");
                None
            }
        }
    }
}

fn item(record: &Record, form: Form) -> Arc<Item> {
    let event_time = Facts::from_event(&record.bytes)
        .event_time
        .unwrap_or_default();
    Arc::new(Item {
        offset: record.offset,
        id: record.id,
        event_type: Arc::clone(&record.event_type),
        occurred_at: record.occurred_at,
        event_time: event_time.into_owned(),
        form,
    })
}

impl LatestForms {
    /// Returns the cell of a form, and creates it if it is missing. Drops the oldest forms beyond the limits.
    fn cell(&mut self, key: FormKey, record_bytes: usize) -> FormCell {
        if let Some(cell) = self.cells.get(&key) {
            return FormCell::clone(cell);
        }
        let cell = FormCell::default();
        self.cells.insert(key, FormCell::clone(&cell));
        self.order.push_back((key, record_bytes));
        self.bytes += record_bytes;
        while self.order.len() > MAX_FORMS || self.bytes > MAX_FORM_BYTES {
            let Some((oldest, bytes)) = self.order.pop_front() else {
                break;
            };
            self.cells.remove(&oldest);
            self.bytes -= bytes;
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use easel_caliper::TranslationOptions;
    use easel_catalog::Catalog;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn forms() -> Forms {
        let translator =
            Translator::new(Arc::new(Catalog::built_in()), TranslationOptions::default());
        Forms::new(Arc::new(translator.unwrap()))
    }

    fn record(offset: u64, bytes: usize) -> Record {
        Record {
            offset: Offset::new(offset),
            id: Uuid::nil(),
            event_type: "grade_change".into(),
            occurred_at: Timestamp::UNIX_EPOCH,
            appended_at: Timestamp::UNIX_EPOCH,
            provenance: Arc::default(),
            arrival: None,
            bytes: vec![b' '; bytes].into(),
        }
    }

    #[test]
    fn all_lanes_get_the_same_form() {
        let forms = forms();
        let catalog = Catalog::built_in();
        let example = catalog.example(
            catalog.get("grade_change").unwrap(),
            easel_catalog::EventOrigin::Request,
            Timestamp::UNIX_EPOCH,
        );
        let mut record = record(1, 0);
        record.bytes = example.into();
        let ask = || forms.item(&record, Format::Caliper).unwrap();
        let first = ask();
        let others = std::thread::scope(|threads| {
            let others: Vec<_> = (0..4).map(|_| threads.spawn(ask)).collect();
            others
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(others.iter().all(|item| Arc::ptr_eq(item, &first)));
    }

    #[test]
    fn the_cache_respects_its_limits() {
        let forms = forms();
        // Forms in the Canvas format are not cached.
        for offset in 0..20 {
            forms
                .item(&record(offset, 1 << 20), Format::Canvas)
                .unwrap();
        }
        assert!(forms.latest.lock().unwrap().bytes <= MAX_FORM_BYTES);
        // The blank records have no Caliper form. The cache stores that result too.
        for offset in 0..2 * MAX_FORMS as u64 {
            assert!(forms.item(&record(offset, 1), Format::Caliper).is_none());
        }
        let latest = forms.latest.lock().unwrap();
        assert_eq!(latest.order.len(), latest.cells.len());
        assert!(latest.order.len() <= MAX_FORMS);
    }
}
