//! `/v1/subscriptions`: manages subscriptions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use easel_access::Caller;
use easel_audit::AuditNote;
use easel_catalog::Reach;
use easel_subscriptions::{
    ChangeError, GuardState, Hold, Origin, SinkSpec, Spec, SpecJson, Start,
    State as SubscriptionState, StateStoreError, Subscription,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::attempts::AttemptSummaryJson;
use crate::balance::BalanceJson;
use crate::caller_name::{CallerName, shown_name};
use crate::changed_members::changed_members;
use crate::parked::ParkedSummaryJson;
use crate::request::{Body, OptionalBody, Query};

/// The code of a problem with a spec.
const INVALID: &str = "invalid_subscription";

/// The most tries of a change, if other changes come first.
const MAX_TRIES: usize = 8;

/// A subscription with its state.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct SubscriptionJson {
    /// The spec of the subscription.
    #[serde(flatten)]
    spec: SpecJson,
    state: StateJson,
    /// Why the subscription is paused, on hold or deactivated, unless an operator paused it.
    reason: Option<String>,
    /// When the hold began.
    #[schema(value_type = Option<String>, format = DateTime)]
    held_since: Option<Timestamp>,
    /// When the next attempt of a hold is due. Null while the hold waits for an operator.
    #[schema(value_type = Option<String>, format = DateTime)]
    holding_until: Option<Timestamp>,
    /// The name in paths, commands and metrics: `name`, and for a subscription of one root account
    /// `name@root_account`, unless the caller is confined to it.
    full_name: String,
    /// Whose events the subscription may receive: `*`, or `root_account:` with an id or a UUID.
    #[schema(example = "*")]
    reach: String,
    /// Whether the address guard applies. It does not apply to a subscription that is older than the guard,
    /// until its URL changes or an operator enforces the guard.
    address_guard: AddressGuardJson,
    /// `file` if the configuration file declares the subscription. Then only the file can change it.
    #[schema(value_type = String, example = "api")]
    origin: &'static str,
    /// The system that manages the subscription, such as `canvas`. Then only that system can change its spec.
    /// Null for all others.
    #[schema(value_type = Option<String>, example = "canvas")]
    owner: Option<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    balance: BalanceJson,
    /// The attempts of the last hour. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<AttemptSummaryJson>,
    /// The parked deliveries. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<ParkedSummaryJson>,
}

/// A changed subscription, with a note of what was changed.
type NotedSubscription = (Extension<AuditNote>, Json<SubscriptionJson>);

/// The options of a resume.
#[derive(Deserialize, ToSchema)]
#[schema(as = Resumption)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumptionJson {
    #[schema(schema_with = from_schema)]
    from: Option<Start>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AddressGuard)]
#[serde(rename_all = "snake_case")]
enum AddressGuardJson {
    /// Easel does not connect to refused addresses.
    Enforced,
    /// Easel connects to refused addresses, and logs a warning for each connection.
    Reported,
}

#[derive(Serialize, ToSchema)]
#[schema(as = State)]
#[serde(rename_all = "snake_case")]
enum StateJson {
    /// The subscription is served.
    Active,
    /// The endpoint failed. The lane probes it from time to time.
    Holding,
    /// The subscription keeps its cursor until it is resumed.
    Paused,
    /// The subscription is no longer served: it is not in the configuration file any more, or it was
    /// on hold for too long. `reason` has the details.
    Deactivated,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionList)]
pub(crate) struct SubscriptionListJson {
    subscriptions: Vec<SubscriptionJson>,
}

/// Lists all subscriptions of the caller's reach, by name.
#[utoipa::path(get, path = "/v1/subscriptions", operation_id = "list_subscriptions", tag = "subscriptions", responses((status = OK, body = SubscriptionListJson)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Json<SubscriptionListJson> {
    let subscriptions = api.subscriptions_of(&caller);
    let subscriptions = subscriptions.iter();
    let subscriptions = subscriptions
        .map(|subscription| list_item(&api, &caller, subscription))
        .collect();
    Json(SubscriptionListJson { subscriptions })
}

/// Shows one subscription.
#[utoipa::path(get, path = "/v1/subscriptions/{name}", operation_id = "show_subscription", tag = "subscriptions", params(("name" = String, Path)), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let subscription = api.subscriptions.get(&name.full)?;
    api.subscriptions.restore_attempts(&subscription).await?;
    Ok(Json(details(&api, &name.caller, &subscription)))
}

