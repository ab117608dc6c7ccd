//! `/v1/test-deliveries`: a sample event to an endpoint, and what it answers.
//!
//! The event is the catalogue's example of its type. It is told from a real one by the header
//! `easel-test: true` and by `easel-test` as the producer in its metadata. It never comes near the
//! log, and no balance counts it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use easel_catalog::{EventOrigin, EventType};
use easel_subscriptions::{Format, SinkSpec, Spec};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;
use crate::request::Body;

/// The code when a test cannot be sent.
const INVALID: &str = "invalid_test";

/// Sends the event to the endpoint of a spec, in its format; fails with the reason when the spec
/// has no endpoint that can be sent to.
pub type SendTest =
    Arc<dyn Fn(Spec, Vec<u8>) -> BoxFuture<'static, Result<TestReport, String>> + Send + Sync>;

/// What an endpoint answered to a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// Why it would count as not delivered.
    pub error: Option<String>,
    /// How long the attempt took.
    pub duration: Duration,
    /// The first bytes of the answer's body.
    pub body: Vec<u8>,
}

/// Where to send a test: to the endpoint of a subscription, or to a URL.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewTestDelivery)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTestDeliveryJson {
    /// The name of a subscription.
    subscription: Option<String>,
    /// A URL, instead of a subscription.
    #[schema(example = "https://events.example.edu/canvas")]
    url: Option<String>,
    /// The event type; one that the subscription wants when it is left out.
    event: Option<String>,
    /// The form in which it is sent to a URL; `canvas` when it is left out.
    format: Option<Format>,
}

/// What became of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = TestDelivery)]
pub(crate) struct TestDeliveryJson {
    /// The event type that was sent.
    event: String,
    url: String,
    /// Whether the endpoint took the event over: a lane would go on.
    delivered: bool,
    /// The status of the answer, if there was one.
    status: Option<u16>,
    /// Why it was not delivered.
    error: Option<String>,
    /// How long the attempt took, in milliseconds.
    duration_ms: u64,
    /// The first 1,024 bytes of the answer's body, as text.
    body: String,
}

/// Sends a sample event to an endpoint, once, and answers with what the endpoint answered.
#[utoipa::path(post, path = "/v1/test-deliveries", operation_id = "send_test", tag = "subscriptions", request_body = NewTestDeliveryJson, responses((status = OK, body = TestDeliveryJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_test`")))]
pub(crate) async fn send(
    State(api): State<Api>,
    body: Body,
) -> Result<Json<TestDeliveryJson>, ApiError> {
    let wanted: NewTestDeliveryJson = body.read(INVALID)?;
    let spec = spec(&api, &wanted)?;
    let event_type = event_type(&api, &spec, wanted.event.as_deref())?;
    let example = api
        .catalog
        .example(event_type, EventOrigin::Request, api.clock.now());
    let mut event: Value = serde_json::from_str(&example).map_err(|error| ApiError::bug(&error))?;
    if let Some(metadata) = event.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("producer".to_owned(), "easel-test".into());
    }
    let SinkSpec::Webhook(webhook) = &spec.sink;
    let url = webhook.url.expose().to_owned();
    let report = (api.send_test)(spec, event.to_string().into_bytes()).await;
    let report = report.map_err(|reason| {
        let detail = format!("The endpoint cannot be sent to: {reason}.");
        ApiError::invalid(INVALID, detail).at("/url")
    })?;
    Ok(Json(TestDeliveryJson {
        event: event_type.name.to_owned(),
        url,
        delivered: report.error.is_none(),
        status: report.status,
        error: report.error,
        duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        body: String::from_utf8_lossy(&report.body).into_owned(),
    }))
}

/// The spec of the subscription, or one with the URL.
fn spec(api: &Api, wanted: &NewTestDeliveryJson) -> Result<Spec, ApiError> {
    match (&wanted.subscription, &wanted.url) {
        (Some(_), None) if wanted.format.is_some() => {
            let detail = "`/format` is for a URL; a subscription has a format.";
            Err(ApiError::invalid(INVALID, detail).at("/format"))
        }
        (Some(name), None) => Ok(api.subscriptions.get(name)?.spec.clone()),
        (None, Some(url)) => {
            let spec = json!({
                "name": "test",
                "format": wanted.format.unwrap_or_default(),
                "webhook": { "url": url },
            });
            serde_json::from_value(spec).map_err(|error| ApiError::bug(&error))
        }
        (Some(_), Some(_)) | (None, None) => {
            let detail = "Name either a `subscription` or a `url`.";
            Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                INVALID,
                detail,
            ))
        }
    }
}

/// The event type to send: the one asked for, or the first that the spec covers.
fn event_type<'a>(
    api: &'a Api,
    spec: &Spec,
    wanted: Option<&str>,
) -> Result<&'a EventType, ApiError> {
    let can_be_sent = |it: &&EventType| !spec.format.is_caliper() || it.caliper.is_some();
    if let Some(name) = wanted {
        let detail = match api.catalog.get(name) {
            Some(it) if can_be_sent(&it) => return Ok(it),
            Some(_) => format!("{name} has no Caliper form."),
            None => format!("The catalogue has no event type {name:?}."),
        };
        return Err(ApiError::invalid(INVALID, detail).at("/event"));
    }
    let globs = spec.events.iter();
    let mut covered = globs.flat_map(|glob| api.catalog.matching(glob.as_str()));
    let usual = || api.catalog.types().iter().find(can_be_sent);
    // A spec for event types that the catalogue does not know is tested with another.
    covered.find(can_be_sent).or_else(usual).ok_or_else(|| {
        ApiError::invalid(INVALID, "The catalogue has no event type that can be sent.")
    })
}
