//! `/v1/test-deliveries`: sends a sample event to an endpoint and returns the answer.
//!
//! The event is the example from the catalogue. The header `easel-test: true` and the producer
//! `easel-test` in the metadata mark it as a test. The event is not on the log, and no balance counts
//! it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use easel_access::Caller;
use easel_audit::AuditNote;
use easel_catalog::{EventOrigin, EventType};
use easel_subscriptions::{Format, SinkSpec, Spec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;
use crate::request::Body;

/// The code of a problem with a test.
const INVALID: &str = "invalid_test";

/// The target of a test: the endpoint of a subscription, or a URL.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewTestDelivery)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTestDeliveryJson {
    /// The name of a subscription.
    subscription: Option<String>,
    /// A URL, instead of a subscription.
    #[schema(example = "https://events.example.edu/canvas")]
    url: Option<String>,
    /// The event type. The default is one that the subscription wants.
    event: Option<String>,
    /// The format of an event for a URL. The default is `canvas`.
    format: Option<Format>,
}

/// The result of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = TestDelivery)]
pub(crate) struct TestDeliveryJson {
    /// The event type that was sent.
    event: String,
    url: String,
    /// Whether the endpoint accepted the event.
    delivered: bool,
    /// The HTTP status of the answer, if the endpoint answered.
    status: Option<u16>,
    /// Why the delivery failed.
    error: Option<String>,
    /// The duration of the attempt in milliseconds.
    duration_ms: u64,
    /// The first 1,024 bytes of the answer, as text.
    body: String,
}

/// Sends a sample event to an endpoint once, and returns the answer of the endpoint.
#[utoipa::path(post, path = "/v1/test-deliveries", operation_id = "send_test", tag = "subscriptions", request_body = NewTestDeliveryJson, responses((status = OK, body = TestDeliveryJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_test`")))]
pub(crate) async fn send(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<(Extension<AuditNote>, Json<TestDeliveryJson>), ApiError> {
    let new: NewTestDeliveryJson = body.parse(INVALID)?;
    let spec = spec(&api, &caller, &new)?;
    let event_type = event_type(&api, &spec, new.event.as_deref())?;
    let example = api
        .catalog
        .example(event_type, EventOrigin::Request, api.clock.now());
    let mut event: Value = serde_json::from_str(&example).map_err(|error| ApiError::bug(&error))?;
    if let Some(metadata) = event.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("producer".to_owned(), "easel-test".into());
    }
    let SinkSpec::Webhook(webhook) = &spec.sink else {
        let detail = "A test delivery requires a webhook, and this subscription has none.";
        return Err(ApiError::invalid(INVALID, detail).with_pointer("/subscription"));
    };
    let url = webhook.url.without_secrets();
    let report = (api.send_test)(spec, event.to_string().into_bytes()).await;
    let report = report.map_err(|reason| {
        let detail = format!("The endpoint cannot be used: {reason}.");
        ApiError::invalid(INVALID, detail).with_pointer("/url")
    })?;
    let note = AuditNote::of_object(new.subscription.unwrap_or_default())
        .with("url", url.clone())
        .with("event", event_type.name);
    let answer = TestDeliveryJson {
        event: event_type.name.to_owned(),
        url,
        delivered: report.error.is_none(),
        status: report.status,
        error: report.error,
        duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        body: String::from_utf8_lossy(&report.body).into_owned(),
    };
    Ok((Extension(note), Json(answer)))
}

/// Returns the spec of the subscription, or a spec for the URL.
fn spec(api: &Api, caller: &Caller, new: &NewTestDeliveryJson) -> Result<Spec, ApiError> {
    match (&new.subscription, &new.url) {
        (Some(_), None) if new.format.is_some() => {
            let detail =
                "`/format` is only allowed for a URL, because a subscription has a format.";
            Err(ApiError::invalid(INVALID, detail).with_pointer("/format"))
        }
        (Some(name), None) => {
            let name = api.subscriptions.full_name(&caller.reach, name)?;
            Ok(api.subscriptions.get(&name)?.spec.clone())
        }
        (None, Some(url)) => {
            let spec = json!({
                "name": "test",
                "format": new.format.unwrap_or_default(),
                "webhook": { "url": url },
            });
            serde_json::from_value(spec).map_err(|error| ApiError::bug(&error))
        }
        (Some(_), Some(_)) | (None, None) => {
            let detail = "Either a `subscription` or a `url` is required, and not both.";
            Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                INVALID,
                detail,
            ))
        }
    }
}

/// Returns the event type to send: the requested one, or the first one that the spec wants.
fn event_type<'a>(
    api: &'a Api,
    spec: &Spec,
    requested: Option<&str>,
) -> Result<&'a EventType, ApiError> {
    let can_be_sent =
        |event_type: &&EventType| !spec.format.is_caliper() || event_type.caliper.is_some();
    if let Some(name) = requested {
        let detail = match api.catalog.get(name) {
            Some(event_type) if can_be_sent(&event_type) => return Ok(event_type),
            Some(_) => format!("{name} has no Caliper form."),
            None => format!("The catalogue has no event type {name:?}."),
        };
        return Err(ApiError::invalid(INVALID, detail).with_pointer("/event"));
    }
    let globs = spec.events.iter();
    let mut wanted = globs.flat_map(|glob| api.catalog.matching(glob.as_str()));
    let first = || api.catalog.types().iter().find(can_be_sent);
    // If the spec wants only unknown event types, the test uses another event type.
    wanted.find(can_be_sent).or_else(first).ok_or_else(|| {
        ApiError::invalid(INVALID, "The catalogue has no event type that can be sent.")
    })
}
