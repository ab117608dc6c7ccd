//! `/v1/sources`: manages sources, and shows whether they work.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use easel_audit::AuditNote;
use easel_sources::{
    HealthReport, Source, SourceChangeError, SourceCounts, SourceFailure, SourceJson, SourceOrigin,
    SourceSpec, SourceSpecError, SourceState, SourceStoreError, Sources,
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tracing::info;
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;
use crate::changed_members::changed_members;
use crate::request::{Body, Path};

/// The code of a problem with a definition.
const INVALID: &str = "invalid_source";

/// A source with its state and health.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceWithHealth)]
pub(crate) struct SourceWithHealthJson {
    /// The definition of the source. Secrets are shown as `…`.
    #[serde(flatten)]
    spec: SourceJson,
    state: StateJson,
    /// `file` if the settings file defines the source. Then only the file can change it.
    #[schema(value_type = String, example = "api")]
    origin: &'static str,
    /// When the latest event arrived, duplicates included.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_event_at: Option<Timestamp>,
    /// Events a minute over the last five minutes, duplicates included.
    events_per_minute: f64,
    last_day: CountsJson,
    /// The latest failure.
    last_failure: Option<FailureJson>,
    /// Why the queue cannot be reached now, and since when. Always null for a source of the kind `https`.
    unreachable: Option<FailureJson>,
    /// When the keys that verify signatures were fetched. Null if there are none yet, or if events are not
    /// signed.
    #[schema(value_type = Option<String>, format = DateTime)]
    keys_fetched_at: Option<Timestamp>,
}

/// Whether events come in.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = SourceState)]
#[serde(rename_all = "snake_case")]
enum StateJson {
    /// Events come in.
    Active,
    /// Requests are answered with 503; a queue is not read.
    Paused,
}

/// What came from a source in the last 24 hours.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceCounts)]
struct CountsJson {
    /// Events that are in the log.
    accepted: u64,
    /// Events that were in the log already.
    duplicate: u64,
    /// What is authentic but is not an event of the source. It is in quarantine.
    quarantined: u64,
    /// Requests that were answered with an error. Hosted Canvas switches a stream off after about 28,000
    /// failed deliveries, of up to four requests each.
    failed: u64,
    /// Requests whose sender did not wait for the answer. Hosted Canvas switches a stream off after about
    /// 9,500 such deliveries, of up to four requests each.
    timed_out: u64,
}

/// A failure of a source.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceFailure)]
struct FailureJson {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SourceList)]
pub(crate) struct SourceListJson {
    sources: Vec<SourceWithHealthJson>,
}

/// Lists all sources.
#[utoipa::path(get, path = "/v1/sources", operation_id = "list_sources", tag = "sources", responses((status = OK, body = SourceListJson)))]
pub(crate) async fn list(State(api): State<Api>) -> Json<SourceListJson> {
    let now = api.clock.now();
    let all = api.sources.all();
    let sources = all.values().map(|source| with_health(source, now));
    Json(SourceListJson {
        sources: sources.collect(),
    })
}

/// Shows a source.
#[utoipa::path(get, path = "/v1/sources/{name}", operation_id = "show_source", tag = "sources", params(("name" = String, Path)), responses((status = OK, body = SourceWithHealthJson), (status = NOT_FOUND, description = "`no_such_source`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<SourceWithHealthJson>, ApiError> {
    let source = api.sources.get(&name);
    let source = source.ok_or(SourceChangeError::Unknown { name })?;
    Ok(Json(with_health(&source, api.clock.now())))
}

/// Creates a source.
#[utoipa::path(post, path = "/v1/sources", operation_id = "create_source", tag = "sources", request_body = SourceJson, responses((status = CREATED, body = SourceWithHealthJson), (status = CONFLICT, description = "`name_taken`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_source`")))]
pub(crate) async fn create(State(api): State<Api>, body: Body) -> Result<Response, ApiError> {
    let json: SourceJson = body.parse(INVALID)?;
    let spec = valid(json)?;
    let source = change(&api, move |sources| sources.create(spec)).await?;
    info!(source = %source.spec.name, "source created");
    let location = format!("/v1/sources/{}", source.spec.name);
    let json = Json(with_health(&source, api.clock.now()));
    let note = AuditNote::of_object(source.spec.name.as_str());
    let location = [(LOCATION, location)];
    Ok((StatusCode::CREATED, location, Extension(note), json).into_response())
}

/// Replaces the definition of a source. Its state and its counts stay. A secret that is given as `…` stays too,
/// unless it would go to another address.
#[utoipa::path(put, path = "/v1/sources/{name}", operation_id = "replace_source", tag = "sources", params(("name" = String, Path)), request_body = SourceJson, responses((status = OK, body = SourceWithHealthJson), (status = NOT_FOUND, description = "`no_such_source`"), (status = CONFLICT, description = "`defined_in_file`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_source`")))]
pub(crate) async fn replace(
    State(api): State<Api>,
    Path(name): Path<String>,
    body: Body,
) -> Result<(Extension<AuditNote>, Json<SourceWithHealthJson>), ApiError> {
    let json: SourceJson = body.parse(INVALID)?;
    let current = api.sources.get(&name);
    let current = current.ok_or_else(|| SourceChangeError::Unknown { name: name.clone() })?;
    let spec = valid(json.keep_secrets(&current.spec))?;
    if spec.name != current.spec.name {
        let detail = "The name of a source cannot change; it is stored with every event.";
        return Err(ApiError::invalid(INVALID, detail).with_pointer("/name"));
    }
    let source = change(&api, move |sources| sources.replace(spec)).await?;
    info!(source = %source.spec.name, "source changed");
    let old = SourceJson::with_secrets(&current.spec);
    let new = SourceJson::with_secrets(&source.spec);
    let note = AuditNote::default().with("changed", changed_members(&old, &new));
    let json = Json(with_health(&source, api.clock.now()));
    Ok((Extension(note), json))
}

