//! `/v1/subscriptions/{name}/replays`: sends a range of the log to a subscription again.
//!
//! A replay has a lane and a balance of its own. It does not affect the delivery of live events.

mod dry_run;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use easel_access::Caller;
use easel_audit::AuditNote;
use easel_log::{Bounds, Offset};
use easel_subscriptions::{
    Attempt, AttemptLog, ChangeError, Conditions, EventGlob, MaxRate, ReplayNumber, ReplaySpec,
    Start, State as SubscriptionState, Subscription, Term,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::Api;
use crate::api_error::ApiError;
use crate::attempts::began_at;
use crate::balance::BalanceJson;
use crate::caller_name::CallerName;
use crate::request::{Body, Path};
use dry_run::DryRunJson;

/// The code of a problem with a replay.
const INVALID: &str = "invalid_replay";

/// The time over which the rate of a replay is measured.
const RATE_WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// The range of a new replay. The filter of the subscription applies too.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewReplay)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReplayJson {
    #[schema(schema_with = from_schema)]
    from: Start,
    #[schema(schema_with = to_schema)]
    to: Option<Start>,
    /// Only event types that match one of these patterns. The default is all event types.
    #[schema(value_type = Option<Vec<String>>, example = json!(["grade_*"]))]
    events: Option<Vec<EventGlob>>,
    /// Conditions on the metadata of the events.
    #[serde(default)]
    conditions: Conditions,
    /// The maximum number of events per second. The default is no limit.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000, example = 100)]
    max_rate: Option<MaxRate>,
    /// Whether to only count the events that would be sent.
    #[serde(default)]
    dry_run: bool,
}

/// A replay of a subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
pub(crate) struct ReplayJson {
    /// The number of the replay within its subscription, from 1.
    #[schema(value_type = u32)]
    number: ReplayNumber,
    /// The first offset.
    #[schema(value_type = u64)]
    from: Offset,
    /// The offset after the last one.
    #[schema(value_type = u64)]
    to: Offset,
    /// The patterns of the event types that are sent.
    #[schema(value_type = Vec<String>)]
    events: Vec<EventGlob>,
    /// The conditions on the metadata of the events.
    conditions: Conditions,
    /// The maximum number of events per second.
    #[schema(value_type = Option<u32>)]
    max_rate: Option<MaxRate>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    state: ReplayStateJson,
    /// Why the replay does not run, unless an operator paused it.
    reason: Option<String>,
    progress: ProgressJson,
    /// Delivered events per second, over the last minute or since the start of the replay.
    rate: f64,
    balance: BalanceJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReplayState)]
#[serde(rename_all = "snake_case")]
enum ReplayStateJson {
    /// The replay runs.
    Running,
    /// The endpoint failed. The lane probes it from time to time.
    Holding,
    /// The subscription is paused or deactivated, or all deliveries are paused.
    Paused,
    /// Every event of the range was delivered, filtered, given up or lost.
    Ended,
}

/// The progress of a replay.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayProgress)]
struct ProgressJson {
    /// Events of the range that are settled.
    done: u64,
    /// All events of the range.
    total: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReplayList)]
pub(crate) struct ReplayListJson {
    /// The replays, by number.
    replays: Vec<ReplayJson>,
}

/// Starts a replay of a range, or counts what it would send.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/replays", operation_id = "start_replay", tag = "replays", params(("name" = String, Path)), request_body = NewReplayJson, responses((status = CREATED, body = ReplayJson), (status = OK, body = DryRunJson, description = "The result of a dry run."), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_replay`")))]
pub(crate) async fn start(
    State(api): State<Api>,
    name: CallerName,
    body: Body,
) -> Result<Response, ApiError> {
    let new: NewReplayJson = body.parse(INVALID)?;
    let live = api.subscriptions.get(&name.full)?;
    let is_dry_run = new.dry_run;
    let spec = spec(&api, new).await?;
    if is_dry_run {
        let valid = api.subscriptions.validate_replay(&live, &spec);
        valid.map_err(invalid)?;
        let count = DryRunJson::count(&api, &live, &spec).await?;
        return Ok((Extension(AuditNote::of_no_change()), Json(count)).into_response());
    }
    let (from, to) = (spec.from.get(), spec.to.get());
    let started = api.subscriptions.start_replay(&name.full, spec).await;
    let started = started.map_err(invalid)?;
    let replay =
        ReplayJson::new(&api, &name.caller, &started).ok_or_else(|| not_a_replay(&name))?;
    let number = replay.number;
    info!(subscription = %name.full, replay = number, "replay started");
    let location = [(
        LOCATION,
        format!("/v1/subscriptions/{name}/replays/{number}"),
    )];
    let note = AuditNote::of_object(format!("{name}/{number}"))
        .with("from", from)
        .with("to", to);
    let answer = (StatusCode::CREATED, location, Extension(note), Json(replay));
    Ok(answer.into_response())
}

/// Lists the replays of a subscription.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/replays", operation_id = "list_replays", tag = "replays", params(("name" = String, Path)), responses((status = OK, body = ReplayListJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    name: CallerName,
) -> Result<Json<ReplayListJson>, ApiError> {
    let live = api.subscriptions.get(&name.full)?;
    let replays = api.subscriptions.replays(&live);
    let replays = replays
        .iter()
        .filter_map(|replay| ReplayJson::new(&api, &name.caller, replay));
    Ok(Json(ReplayListJson {
        replays: replays.collect(),
    }))
}

