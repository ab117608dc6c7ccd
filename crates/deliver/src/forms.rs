//! Converts a record to its form: the bytes that are sent to a subscription.
//!
//! A form that is translated or signed is made once and cached. All lanes and attempts share it. At the head
//! of the log, lanes with one kind of form ask for the same events at about the same time. No form is made
//! while the cache is locked, so lanes with different kinds do not wait for each other. Secret values in URLs
//! are masked first, so every format is masked in the same way.
//!
//! The event's own JSON needs no translation. So without a JWT, each lane makes a copy. Caching these copies
//! cost 6 % of the throughput of one lane, because their memory was cold when it was freed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use easel_catalog::Facts;
use easel_log::{Offset, Record};
use easel_sinks::{Form, Item};
use easel_subscriptions::Format;
use tracing::debug;

use crate::form_maker::{FormKind, FormMaker};
use crate::metrics;

/// The maximum number of cached forms.
const MAX_FORMS: usize = 4096;
/// The maximum bytes of the records of all cached forms.
const MAX_FORM_BYTES: usize = 8 << 20;

/// The key of a cached form.
type FormKey = (Offset, FormKind);

/// A cache entry. It is empty until the form is made, and contains `None` if the event has no such form.
type FormCell = Arc<OnceLock<Option<Arc<Item>>>>;

/// Makes and caches forms.
#[derive(Debug)]
pub(crate) struct Forms {
    maker: FormMaker,
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
    pub(crate) fn new(maker: FormMaker) -> Self {
        Self {
            maker,
            latest: Mutex::default(),
        }
    }

    /// Returns the item of a record in this form; `None` if the event has no form in the format.
    pub(crate) fn item(&self, record: &Record, kind: FormKind) -> Option<Arc<Item>> {
        if kind.format == Format::Canvas && kind.jwt.is_none() {
            return self.make(record, kind);
        }
        let cell = {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.cell((record.offset, kind), record.bytes.len())
        };
        cell.get_or_init(|| self.make(record, kind)).clone()
    }

    fn make(&self, record: &Record, kind: FormKind) -> Option<Arc<Item>> {
        let event_type = &record.event_type;
        match self.maker.make(record.into(), kind) {
            Ok(form) => {
                let unreadable = form.caliper().map_or(0, |event| event.unreadable);
                metrics::count_unreadable_values(unreadable);
                Some(item(record, form, kind))
            }
            Err(error) => {
                metrics::count_untranslated();
                debug!(offset = %record.offset, %event_type, %error, "event has no form in this format");
                None
            }
        }
    }
}

fn item(record: &Record, form: Form, kind: FormKind) -> Arc<Item> {
    let event_time = Facts::from_event(&record.bytes)
        .event_time
        .unwrap_or_default();
    Arc::new(Item {
        offset: record.offset,
        id: record.id,
        event_type: Arc::clone(&record.event_type),
        occurred_at: record.occurred_at,
        appended_at: Some(record.appended_at),
        event_time: event_time.into_owned(),
        form,
        jwt: kind.jwt.map(|_algorithm| Arc::default()),
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
    use easel_caliper::{TranslationOptions, Translator};
    use easel_catalog::Catalog;
    use easel_keys::SigningAlgorithm;
    use easel_subscriptions::Masking;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn forms() -> Forms {
        let translator =
            Translator::new(Arc::new(Catalog::built_in()), TranslationOptions::default());
        Forms::new(FormMaker::new(
            Arc::new(translator.unwrap()),
            Arc::default(),
        ))
    }

    const CANVAS: FormKind = FormKind {
        format: Format::Canvas,
        masking: Masking::On,
        jwt: None,
    };
    const CALIPER: FormKind = FormKind {
        format: Format::Caliper,
        ..CANVAS
    };
    const JWT: FormKind = FormKind {
        jwt: Some(SigningAlgorithm::Rs256),
        ..CANVAS
    };

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
        let ask = || forms.item(&record, CALIPER).unwrap();
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
    fn secret_values_are_masked_in_every_format_unless_the_subscription_says_otherwise() {
        let forms = forms();
        let catalog = Catalog::built_in();
        let example = catalog.example(
            catalog.get("grade_change").unwrap(),
            easel_catalog::EventOrigin::Request,
            Timestamp::UNIX_EPOCH,
        );
        let mut event: serde_json::Value = serde_json::from_str(&example).unwrap();
        event["metadata"]["url"] = "https://a.example/x?access_token=s3cret".into();
        event["metadata"]["referrer"] = "https://a.example/?token=s3cret".into();
        let mut record = record(1, 0);
        record.bytes = event.to_string().into();
        for format in [Format::Canvas, Format::Caliper, Format::CaliperStrict] {
            for jwt in [None, Some(SigningAlgorithm::Rs256)] {
                let masked = FormKind {
                    format,
                    jwt,
                    ..CANVAS
                };
                let open = FormKind {
                    masking: Masking::Off,
                    ..masked
                };
                let text = |kind| {
                    let item = forms.item(&record, kind).unwrap();
                    String::from_utf8(item.form.bytes().to_vec()).unwrap()
                };
                assert!(!text(masked).contains("s3cret"), "{}", text(masked));
                assert!(text(open).contains("access_token=s3cret"), "{}", text(open));
            }
        }
    }

    #[test]
    fn lanes_share_a_jwt_and_others_have_none() {
        let forms = forms();
        let record = record(1, 8);
        let item = |kind| forms.item(&record, kind).unwrap();
        assert!(Arc::ptr_eq(&item(JWT), &item(JWT)));
        assert!(item(JWT).jwt.is_some());
        assert!(item(CANVAS).jwt.is_none());
        let other = FormKind {
            jwt: Some(SigningAlgorithm::Es256),
            ..JWT
        };
        assert!(!Arc::ptr_eq(&item(JWT), &item(other)));
    }

    #[test]
    fn the_cache_respects_its_limits() {
        let forms = forms();
        // Forms in the Canvas format are not cached.
        for offset in 0..20 {
            forms.item(&record(offset, 1 << 20), CANVAS).unwrap();
        }
        assert!(forms.latest.lock().unwrap().bytes <= MAX_FORM_BYTES);
        // The blank records have no Caliper form. The cache stores that result too.
        for offset in 0..2 * MAX_FORMS as u64 {
            assert!(forms.item(&record(offset, 1), CALIPER).is_none());
        }
        let latest = forms.latest.lock().unwrap();
        assert_eq!(latest.order.len(), latest.cells.len());
        assert!(latest.order.len() <= MAX_FORMS);
    }
}
