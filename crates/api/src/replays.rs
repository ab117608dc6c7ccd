//! `/v1/subscriptions/{name}/replays`: serving a range of the log again.
//!
//! A replay has a lane and a balance of its own. What is live goes on undisturbed.

mod dry_run;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use easel_log::{Bounds, Offset};
use easel_subscriptions::{
    Attempt, AttemptLog, ChangeError, Conditions, EventGlob, MaxRate, ReplayNumber, ReplaySpec,
    Start, State as Standing, Subscription, Term,
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
use crate::request::{Body, Path};
use dry_run::DryRunJson;

/// The code when a replay cannot be.
const INVALID: &str = "invalid_replay";

/// The time over which the rate of a replay is measured.
const RATE_WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// What is to be served again. The subscription's own filter applies besides.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewReplay)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReplayJson {
    #[schema(schema_with = from_schema)]
    from: Start,
    #[schema(schema_with = to_schema)]
    to: Option<Start>,
    /// Only these event types; one match is enough. All of them when left out.
    #[schema(value_type = Option<Vec<String>>, example = json!(["grade_*"]))]
    events: Option<Vec<EventGlob>>,
    /// What an event's metadata must say besides.
    #[serde(default)]
    conditions: Conditions,
    /// Events a second that are sent at most. No limit when left out.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000, example = 100)]
    max_rate: Option<MaxRate>,
    /// Only count the events that would be sent.
    #[serde(default)]
    dry_run: bool,
}

/// A replay of a subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
pub(crate) struct ReplayJson {
    /// Its number among the replays of its subscription, from 1.
    #[schema(value_type = u32)]
    number: ReplayNumber,
    /// The first offset.
    #[schema(value_type = u64)]
    from: Offset,
    /// The offset after the last one.
    #[schema(value_type = u64)]
    to: Offset,
    /// The event types that it is narrowed to.
    #[schema(value_type = Vec<String>)]
    events: Vec<EventGlob>,
    /// The conditions that it is narrowed to.
    conditions: Conditions,
    /// Events a second that are sent at most.
    #[schema(value_type = Option<u32>)]
    max_rate: Option<MaxRate>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    state: ReplayStateJson,
    /// Why it does not run, when no operator asked for it.
    reason: Option<String>,
    progress: ProgressJson,
    /// Events delivered a second, over the last minute or since it was started.
    rate: f64,
    balance: BalanceJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReplayState)]
#[serde(rename_all = "snake_case")]
enum ReplayStateJson {
    /// It is served.
    Running,
    /// The endpoint failed; it is tried again from time to time.
    Holding,
    /// Its subscription is paused or deactivated, or all deliveries are paused.
    Paused,
    /// Every event of its range was delivered, filtered, given up or lost.
    Ended,
}

/// How far a replay is.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayProgress)]
struct ProgressJson {
    /// Events of its range that have ended.
    done: u64,
    /// Events of its range.
    total: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReplayList)]
pub(crate) struct ReplayListJson {
    /// By number.
    replays: Vec<ReplayJson>,
}

/// Starts a replay of a range, or counts what it would send.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/replays", operation_id = "start_replay", tag = "replays", params(("name" = String, Path)), request_body = NewReplayJson, responses((status = CREATED, body = ReplayJson), (status = OK, body = DryRunJson, description = "What a dry run counted."), (status = NOT_FOUND, description = "`no_such_subscription`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_replay`")))]
pub(crate) async fn start(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let new: NewReplayJson = body.read(INVALID)?;
    let live = api.subscriptions.get(&name)?;
    let is_dry_run = new.dry_run;
    let spec = spec(&api, new).await?;
    if is_dry_run {
        let valid = api.subscriptions.validate_replay(&live, &spec);
        valid.map_err(invalid)?;
        return Ok(Json(DryRunJson::count(&api, &live, &spec).await?).into_response());
    }
    let started = api.subscriptions.start_replay(&name, spec).await;
    let started = started.map_err(invalid)?;
    let replay = ReplayJson::new(&api, &started).ok_or_else(|| vanished(&name))?;
    let number = replay.number;
    info!(subscription = %name, replay = number, "replay started");
    let location = [(
        LOCATION,
        format!("/v1/subscriptions/{name}/replays/{number}"),
    )];
    Ok((StatusCode::CREATED, location, Json(replay)).into_response())
}

/// Lists the replays of a subscription.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/replays", operation_id = "list_replays", tag = "replays", params(("name" = String, Path)), responses((status = OK, body = ReplayListJson), (status = NOT_FOUND, description = "`no_such_subscription`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<ReplayListJson>, ApiError> {
    let live = api.subscriptions.get(&name)?;
    let replays = api.subscriptions.replays(&live);
    let replays = replays.iter().filter_map(|it| ReplayJson::new(&api, it));
    Ok(Json(ReplayListJson {
        replays: replays.collect(),
    }))
}