/// Creates a subscription.
#[utoipa::path(post, path = "/v1/subscriptions", operation_id = "create_subscription", tag = "subscriptions", params(CreateQuery), request_body = SpecJson, responses((status = CREATED, body = SubscriptionJson), (status = CONFLICT, description = "`name_taken`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_subscription`")))]
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<CreateQuery>,
    body: Body,
) -> Result<Response, ApiError> {
    let spec = body.parse(INVALID)?;
    check_sink(&caller, &spec)?;
    let reach = query.reach(&caller)?;
    let created = api.subscriptions.create(reach, spec).await?;
    let name = shown_name(&caller, &created);
    let location = [(LOCATION, format!("/v1/subscriptions/{name}"))];
    let note = AuditNote::of_object(created.full_name().to_string());
    let shown = Json(details(&api, &caller, &created));
    Ok((StatusCode::CREATED, location, Extension(note), shown).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateQuery {
    /// Whose events the subscription may receive: `*`, or `root_account:` with an id or a UUID. The default is
    /// the reach of the caller. It never changes.
    reach: Option<String>,
}

impl CreateQuery {
    /// Returns the reach of the new subscription.
    fn reach(&self, caller: &Caller) -> Result<Reach, ApiError> {
        let Some(text) = &self.reach else {
            return Ok(caller.reach.clone());
        };
        let reach: Reach = text
            .parse()
            .map_err(|fault| ApiError::invalid(INVALID, format!("`reach`: {fault}.")))?;
        if caller.reach.includes(&reach) {
            return Ok(reach);
        }
        let detail = format!("`reach` must be {}, the reach of this token.", caller.reach);
        Err(ApiError::invalid(INVALID, detail))
    }
}

/// Rejects a database or a queue of a confined caller. Their addresses are the operator's, and the address
/// guard does not check queues.
fn check_sink(caller: &Caller, spec: &Spec) -> Result<(), ApiError> {
    let sink = match (&caller.reach, &spec.sink) {
        (Reach::Everything, _) | (Reach::RootAccount(_), SinkSpec::Webhook(_)) => return Ok(()),
        (Reach::RootAccount(_), SinkSpec::Sql(_)) => "sql",
        (Reach::RootAccount(_), SinkSpec::Sqs(_)) => "sqs",
    };
    let detail = "This token is confined to one root account. It can only create webhooks.";
    Err(ApiError::invalid(INVALID, detail).with_pointer(&format!("/{sink}")))
}

/// Replaces the spec of a subscription. The cursor stays the same, so `start` has no effect.
#[utoipa::path(put, path = "/v1/subscriptions/{name}", operation_id = "replace_subscription", tag = "subscriptions", params(("name" = String, Path)), request_body = SpecJson, responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`declared_in_file`, `owned` or `changed_meanwhile`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_subscription`")))]
pub(crate) async fn replace(
    State(api): State<Api>,
    name: CallerName,
    body: Body,
) -> Result<NotedSubscription, ApiError> {
    let spec: Spec = body.parse(INVALID)?;
    for _ in 0..MAX_TRIES {
        let current = api.subscriptions.get(&name.full)?;
        if let Some(changed) = update(&api, (&name.caller, &current), spec.clone()).await? {
            return Ok(changed);
        }
    }
    Err(changed_meanwhile(&name))
}

/// Changes some fields of a subscription with a merge patch (RFC 7396). Omitted fields stay the same.
/// `null` sets a field to its default.
#[utoipa::path(patch, path = "/v1/subscriptions/{name}", operation_id = "change_subscription", tag = "subscriptions", params(("name" = String, Path)), request_body(content = Object, content_type = "application/json", description = "Any fields of a `Spec`"), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`declared_in_file`, `owned` or `changed_meanwhile`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_subscription`")))]
pub(crate) async fn change(
    State(api): State<Api>,
    name: CallerName,
    body: Body,
) -> Result<NotedSubscription, ApiError> {
    // Another change may come between the read and the write. Then the patch is applied to that version.
    for _ in 0..MAX_TRIES {
        if let Some(changed) = patch(&api, &name, &body).await? {
            return Ok(changed);
        }
    }
    Err(changed_meanwhile(&name))
}

fn changed_meanwhile(name: &CallerName) -> ApiError {
    let detail =
        format!("Other requests change the subscription {name} at the same time; try again.");
    ApiError::conflict("changed_meanwhile", detail)
}

/// Applies a merge patch to the current version of a subscription. Returns `None` if another change came
/// before it.
async fn patch(
    api: &Api,
    name: &CallerName,
    body: &Body,
) -> Result<Option<NotedSubscription>, ApiError> {
    let current = api.subscriptions.get(&name.full)?;
    let spec = serde_json::to_value(SpecJson::without_secrets(&current.spec))
        .map_err(|error| ApiError::bug(&error))?;
    let spec = body.parse_patch(spec, INVALID)?;
    update(api, (&name.caller, &current), spec).await
}

/// Replaces the spec of a subscription. Returns `None` if `current` is no longer its version. Rejects a spec
/// with another name.
async fn update(
    api: &Api,
    (caller, current): (&Caller, &Arc<Subscription>),
    spec: Spec,
) -> Result<Option<NotedSubscription>, ApiError> {
    let name = &current.spec.name;
    if spec.name != *name {
        let detail = format!(
            "The name of a subscription cannot change from {:?} to {:?}.",
            name.as_str(),
            spec.name.as_str()
        );
        return Err(ApiError::invalid(INVALID, detail).with_pointer("/name"));
    }
    if spec.sink != current.spec.sink {
        check_sink(caller, &spec)?;
    }
    match api.subscriptions.update_from(current, spec).await {
        Ok(changed) => {
            let (old, new) = (
                SpecJson::with_secrets(&current.spec),
                SpecJson::with_secrets(&changed.spec),
            );
            let note = AuditNote::default().with("changed", changed_members(&old, &new));
            Ok(Some((
                Extension(note),
                Json(details(api, caller, &changed)),
            )))
        }
        Err(ChangeError::Store(StateStoreError::Changed { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes a subscription.
#[utoipa::path(delete, path = "/v1/subscriptions/{name}", operation_id = "remove_subscription", tag = "subscriptions", params(("name" = String, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`declared_in_file`")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    name: CallerName,
) -> Result<StatusCode, ApiError> {
    api.subscriptions.remove(&name.full).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a subscription. It keeps its cursor.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/pause", operation_id = "pause_subscription", tag = "subscriptions", params(("name" = String, Path)), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`deactivated`")))]
pub(crate) async fn pause(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let paused = api.subscriptions.pause(&name.full).await?;
    Ok(Json(details(&api, &name.caller, &paused)))
}

/// Resumes a paused or deactivated subscription, from its cursor or from a later place. The events
/// between are skipped and count as expired.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/resume", operation_id = "resume_subscription", tag = "subscriptions", params(("name" = String, Path)), request_body = Option<ResumptionJson>, responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = CONFLICT, description = "`deactivated`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_resume`")))]
pub(crate) async fn resume(
    State(api): State<Api>,
    name: CallerName,
    body: OptionalBody,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let from = body.parse("invalid_resume")?;
    let from = from.and_then(|ResumptionJson { from }| from);
    let resumed = match from {
        None => api.subscriptions.resume(&name.full).await?,
        Some(from) => {
            let resumed = api.subscriptions.resume_from(&name.full, from).await;
            let resumed = resumed.map_err(|error| match error {
                ChangeError::Invalid { .. } => {
                    ApiError::invalid("invalid_resume", error.to_string()).with_pointer("/from")
                }
                error => error.into(),
            })?;
            info!(subscription = %name.full, %from, "events skipped");
            resumed
        }
    };
    Ok(Json(details(&api, &name.caller, &resumed)))
}

/// Applies the address guard to a subscription that is older than the guard. If the guard refuses its
/// address, the subscription goes on hold.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/enforce-guard", operation_id = "enforce_guard", tag = "subscriptions", params(("name" = String, Path)), responses((status = OK, body = SubscriptionJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn enforce_guard(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<SubscriptionJson>, ApiError> {
    let changed = api.subscriptions.enforce_guard(&name.full).await?;
    info!(subscription = %name.full, "address guard enforced");
    Ok(Json(details(&api, &name.caller, &changed)))
}

fn from_schema() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(
            "The place to resume from: `now`, a time, or an offset. The default is the cursor.",
        ))
        .examples(["now"])
        .into()
}