/// Shows one replay.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/replays/{number}", operation_id = "show_replay", tag = "replays", params(("name" = String, Path), ("number" = u32, Path)), responses((status = OK, body = ReplayJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    name: CallerName,
    Path((_name, number)): Path<(String, String)>,
) -> Result<Json<ReplayJson>, ApiError> {
    let replay = api
        .subscriptions
        .lane(&name.full, Some(parse_number(&name, &number)?))?;
    let replay = ReplayJson::new(&api, &name.caller, &replay);
    replay.map(Json).ok_or_else(|| not_a_replay(&name))
}

/// Cancels a replay. Removes its balance, its parked deliveries and its dead letters.
#[utoipa::path(delete, path = "/v1/subscriptions/{name}/replays/{number}", operation_id = "cancel_replay", tag = "replays", params(("name" = String, Path), ("number" = u32, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`")))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    name: CallerName,
    Path((_name, number)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let number = parse_number(&name, &number)?;
    api.subscriptions.cancel_replay(&name.full, number).await?;
    info!(subscription = %name.full, replay = number, "replay cancelled");
    Ok(StatusCode::NO_CONTENT)
}

/// Converts a request to the spec of a replay.
async fn spec(api: &Api, new: NewReplayJson) -> Result<ReplaySpec, ApiError> {
    if new.events.as_ref().is_some_and(Vec::is_empty) {
        let detail = "`/events` must have at least one pattern. Omit it for all event types.";
        return Err(ApiError::invalid(INVALID, detail).with_pointer("/events"));
    }
    let from = resolve_offset(api, new.from).await?;
    let to = resolve_offset(api, new.to.unwrap_or(Start::Now)).await?;
    let all_events = ReplaySpec::of_range(from, to);
    Ok(ReplaySpec {
        events: new.events.unwrap_or(all_events.events),
        conditions: new.conditions,
        max_rate: new.max_rate,
        ..all_events
    })
}

/// Returns the offset that `place` means at this moment.
async fn resolve_offset(api: &Api, place: Start) -> Result<Offset, ApiError> {
    let Bounds { tail, head } = *api.log.bounds().borrow();
    Ok(match place {
        Start::Now => head,
        Start::Earliest => tail,
        Start::Time(time) => api.log.find_time(time).await?,
        Start::Offset(offset) => offset,
    })
}

fn invalid(error: ChangeError) -> ApiError {
    match error {
        ChangeError::Invalid { .. } => ApiError::invalid(INVALID, error.to_string()),
        error => error.into(),
    }
}

/// Parses the number of a replay in a path.
fn parse_number(name: &CallerName, number: &str) -> Result<ReplayNumber, ApiError> {
    number.parse().map_err(|_not_a_number| {
        let detail = format!("{name} has no replay {number:?}.");
        ApiError::not_found("no_such_replay", detail)
    })
}

/// Returns the problem for a lane that is not a replay. No request should reach it.
fn not_a_replay(name: &CallerName) -> ApiError {
    ApiError::not_found("no_such_replay", format!("{name} has no such replay."))
}

impl ReplayJson {
    /// Returns the state of a replay; `None` for a lane that is not a replay.
    fn new(api: &Api, caller: &Caller, replay: &Arc<Subscription>) -> Option<Self> {
        let details = replay.replay.as_ref()?;
        let balance = api.balance(caller, replay);
        let (state, reason) = state(api, replay);
        let open_count = balance.get(Term::Pending) + balance.get(Term::Parked);
        Some(Self {
            number: details.number,
            from: details.spec.from,
            to: details.spec.to,
            events: details.spec.events.clone(),
            conditions: details.spec.conditions.clone(),
            max_rate: details.spec.max_rate,
            created_at: details.created_at,
            state,
            reason,
            progress: ProgressJson {
                done: balance.accepted.saturating_sub(open_count),
                total: balance.accepted,
            },
            rate: rate(replay, details.created_at, api.clock.now()),
            balance: BalanceJson::new(caller, replay, balance),
        })
    }
}

fn state(api: &Api, replay: &Subscription) -> (ReplayStateJson, Option<String>) {
    if replay.has_ended() {
        return (ReplayStateJson::Ended, None);
    }
    match (&replay.state, replay.shared.hold()) {
        (SubscriptionState::Active, _) if api.subscriptions.deliveries_are_paused() => {
            (ReplayStateJson::Paused, None)
        }
        (SubscriptionState::Active, None) => (ReplayStateJson::Running, None),
        (SubscriptionState::Active, Some(hold)) => (ReplayStateJson::Holding, Some(hold.reason)),
        (SubscriptionState::Paused { reason } | SubscriptionState::Deactivated { reason }, _) => {
            (ReplayStateJson::Paused, reason.clone())
        }
    }
}

/// Returns the delivered events per second, over the last minute or since the start of the replay.
fn rate(replay: &Subscription, created_at: Timestamp, now: Timestamp) -> f64 {
    let a_minute_ago = now.checked_sub(RATE_WINDOW).unwrap_or(Timestamp::MIN);
    let since = std::cmp::max(a_minute_ago, created_at);
    let (mut event_count, mut attempt_count, mut oldest) = (0, 0, since);
    for attempt in replay.shared.attempts().since(since) {
        attempt_count += 1;
        oldest = began_at(attempt);
        if attempt.outcome == Attempt::DELIVERED {
            event_count += attempt.item_count;
        }
    }
    // The attempt log is limited. A full log covers less than the window.
    let since = if attempt_count >= AttemptLog::MAX {
        oldest
    } else {
        since
    };
    let window = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    f64::from(event_count) / window.as_secs_f64().max(1.0)
}

fn from_schema() -> Schema {
    place_schema("The first event: an offset, a time, or `earliest`.")
}

fn to_schema() -> Schema {
    place_schema(
        "The end of the range, as an offset or a time. The event at the end is not sent. By default, \
         the newest event at this moment is the last one.",
    )
}

fn place_schema(description: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(description))
        .examples(["2026-11-22T00:00:00Z"])
        .into()
}
