//! Sends a sample event to an endpoint as a lane would, and returns the answer.

use std::num::NonZeroU32;
use std::sync::Arc;

use easel_api::{SendTest, TestReport};
use easel_catalog::{Event, Facts, Limits, admit};
use easel_deliver::{FormKind, FormMaker, StoredEvent};
use easel_log::{Offset, Shape};
use easel_sinks::{Batch, Item, Webhook};
use easel_subscriptions::Spec;
use tokio::time::Instant;

/// Creates the webhook of a spec, or returns why that is impossible.
pub(crate) type MakeWebhook = Arc<dyn Fn(&Spec) -> Result<Webhook, String> + Send + Sync>;

/// Returns a function that sends test events through the webhooks of `make_webhook`.
pub(crate) fn sender(make_webhook: MakeWebhook, form_maker: FormMaker) -> SendTest {
    Arc::new(move |spec, event| {
        let prepared = make_webhook(&spec).and_then(|webhook| {
            let batch = batch(&spec, &event, &form_maker)?;
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
fn batch(spec: &Spec, event: &[u8], form_maker: &FormMaker) -> Result<Batch, String> {
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
    let kind = FormKind::of_spec(spec);
    let stored = StoredEvent {
        event_type: &event_type,
        id,
        shape: Shape::Canvas,
        bytes: &bytes,
    };
    let form = form_maker.make(stored, kind);
    let form = form.map_err(|error| error.to_string())?;
    let item = Item {
        // The event is not on the log.
        offset: Offset::ZERO,
        id,
        event_type,
        occurred_at,
        appended_at: None,
        event_time,
        form,
        jwt: None,
    };
    Ok(Batch {
        subscription: spec.name.as_str().into(),
        attempt: NonZeroU32::MIN,
        replay: None,
        keys: Vec::new(),
        items: vec![Arc::new(item)],
    })
}