/// Returns a subscription with summaries of its attempts and its parked deliveries.
fn details(api: &Api, caller: &Caller, subscription: &Arc<Subscription>) -> SubscriptionJson {
    let shared = &subscription.shared;
    SubscriptionJson {
        attempts: Some(AttemptSummaryJson::new(shared, api.clock.now())),
        parked: Some(ParkedSummaryJson::new(shared)),
        ..list_item(api, caller, subscription)
    }
}

fn list_item(api: &Api, caller: &Caller, subscription: &Arc<Subscription>) -> SubscriptionJson {
    let hold = subscription.shared.hold();
    let (state, reason) = match (&subscription.state, &hold) {
        (SubscriptionState::Active, None) => (StateJson::Active, None),
        (SubscriptionState::Active, Some(Hold { reason, .. })) => {
            (StateJson::Holding, Some(reason.clone()))
        }
        (SubscriptionState::Paused { reason }, _) => (StateJson::Paused, reason.clone()),
        (SubscriptionState::Deactivated { reason }, _) => (StateJson::Deactivated, reason.clone()),
    };
    let hold = hold.filter(|_| subscription.state == SubscriptionState::Active);
    SubscriptionJson {
        spec: SpecJson::without_secrets(&subscription.spec),
        state,
        reason,
        held_since: hold.as_ref().map(|hold| hold.since),
        holding_until: hold.and_then(|hold| hold.until),
        full_name: shown_name(caller, subscription),
        reach: subscription.reach.to_string(),
        address_guard: match subscription.guard {
            GuardState::Enforced => AddressGuardJson::Enforced,
            GuardState::Reported => AddressGuardJson::Reported,
        },
        origin: match subscription.origin {
            Origin::File => "file",
            Origin::Api => "api",
        },
        owner: subscription
            .owner
            .as_ref()
            .map(|owner| owner.system.as_str()),
        created_at: subscription.created_at,
        balance: BalanceJson::new(caller, subscription, api.balance(caller, subscription)),
        attempts: None,
        parked: None,
    }
}
