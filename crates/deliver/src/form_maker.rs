//! Makes the form of an event: masks its URLs, and translates it. An event that came in as a Caliper
//! envelope is not translated.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::{Dialect, Translator, Untranslated};
use easel_catalog::UrlMasker;
use easel_keys::SigningAlgorithm;
use easel_log::Shape;
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
                SinkSpec::Sql(_) => None,
            },
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

    /// Returns the form of an event. `event` must be its stored bytes, in the format `shape`.
    ///
    /// # Errors
    ///
    /// Fails if the event has no form in the format.
    pub fn make(
        &self,
        event_type: &str,
        shape: Shape,
        event: &[u8],
        id: Uuid,
        kind: FormKind,
    ) -> Result<Form, FormError> {
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
