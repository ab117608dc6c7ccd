//! `/v1/subscriptions`: who wants which events.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use easel_access::{Caller, Scope};
use easel_subscriptions::{
    ChangeError, Hold, Origin, Spec, SpecJson, Start, State as Standing, Subscription,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::Api;
use crate::api_error::ApiError;
use crate::attempts::AttemptSummaryJson;
use crate::balance::BalanceJson;
use crate::parked::ParkedSummaryJson;
use crate::request::{Body, OptionalBody, Path};

/// The code when a spec cannot be.
const INVALID: &str = "invalid_subscription";

/// A subscription as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct SubscriptionJson {
    /// What was asked for.
    #[serde(flatten)]
    spec: SpecJson,
    state: StateJson,
    /// Why it is paused, on hold, or deactivated, when no operator asked for it.
    reason: Option<String>,
    /// Since when it is on hold.
    #[schema(value_type = Option<String>, format = DateTime)]
    held_since: Option<Timestamp>,
    /// When the next attempt is due, while it is on hold; null while it waits for an operator.
    #[schema(value_type = Option<String>, format = DateTime)]
    holding_until: Option<Timestamp>,
    /// `file` when the configuration file declares it, which alone may then change it.
    #[schema(value_type = String, example = "api")]
    origin: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    balance: BalanceJson,
    /// Its attempts of the last hour; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<AttemptSummaryJson>,
    /// What it has parked; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<ParkedSummaryJson>,
}

/// How a subscription is resumed.
#[derive(Deserialize, ToSchema)]
#[schema(as = Resumption)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumptionJson {
    #[schema(schema_with = from_schema)]
    from: Option<Start>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = State)]
#[serde(rename_all = "snake_case")]
enum StateJson {
    /// It is served.
    Active,
    /// Its endpoint failed; it is tried again from time to time.
    Holding,
    /// It keeps its place until it is resumed.
    Paused,
    /// It is no longer served: the configuration file no longer declares it, or it was on hold for
    /// too long, as `reason` says.
    Deactivated,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionList)]
pub(crate) struct SubscriptionListJson {
    subscriptions: Vec<SubscriptionJson>,
}

/// Lists all subscriptions, by name.
#[utoipa::path(get, path = "/v1/subscriptions", operation_id = "list_subscriptions", tag = "subscriptions", responses((status = OK, body = SubscriptionListJson)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Json<SubscriptionListJson> {
    let subscriptions = api.subscriptions.list();
    let subscriptions = subscriptions.iter();
    let subscriptions = subscriptions
        .map(|it| standing(&api, it, &caller))
        .collect();
    Json(SubscriptionListJson { subscriptions })
}

/// Shows one subscription.
#[utoipa::path(get, path = "/v1/subscriptions/{name}", operation_id = "show_subscription", tag = "subscriptions", params(("name" = String, Path)), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let subscription = api.subscriptions.get(&name)?;
    api.subscriptions.restore_attempts(&subscription).await?;
    Ok(Json(answer(&api, &subscription, &caller)))
}

/// Makes a subscription.
#[utoipa::path(post, path = "/v1/subscriptions", operation_id = "create_subscription", tag = "subscriptions", request_body = SpecJson, responses((status = CREATED, body = SubscriptionJson), (status = CONFLICT, description = "`name_taken`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_subscription`")))]
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, ApiError> {
    let made = api.subscriptions.create(body.read(INVALID)?).await?;
    let location = [(LOCATION, format!("/v1/subscriptions/{}", made.spec.name))];
    Ok((
        StatusCode::CREATED,
        location,
        Json(answer(&api, &made, &caller)),
    )
        .into_response())
}

/// Changes what a subscription asks for. It keeps its place: `start` is not looked at again.
#[utoipa::path(put, path = "/v1/subscriptions/{name}", operation_id = "replace_subscription", tag = "subscriptions", params(("name" = String, Path)), request_body = SpecJson, responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`declared_in_file`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_subscription`")))]
pub(crate) async fn replace(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<SubscriptionJson>, ApiError> {
    update(&api, &caller, &name, body.read(INVALID)?).await
}

/// Changes some fields of a subscription, by RFC 7396: a field that is left out stays, `null` sets
/// it to its default.
#[utoipa::path(patch, path = "/v1/subscriptions/{name}", operation_id = "change_subscription", tag = "subscriptions", params(("name" = String, Path)), request_body(content = Object, content_type = "application/json", description = "Any fields of a `Spec`"), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`declared_in_file`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_subscription`")))]
pub(crate) async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let subscription = api.subscriptions.get(&name)?;
    let spec = serde_json::to_value(SpecJson::with_secrets(&subscription.spec))
        .map_err(|error| ApiError::bug(&error))?;
    update(&api, &caller, &name, body.read_over(spec, INVALID)?).await
}

