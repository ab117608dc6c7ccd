//! `POST /v1/quarantine/retry`: admits what is in quarantine and is an event by now.
//!
//! A record goes in because this version does not accept it; a newer one may. What it accepts goes
//! onto the log of events and leaves quarantine; the rest stays as it is. An event is never put on
//! the log twice: a record is marked as tried before its event is appended, and an event whose record
//! was tried before, by a run that did not end, is looked for on the log first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::post;
use axum::{Json, Router};
use easel_access::{Authorizer, Problem, Scope};
use easel_catalog::{Event, Limits, admit};
use easel_log::{AppendError, Appended, Offset, ReadError};
use easel_quarantine::Quarantined;
use serde::Serialize;
use tokio::sync::Mutex;
use tracing::{info, instrument};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::Intake;
use crate::doors::Door;
use crate::intake::NotStored;
use crate::kinesis::put::read_record;
use crate::record::record as record_of;
use crate::work::on_cpu;

/// Records looked at by one request at most.
const MAX_LIMIT: usize = 1000;

#[derive(Clone)]
struct RetryRoute {
    intake: Arc<Intake>,
    gate: Authorizer,
    /// One request at a time: two would append the same events.
    turn: Arc<Mutex<()>>,
}

pub(crate) fn routes(intake: Arc<Intake>, gate: Authorizer) -> Router {
    Router::new()
        .route("/v1/quarantine/retry", post(retry))
        .with_state(RetryRoute {
            intake,
            gate,
            turn: Arc::default(),
        })
}

/// Describes the route.
#[derive(OpenApi)]
#[openapi(paths(retry))]
pub(crate) struct RetryApi;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
struct RetryQuery {
    /// The place to begin at; the oldest when left out.
    from: Option<u64>,
    /// How many records to look at, at most: 1 to 1,000, which is meant when it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What became of some records in quarantine.
#[derive(Serialize, ToSchema)]
#[schema(as = Retried)]
struct RetriedJson {
    /// Records whose events are on the log now.
    admitted: usize,
    /// Records whose events the log had already; they left quarantine too.
    duplicates: usize,
    /// Records that are still no events; they stay.
    kept: usize,
    /// Where to go on; `from` of the next request. The same as `from` at the end.
    #[schema(value_type = u64)]
    next: Offset,
}

/// Admits what is in quarantine and is an event by now.
#[utoipa::path(
    post,
    path = "/v1/quarantine/retry",
    operation_id = "retry_quarantine",
    tag = "quarantine",
    params(RetryQuery),
    responses(
        (status = OK, body = RetriedJson),
        (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; come back after `Retry-After`"),
    ),
)]
#[instrument(name = "retry_request", skip_all)]
async fn retry(
    State(RetryRoute { intake, gate, turn }): State<RetryRoute>,
    head: Parts,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<RetriedJson>, Problem> {
    gate.admit(&head, Scope::Manage)?;
    let (from, limit) = range(&query)?;
    let _turn = turn.lock().await;
    let records = intake.records().list(from, limit).await.map_err(unread)?;
    let next = records.last().map_or(from, |last| last.offset.next());
    let (count, limits) = (records.len(), *intake.limits());
    let size = records.iter().map(|it| it.bytes.len()).sum();
    let events = on_cpu(size, move || read_events(&records, &limits)).await;
    let duplicates = store(&intake, &events).await?;
    if !events.is_empty() {
        info!(count = events.len(), "records admitted from quarantine");
    }
    Ok(Json(RetriedJson {
        admitted: events.len() - duplicates,
        duplicates,
        kept: count - events.len(),
        next,
    }))
}

/// The records that are events by now.
fn read_events(records: &[Quarantined], limits: &Limits) -> Vec<(Offset, Event)> {
    let event = |record: &Quarantined| {
        // What is no base64 was kept as it came, as text.
        if record.code == "bad_base64" {
            return read_record(&record.bytes, &mut Vec::new(), limits).ok();
        }
        admit(&record.bytes, limits).ok()
    };
    let events = records
        .iter()
        .filter_map(|record| Some((record.offset, event(record)?)));
    events.collect()
}

/// Puts the events on the log and takes their records out of quarantine; answers how many of them
/// the log had already.
async fn store(intake: &Intake, events: &[(Offset, Event)]) -> Result<usize, Problem> {
    let mut known = 0;
    let (mut new, mut trying, mut ids) = (Vec::new(), Vec::new(), HashSet::new());
    for (place, event) in events {
        let is_stored = intake.records().was_tried(*place)
            && intake
                .log()
                .find_id(event.id)
                .await
                .map_err(unread)?
                .is_some();
        if is_stored || !ids.insert(event.id) {
            known += 1;
        } else {
            let record = record_of(event.clone(), new.last());
            new.push(record);
            trying.push(*place);
        }
    }
    let unmarked = |error: AppendError| Problem::from(NotStored::from(error));
    let quarantine = intake.records();
    quarantine.mark_trying(&trying).await.map_err(unmarked)?;
    let appended = intake.append(Door::Quarantine, new).await?;
    let is_duplicate = |it: &&Appended| matches!(it, Appended::Duplicate(_));
    known += appended.iter().filter(is_duplicate).count();
    let admitted: Vec<_> = events.iter().map(|(record, _)| *record).collect();
    quarantine
        .mark_admitted(&admitted)
        .await
        .map_err(unmarked)?;
    Ok(known)
}

/// What a query asks for.
fn range(query: &HashMap<String, String>) -> Result<(Offset, usize), Problem> {
    let malformed = |detail| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let (mut from, mut limit) = (0, MAX_LIMIT);
    for (name, value) in query {
        match name.as_str() {
            "from" => {
                let wanted =
                    |_| malformed("`from` must be an integer that is not negative.".to_owned());
                from = value.parse().map_err(wanted)?;
            }
            "limit" => {
                let wanted =
                    |_| malformed("`limit` must be an integer that is not negative.".to_owned());
                limit = value.parse().map_err(wanted)?;
            }
            other => {
                let detail = format!("`{other}` is unknown; known are `from`, `limit`.");
                return Err(malformed(detail));
            }
        }
    }
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok((Offset::new(from), limit));
    }
    let detail = format!("`limit` is 1 to {MAX_LIMIT}; {limit} is not.");
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_range",
        detail,
    ))
}

fn unread(_error: ReadError) -> Problem {
    let reason = "The log or the quarantine cannot be read.".to_owned();
    Problem::from(NotStored::from(AppendError::Failed { reason }))
}
