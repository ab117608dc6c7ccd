//! Makes the form of an event: masks its URLs, and translates it. An event that came in as a Caliper
//! envelope is not translated.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::{Dialect, Translator, Untranslated};
use easel_catalog::UrlMasker;
use easel_keys::SigningAlgorithm;
use easel_log::{Record, Shape};
use easel_sinks::Form;
use easel_subscriptions::{Format, Masking, SinkSpec, Spec};
use thiserror::Error;
use uuid::Uuid;

/// What distinguishes the forms of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FormKind {
    pub(crate) format: Format,
    pub(crate) masking: Masking,
    /// The algorithm of the JWT; `None` if the form is not sent as a JWT.
    pub(crate) jwt: Option<SigningAlgorithm>,
}

impl FormKind {
    /// Returns the kind of form that a subscription asks for.
    pub const fn of_spec(spec: &Spec) -> Self {
        Self {
            format: spec.format,
            masking: spec.masking,
            jwt: match &spec.sink {
                SinkSpec::Webhook(webhook) => webhook.jwt_algorithm(),
                SinkSpec::Sql(_) | SinkSpec::Sqs(_) => None,
            },
        }
    }
}

/// An event to make a form of.
#[derive(Clone, Copy, Debug)]
pub struct StoredEvent<'a> {
    /// Its event type.
    pub event_type: &'a str,
    /// Its id.
    pub id: Uuid,
    /// The format of its bytes.
    pub shape: Shape,
    /// Its stored bytes.
    pub bytes: &'a [u8],
}

impl<'a> From<&'a Record> for StoredEvent<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            event_type: &record.event_type,
            id: record.id,
            shape: record.provenance.shape,
            bytes: &record.bytes,
        }
    }
}

/// Why an event has no form in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// The event cannot be translated.
    #[error(transparent)]
    Untranslated(#[from] Untranslated),
    /// The event came in as a Caliper envelope, and the format is not `caliper`.
    #[error("an event that came in Caliper is sent only in the format `caliper`")]
    CameInCaliper,
}

/// Makes the forms of events.
#[derive(Clone, Debug)]
pub struct FormMaker {
    translator: Arc<Translator>,
    masker: Arc<UrlMasker>,
}

impl FormMaker {
    /// Creates a maker that masks with `masker` before it translates with `translator`.
    pub const fn new(translator: Arc<Translator>, masker: Arc<UrlMasker>) -> Self {
        Self { translator, masker }
    }

    /// Returns the form of an event.
    ///
    /// # Errors
    ///
    /// Fails if the event has no form in the format.
    pub fn make(&self, event: StoredEvent<'_>, kind: FormKind) -> Result<Form, FormError> {
        let StoredEvent {
            event_type,
            id,
            shape,
            bytes: event,
        } = event;
        let masked = match kind.masking {
            Masking::On => self.masker.mask(event),
            Masking::Off => Cow::Borrowed(event),
        };
        // A slice would keep the event's whole block in memory until the attempt ends.
        let copy = |masked: Cow<'_, [u8]>| Bytes::from(masked.into_owned());
        let dialect = match (shape, kind.format) {
            (Shape::Canvas, Format::Canvas) => return Ok(Form::Canvas(copy(masked))),
            (Shape::Caliper, Format::Caliper) => return Ok(Form::Envelope(copy(masked))),
            (Shape::Caliper, Format::Canvas | Format::CaliperStrict) => {
                return Err(FormError::CameInCaliper);
            }
            (Shape::Canvas, Format::Caliper) => Dialect::Compatible,
            (Shape::Canvas, Format::CaliperStrict) => Dialect::Strict,
        };
        let translated = self.translator.translate(event_type, &masked, id, dialect);
        Ok(Form::Caliper(translated?))
    }
}