/// Replaces the spec of a subscription, which keeps its name.
async fn update(
    api: &Api,
    caller: &Caller,
    name: &str,
    spec: Spec,
) -> Result<Json<SubscriptionJson>, ApiError> {
    if spec.name.as_str() != name {
        let detail = format!(
            "A subscription keeps its name; {name:?} cannot become {:?}.",
            spec.name.as_str()
        );
        return Err(ApiError::invalid(INVALID, detail).at("/name"));
    }
    let changed = api.subscriptions.update(spec).await?;
    Ok(Json(answer(api, &changed, caller)))
}

/// Forgets a subscription.
#[utoipa::path(delete, path = "/v1/subscriptions/{name}", operation_id = "remove_subscription", tag = "subscriptions", params(("name" = String, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`declared_in_file`")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    api.subscriptions.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops serving a subscription, which keeps its place.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/pause", operation_id = "pause_subscription", tag = "subscriptions", params(("name" = String, Path)), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`deactivated`")))]
pub(crate) async fn pause(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let paused = api.subscriptions.pause(&name).await?;
    Ok(Json(answer(&api, &paused, &caller)))
}

/// Serves a subscription again that is paused or deactivated: from where it stopped, or from a later
/// place. What lies between is skipped, and counts as expired.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/resume", operation_id = "resume_subscription", tag = "subscriptions", params(("name" = String, Path)), request_body = Option<ResumptionJson>, responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`deactivated`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_resume`")))]
pub(crate) async fn resume(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    body: OptionalBody,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let from = body.read("invalid_resume")?;
    let from = from.and_then(|ResumptionJson { from }| from);
    let resumed = match from {
        None => api.subscriptions.resume(&name).await?,
        Some(from) => {
            let resumed = api.subscriptions.resume_from(&name, from).await;
            let resumed = resumed.map_err(|error| match error {
                ChangeError::Invalid { .. } => {
                    ApiError::invalid("invalid_resume", error.to_string()).at("/from")
                }
                error => error.into(),
            })?;
            info!(subscription = %name, %from, "events skipped");
            resumed
        }
    };
    Ok(Json(answer(&api, &resumed, &caller)))
}

fn from_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(
            "Where to go on: `now`, a time, or an offset. From where it stopped when it is left out.",
        ))
        .examples(["now"])
        .into()
}

/// A subscription with a summary of its attempts and of what it has parked.
fn answer(api: &Api, subscription: &Arc<Subscription>, caller: &Caller) -> SubscriptionJson {
    let live = &subscription.live;
    SubscriptionJson {
        attempts: Some(AttemptSummaryJson::new(live, api.clock.now())),
        parked: Some(ParkedSummaryJson::new(live)),
        ..standing(api, subscription, caller)
    }
}

fn standing(api: &Api, subscription: &Arc<Subscription>, caller: &Caller) -> SubscriptionJson {
    let hold = subscription.live.hold();
    let (state, reason) = match (&subscription.state, &hold) {
        (Standing::Active, None) => (StateJson::Active, None),
        (Standing::Active, Some(Hold { reason, .. })) => (StateJson::Holding, Some(reason.clone())),
        (Standing::Paused { reason }, _) => (StateJson::Paused, reason.clone()),
        (Standing::Deactivated { reason }, _) => (StateJson::Deactivated, reason.clone()),
    };
    let hold = hold.filter(|_| subscription.state == Standing::Active);
    SubscriptionJson {
        spec: if caller.scopes.contains(Scope::Manage) {
            SpecJson::with_secrets(&subscription.spec)
        } else {
            SpecJson::without_secrets(&subscription.spec)
        },
        state,
        reason,
        held_since: hold.as_ref().map(|hold| hold.since),
        holding_until: hold.and_then(|hold| hold.until),
        origin: match subscription.origin {
            Origin::File => "file",
            Origin::Api => "api",
        },
        created_at: subscription.created_at,
        balance: BalanceJson::new(subscription, api.subscriptions.balance(subscription)),
        attempts: None,
        parked: None,
    }
}
