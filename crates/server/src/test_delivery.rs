//! Sends a sample event to an endpoint, as a lane would, and reports what came back.

use std::num::NonZeroU32;
use std::sync::Arc;

use easel_api::{SendTest, TestReport};
use easel_caliper::{Dialect, MAPPER_VERSION, Translator};
use easel_catalog::{Event, Facts, Limits, admit};
use easel_log::Clock;
use easel_sinks::{Parcel, Webhook};
use easel_subscriptions::{Format, Spec};
use tokio::time::Instant;

/// Makes the webhook that a spec asks for, or says why it cannot.
pub(crate) type MakeWebhook = Arc<dyn Fn(&Spec) -> Result<Webhook, String> + Send + Sync>;

/// What sends tests through webhooks of `make`.
pub(crate) fn sender(
    make: MakeWebhook,
    translator: Arc<Translator>,
    clock: Arc<dyn Clock>,
) -> SendTest {
    Arc::new(move |spec, event| {
        let prepared = make(&spec).and_then(|webhook| {
            let parcel = parcel(&spec, &event, &translator, &*clock)?;
            Ok((webhook, parcel))
        });
        Box::pin(async move {
            let (webhook, parcel) = prepared?;
            let began = Instant::now();
            let trial = webhook.try_out(parcel).await;
            Ok(TestReport {
                status: trial.status,
                error: trial.outcome.err().map(|error| error.to_string()),
                duration: began.elapsed(),
                body: trial.body.into(),
            })
        })
    })
}

/// What is sent of an event: the first attempt of a delivery, in the form that the spec wants.
fn parcel(
    spec: &Spec,
    event: &[u8],
    translator: &Translator,
    clock: &dyn Clock,
) -> Result<Parcel, String> {
    let Event {
        id,
        event_type,
        bytes,
        ..
    } = admit(event, &Limits::default()).map_err(|fault| fault.to_string())?;
    let event_time = Facts::of(&bytes)
        .event_time
        .unwrap_or_default()
        .into_owned();
    let translated = |dialect| {
        let event = translator.translate(&event_type, &bytes, id, dialect);
        let event = event.map_err(|error| error.to_string())?;
        Ok::<_, String>(event.envelope(clock.now()).into())
    };
    let body = match spec.format {
        Format::Canvas => bytes.clone(),
        Format::Caliper => translated(Dialect::Compatible)?,
        Format::CaliperStrict => translated(Dialect::Strict)?,
    };
    Ok(Parcel {
        id,
        event_name: event_type,
        event_time,
        subscription: spec.name.as_str().into(),
        attempt: NonZeroU32::MIN,
        mapper_version: spec.format.is_caliper().then_some(MAPPER_VERSION),
        body,
    })
}