/// Shows one replay.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/replays/{number}", operation_id = "show_replay", tag = "replays", params(("name" = String, Path), ("number" = u32, Path)), responses((status = OK, body = ReplayJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Json<ReplayJson>, ApiError> {
    let replay = api
        .subscriptions
        .lane(&name, Some(read_number(&name, &number)?))?;
    let replay = ReplayJson::new(&api, &replay);
    replay.map(Json).ok_or_else(|| vanished(&name))
}

/// Cancels a replay, and forgets it with its balance, its parked deliveries and its dead letters.
#[utoipa::path(delete, path = "/v1/subscriptions/{name}/replays/{number}", operation_id = "cancel_replay", tag = "replays", params(("name" = String, Path), ("number" = u32, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`")))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    Path((name, number)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let number = read_number(&name, &number)?;
    api.subscriptions.cancel_replay(&name, number).await?;
    info!(subscription = %name, replay = number, "replay cancelled");
    Ok(StatusCode::NO_CONTENT)
}

/// The range and the part of it that is asked for.
async fn spec(api: &Api, new: NewReplayJson) -> Result<ReplaySpec, ApiError> {
    if new.events.as_ref().is_some_and(Vec::is_empty) {
        let detail = "`/events` must have at least one pattern; leave it out for all event types.";
        return Err(ApiError::invalid(INVALID, detail).at("/events"));
    }
    let from = offset(api, new.from).await?;
    let to = offset(api, new.to.unwrap_or(Start::Now)).await?;
    let whole = ReplaySpec::of_range(from, to);
    Ok(ReplaySpec {
        events: new.events.unwrap_or(whole.events),
        conditions: new.conditions,
        max_rate: new.max_rate,
        ..whole
    })
}

/// The offset that an end of a range means at this moment.
async fn offset(api: &Api, place: Start) -> Result<Offset, ApiError> {
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

/// The number of a replay in a path.
fn read_number(name: &str, number: &str) -> Result<ReplayNumber, ApiError> {
    number.parse().map_err(|_not_a_number| {
        let detail = format!("{name} has no replay {number:?}.");
        ApiError::not_found("no_such_replay", detail)
    })
}

/// What is said of a lane that is no replay, which is never asked for here.
fn vanished(name: &str) -> ApiError {
    ApiError::not_found("no_such_replay", format!("{name} has no such replay."))
}

impl ReplayJson {
    /// A replay as it stands; `None` for a lane that is none.
    fn new(api: &Api, replay: &Arc<Subscription>) -> Option<Self> {
        let known = replay.replay.as_ref()?;
        let balance = api.subscriptions.balance(replay);
        let (state, reason) = state(api, replay);
        let open = balance.get(Term::Pending) + balance.get(Term::Parked);
        Some(Self {
            number: known.number,
            from: known.spec.from,
            to: known.spec.to,
            events: known.spec.events.clone(),
            conditions: known.spec.conditions.clone(),
            max_rate: known.spec.max_rate,
            created_at: known.created_at,
            state,
            reason,
            progress: ProgressJson {
                done: balance.accepted.saturating_sub(open),
                total: balance.accepted,
            },
            rate: rate(replay, known.created_at, api.clock.now()),
            balance: BalanceJson::new(replay, balance),
        })
    }
}

fn state(api: &Api, replay: &Subscription) -> (ReplayStateJson, Option<String>) {
    if replay.has_ended() {
        return (ReplayStateJson::Ended, None);
    }
    match (&replay.state, replay.live.hold()) {
        (Standing::Active, _) if api.subscriptions.deliveries_are_paused() => {
            (ReplayStateJson::Paused, None)
        }
        (Standing::Active, None) => (ReplayStateJson::Running, None),
        (Standing::Active, Some(hold)) => (ReplayStateJson::Holding, Some(hold.reason)),
        (Standing::Paused { reason } | Standing::Deactivated { reason }, _) => {
            (ReplayStateJson::Paused, reason.clone())
        }
    }
}

/// Events delivered a second, over the last minute or since the replay was started.
fn rate(replay: &Subscription, created_at: Timestamp, now: Timestamp) -> f64 {
    let a_minute_ago = now.checked_sub(RATE_WINDOW).unwrap_or(Timestamp::MIN);
    let since = std::cmp::max(a_minute_ago, created_at);
    let (mut event_count, mut attempt_count, mut oldest) = (0, 0, since);
    for attempt in replay.live.attempts().since(since) {
        attempt_count += 1;
        oldest = began_at(attempt);
        if attempt.outcome == Attempt::DELIVERED {
            event_count += attempt.item_count;
        }
    }
    // If more attempts were made than are kept, they cover less than the window.
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
        "The end, which is not served itself: an offset or a time. What is the newest event now is \
         the last one when it is left out.",
    )
}

fn place_schema(description: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some(description))
        .examples(["2026-11-22T00:00:00Z"])
        .into()
}
