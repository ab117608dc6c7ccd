//! Sends events to the consumer, one at a time, and keeps the last event.
//!
//! Each event becomes the same batch that a lane would create. So the webhook sink sends the same headers
//! and the same body as for a subscription.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use easel_caliper::{Dialect, Translator};
use easel_catalog::{Event, EventShape, Facts, Limits, UrlMasker, admit_hosted};
use easel_log::Offset;
use easel_server::WebhookConfig;
use easel_sinks::{
    Batch, ClientError, Endpoint, Form, Guard, Item, Webhook, WebhookClient, WebhookOptions,
};
use jiff::Timestamp;
use thiserror::Error;
use tokio::time::Instant;

use super::WEBHOOK_SETTINGS;
use super::answer::AttemptResult;
use crate::output;

/// The value of the header `easel-subscription`.
const SUBSCRIPTION_NAME: &str = "listen";

/// The limits for events. They allow everything, because the server has already validated the events.
const LIMITS: Limits = Limits {
    max_event_bytes: usize::MAX,
    max_depth: usize::MAX,
};

/// Sends events to the consumer.
#[derive(Debug)]
pub(super) struct Forwarder {
    webhook: Webhook,
    /// Masks the events; `None` sends their URLs unchanged.
    masker: Option<UrlMasker>,
    /// The Caliper translation; `None` sends events unchanged.
    translation: Option<(Translator, Dialect)>,
    last: Option<Batch>,
    /// Event types without a form in the format that the user was already notified about.
    reported_unmapped: BTreeSet<String>,
}

/// Why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Unsent {
    /// The event type has no form in the format, and the user was already notified about it.
    #[error("the event type has no form in this format; the event is skipped")]
    UnmappedAgain,
    /// Events of this type have no Caliper form.
    #[error("{event_type} has no Caliper form; its events are skipped")]
    Unmapped {
        /// The event type, escaped for a terminal.
        event_type: String,
    },
    /// Events of this type came in Caliper.
    #[error(
        "{event_type} came in Caliper and is sent only in the format caliper; its events are skipped"
    )]
    CameInCaliper {
        /// The event type, escaped for a terminal.
        event_type: String,
    },
    /// This event cannot be sent.
    #[error("event #{offset} is skipped: {reason}")]
    Unfit {
        /// The offset of the event.
        offset: u64,
        /// Why the event cannot be sent.
        reason: String,
    },
    /// There is no last event yet.
    #[error("there is no event to send again yet")]
    NoLast,
}

impl Forwarder {
    pub(super) fn new(
        endpoint: Endpoint,
        config: &WebhookConfig,
        masker: Option<UrlMasker>,
        translation: Option<(Translator, Dialect)>,
    ) -> Result<Self, ClientError> {
        let options = WebhookOptions {
            ca_file: config.ca_file.clone(),
            guard: Guard::all_but_metadata(),
            proxy: None,
        };
        let client = WebhookClient::new(&options, Arc::new(Timestamp::now))?;
        Ok(Self {
            webhook: Webhook::new(client, endpoint, WEBHOOK_SETTINGS),
            masker,
            translation,
            last: None,
            reported_unmapped: BTreeSet::new(),
        })
    }

    /// Sends a stored event for the first time.
    pub(super) async fn send(
        &mut self,
        offset: u64,
        event_type: &str,
        event: &[u8],
    ) -> Result<AttemptResult, Unsent> {
        let batch = Batch {
            subscription: SUBSCRIPTION_NAME.into(),
            attempt: NonZeroU32::MIN,
            replay: None,
            keys: Vec::new(),
            items: vec![Arc::new(self.item(offset, event_type, event)?)],
        };
        self.attempt(batch).await
    }

    /// Sends the last event once more.
    pub(super) async fn send_again(&mut self) -> Result<AttemptResult, Unsent> {
        let last = self.last.take().ok_or(Unsent::NoLast)?;
        let attempt = last.attempt.saturating_add(1);
        self.attempt(Batch { attempt, ..last }).await
    }

    async fn attempt(&mut self, batch: Batch) -> Result<AttemptResult, Unsent> {
        let attempted_at = Timestamp::now();
        let started = Instant::now();
        let trial = self.webhook.deliver(&batch).await;
        let latency = started.elapsed();
        let answer = batch.items.first().map(|item| AttemptResult {
            item: Arc::clone(item),
            attempt: batch.attempt,
            attempted_at,
            trial,
            latency,
        });
        self.last = Some(batch);
        answer.ok_or(Unsent::NoLast)
    }

    fn item(&mut self, offset: u64, event_type: &str, event: &[u8]) -> Result<Item, Unsent> {
        let unfit = |reason| Unsent::Unfit { offset, reason };
        let Event {
            id,
            event_type,
            occurred_at,
            shape,
            bytes,
            ..
        } = admit_hosted(event, &LIMITS, Some(event_type))
            .map_err(|fault| unfit(fault.to_string()))?;
        let event_time = Facts::from_event(&bytes).event_time.unwrap_or_default();
        let event_time = event_time.into_owned();
        // The event is masked first, so that the translation and the output have no secret either.
        let bytes = match &self.masker {
            Some(masker) => masker.mask(&bytes).into_owned().into(),
            None => bytes,
        };
        let form = match (shape, &self.translation) {
            (EventShape::Caliper, Some((_, Dialect::Compatible))) => Form::Envelope(bytes),
            (EventShape::Caliper, Some((_, Dialect::Strict)) | None) => {
                return Err(self.came_in_caliper(&event_type));
            }
            (EventShape::Canvas, None) => Form::Canvas(bytes),
            (EventShape::Canvas, Some((translator, _))) if !translator.translates(&event_type) => {
                return Err(self.unmapped(&event_type));
            }
            (EventShape::Canvas, Some((translator, dialect))) => {
                let translated = translator.translate(&event_type, &bytes, id, *dialect);
                Form::Caliper(translated.map_err(|error| unfit(error.to_string()))?)
            }
        };
        Ok(Item {
            offset: Offset::new(offset),
            id,
            event_type,
            occurred_at,
            appended_at: None,
            event_time,
            form,
            jwt: None,
        })
    }

    fn came_in_caliper(&mut self, event_type: &str) -> Unsent {
        if !self.reported_unmapped.insert(event_type.to_owned()) {
            return Unsent::UnmappedAgain;
        }
        let event_type = output::printable(event_type);
        Unsent::CameInCaliper { event_type }
    }

    fn unmapped(&mut self, event_type: &str) -> Unsent {
        if !self.reported_unmapped.insert(event_type.to_owned()) {
            return Unsent::UnmappedAgain;
        }
        let event_type = output::printable(event_type);
        Unsent::Unmapped { event_type }
    }
}
