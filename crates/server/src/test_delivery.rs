//! Sends a sample event to an endpoint as a lane would, and returns the answer.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use easel_api::{SendTest, TestReport};
use easel_caliper::{Dialect, Translator};
use easel_catalog::{Event, Facts, Limits, UrlMasker, admit};
use easel_log::Offset;
use easel_sinks::{Batch, Form, Item, Webhook};
use easel_subscriptions::{Format, Masking, Spec};
use tokio::time::Instant;

/// Creates the webhook of a spec, or returns why that is impossible.
pub(crate) type MakeWebhook = Arc<dyn Fn(&Spec) -> Result<Webhook, String> + Send + Sync>;

/// Returns a function that sends test events through the webhooks of `make_webhook`.
pub(crate) fn sender(
    make_webhook: MakeWebhook,
    translator: Arc<Translator>,
    masker: Arc<UrlMasker>,
) -> SendTest {
    Arc::new(move |spec, event| {
        let prepared = make_webhook(&spec).and_then(|webhook| {
            let batch = batch(&spec, &event, &translator, &masker)?;
            Ok((webhook, batch))
        });
        Box::pin(async move {
            let (webhook, batch) = prepared?;
            let began = Instant::now();
            let trial = webhook.try_out(&batch).await;
            Ok(TestReport {
                status: trial.status,
                error: trial.result.err().map(|error| error.to_string()),
                duration: began.elapsed(),
                body: trial.body.into(),
            })
        })
    })
}

/// Returns the batch of a first attempt, with the event in the format of the spec.
fn batch(
    spec: &Spec,
    event: &[u8],
    translator: &Translator,
    masker: &UrlMasker,
) -> Result<Batch, String> {
    let Event {
        id,
        event_type,
        occurred_at,
        bytes,
        ..
    } = admit(event, &Limits::default()).map_err(|fault| fault.to_string())?;
    let event_time = Facts::from_event(&bytes)
        .event_time
        .unwrap_or_default()
        .into_owned();
    let masked = match spec.masking {
        Masking::On => masker.mask(&bytes),
        Masking::Off => Cow::Borrowed(&*bytes),
    };
    let translated = |dialect| {
        let event = translator.translate(&event_type, &masked, id, dialect);
        event.map(Form::Caliper).map_err(|error| error.to_string())
    };
    let form = match spec.format {
        Format::Canvas => Form::Canvas(Bytes::copy_from_slice(&masked)),
        Format::Caliper => translated(Dialect::Compatible)?,
        Format::CaliperStrict => translated(Dialect::Strict)?,
    };
    let item = Item {
        // The event is not on the log.
        offset: Offset::ZERO,
        id,
        event_type,
        occurred_at,
        event_time,
        form,
        jwt: None,
    };
    Ok(Batch {
        subscription: spec.name.as_str().into(),
        attempt: NonZeroU32::MIN,
        replay: None,
        items: vec![Arc::new(item)],
    })
}
