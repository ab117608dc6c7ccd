//! Makes the form of an event: masks its URLs, and translates it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use easel_caliper::{Dialect, Translator, Untranslated};
use easel_catalog::UrlMasker;
use easel_keys::SigningAlgorithm;
use easel_sinks::Form;
use easel_subscriptions::{Format, Masking, SinkSpec, Spec};
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

    /// Returns the form of an event. `event` must be its stored bytes.
    ///
    /// # Errors
    ///
    /// Fails if the format is Caliper and the event has no Caliper form.
    pub fn make(
        &self,
        event_type: &str,
        event: &[u8],
        id: Uuid,
        kind: FormKind,
    ) -> Result<Form, Untranslated> {
        let masked = match kind.masking {
            Masking::On => self.masker.mask(event),
            Masking::Off => Cow::Borrowed(event),
        };
        let dialect = match kind.format {
            // A slice would keep the event's whole block in memory until the attempt ends.
            Format::Canvas => return Ok(Form::Canvas(Bytes::from(masked.into_owned()))),
            Format::Caliper => Dialect::Compatible,
            Format::CaliperStrict => Dialect::Strict,
        };
        let translated = self.translator.translate(event_type, &masked, id, dialect);
        translated.map(Form::Caliper)
    }
}
