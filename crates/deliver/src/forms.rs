//! Makes of a record what a subscription wants to be sent: its form.
//!
//! A form that takes work is made once and shared by all lanes and attempts, as long as it is among
//! the latest: at the head, lanes of one format ask for the same events at about the same time.
//! Nothing is made while the collection is locked, so lanes of different formats do not wait for each
//! other.
//!
//! The event's own JSON takes no work, so each lane makes a copy. To collect and share these copies
//! took 6 % of the throughput of one lane: their memory was cold when it was freed.

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

/// Forms kept at most, in count and in bytes of the records that they were made of.
const MAX_KEPT: usize = 4096;
const MAX_KEPT_BYTES: usize = 8 << 20;

/// Which form it is.
type FormKey = (Offset, Dialect);

/// A place for a form: empty until somebody has made it, and `None` in it when the event has no such
/// form.
type Cell = Arc<OnceLock<Option<Arc<Item>>>>;

/// Makes forms.
#[derive(Debug)]
pub(crate) struct Forms {
    translator: Arc<Translator>,
    latest: Mutex<LatestForms>,
}

/// The latest forms.
#[derive(Debug, Default)]
struct LatestForms {
    cells: HashMap<FormKey, Cell>,
    /// The oldest first, each with the bytes of its record.
    order: VecDeque<(FormKey, usize)>,
    bytes: usize,
}

impl Forms {
    pub(crate) fn new(translator: Arc<Translator>) -> Self {
        Self {
            translator,
            latest: Mutex::default(),
        }
    }

    /// A record in this format; `None` when it has no such form.
    pub(crate) fn item(&self, record: &Record, format: Format) -> Option<Arc<Item>> {
        let dialect = match format {
            Format::Canvas => {
                // A slice would keep the record's whole block in memory for as long as its endpoint
                // takes.
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
                metrics::unreadable(event.unreadable);
                Some(item(record, Form::Caliper(event)))
            }
            Err(error) => {
                metrics::untranslated();
                debug!(offset = %record.offset, %event_type, %error, "event has no Caliper form");
                None
            }
        }
    }
}

fn item(record: &Record, form: Form) -> Arc<Item> {
    let event_time = Facts::of(&record.bytes).event_time.unwrap_or_default();
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
    /// The place of a form, which is made if there is none; the oldest beyond the bounds go.
    fn cell(&mut self, key: FormKey, record_bytes: usize) -> Cell {
        if let Some(cell) = self.cells.get(&key) {
            return Cell::clone(cell);
        }
        let cell = Cell::default();
        self.cells.insert(key, Cell::clone(&cell));
        self.order.push_back((key, record_bytes));
        self.bytes += record_bytes;
        while self.order.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
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
    fn all_who_ask_for_a_form_get_the_same_one() {
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
                .map(|it| it.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(others.iter().all(|item| Arc::ptr_eq(item, &first)));
    }

    #[test]
    fn the_latest_forms_keep_to_their_bounds() {
        let forms = forms();
        // Without a form; that is remembered too.
        for offset in 0..20 {
            forms
                .item(&record(offset, 1 << 20), Format::Canvas)
                .unwrap();
        }
        assert!(forms.latest.lock().unwrap().bytes <= MAX_KEPT_BYTES);
        for offset in 0..2 * MAX_KEPT as u64 {
            assert!(forms.item(&record(offset, 1), Format::Caliper).is_none());
        }
        let latest = forms.latest.lock().unwrap();
        assert_eq!(latest.order.len(), latest.cells.len());
        assert!(latest.order.len() <= MAX_KEPT);
    }
}