/// Removes a source. Its events stay.
#[utoipa::path(delete, path = "/v1/sources/{name}", operation_id = "remove_source", tag = "sources", params(("name" = String, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_source`"), (status = CONFLICT, description = "`defined_in_file`")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let removed = name.clone();
    change(&api, move |sources| sources.remove(&name)).await?;
    info!(source = removed, "source removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a source: its requests are answered with 503, or its queue is not read.
#[utoipa::path(post, path = "/v1/sources/{name}/pause", operation_id = "pause_source", tag = "sources", params(("name" = String, Path)), responses((status = OK, body = SourceWithHealthJson), (status = NOT_FOUND, description = "`no_such_source`")))]
pub(crate) async fn pause(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<SourceWithHealthJson>, ApiError> {
    set_state(&api, name, SourceState::Paused).await
}

/// Resumes a paused source.
#[utoipa::path(post, path = "/v1/sources/{name}/resume", operation_id = "resume_source", tag = "sources", params(("name" = String, Path)), responses((status = OK, body = SourceWithHealthJson), (status = NOT_FOUND, description = "`no_such_source`")))]
pub(crate) async fn resume(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<SourceWithHealthJson>, ApiError> {
    set_state(&api, name, SourceState::Active).await
}

async fn set_state(
    api: &Api,
    name: String,
    state: SourceState,
) -> Result<Json<SourceWithHealthJson>, ApiError> {
    let source = change(api, move |sources| sources.set_state(&name, state)).await?;
    info!(source = %source.spec.name, state = ?source.state, "source paused or resumed");
    Ok(Json(with_health(&source, api.clock.now())))
}

/// Runs a change, which waits for the disk.
async fn change<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Sources) -> Result<T, SourceChangeError> + Send + 'static,
) -> Result<T, ApiError> {
    let sources = Arc::clone(&api.sources);
    Ok(spawn_blocking(move || work(&sources)).await??)
}

/// Validates a definition of a caller, who must not refer to secrets of the server.
fn valid(mut json: SourceJson) -> Result<SourceSpec, ApiError> {
    let checked = json.check_secrets();
    let spec = checked.and_then(|()| SourceSpec::try_from(json));
    Ok(spec?)
}

fn with_health(source: &Source, now: Timestamp) -> SourceWithHealthJson {
    let HealthReport {
        last_event_at,
        last_failure,
        unreachable,
        events_per_minute,
        last_day,
    } = source.health.report(now);
    SourceWithHealthJson {
        spec: SourceJson::without_secrets(&source.spec),
        state: match source.state {
            SourceState::Active => StateJson::Active,
            SourceState::Paused => StateJson::Paused,
        },
        origin: match source.origin {
            SourceOrigin::File => "file",
            SourceOrigin::Api => "api",
        },
        last_event_at,
        events_per_minute: (events_per_minute * 10.0).round() / 10.0,
        last_day: last_day.into(),
        last_failure: last_failure.map(FailureJson::from),
        unreachable: unreachable.map(FailureJson::from),
        keys_fetched_at: source.keys.as_ref().and_then(|keys| keys.fetched_at()),
    }
}

impl From<SourceCounts> for CountsJson {
    fn from(counts: SourceCounts) -> Self {
        Self {
            accepted: counts.accepted,
            duplicate: counts.duplicate,
            quarantined: counts.quarantined,
            failed: counts.failed,
            timed_out: counts.timed_out,
        }
    }
}

impl From<SourceFailure> for FailureJson {
    fn from(failure: SourceFailure) -> Self {
        Self {
            at: failure.at,
            reason: failure.reason,
        }
    }
}

impl From<SourceSpecError> for ApiError {
    fn from(error: SourceSpecError) -> Self {
        let pointer = format!("/{}", error.member());
        Self::invalid(INVALID, error.to_string()).with_pointer(&pointer)
    }
}

impl From<SourceChangeError> for ApiError {
    fn from(error: SourceChangeError) -> Self {
        let detail = error.to_string();
        match error {
            SourceChangeError::NameTaken { .. } => Self::conflict("name_taken", detail),
            SourceChangeError::DefinedInFile { .. } => Self::conflict("defined_in_file", detail),
            SourceChangeError::Invalid { .. } => Self::invalid(INVALID, detail),
            SourceChangeError::Unknown { .. } => Self::not_found("no_such_source", detail),
            SourceChangeError::Store(error) => error.into(),
        }
    }
}

impl From<SourceStoreError> for ApiError {
    fn from(error: SourceStoreError) -> Self {
        Self::storage("sources_unavailable", &error)
    }
}
