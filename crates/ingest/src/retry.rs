//! `POST /v1/quarantine/retry`: admits the quarantined records that are valid now.
//!
//! A record is quarantined because this version rejects it. A newer version can accept it. Accepted
//! records are appended to the log as events and leave quarantine. The others stay. No event is
//! appended twice: each record is marked as tried before its event is appended. If an earlier run
//! that did not finish has marked the record, its event is searched on the log first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::post;
use axum::{Extension, Json, Router};
use easel_access::{Authorizer, Caller, Problem, Scope};
use easel_audit::AuditNote;
use easel_catalog::{Limits, Reach, admit};
use easel_log::{AppendError, Appended, NewRecord, Offset, ReadError};
use easel_quarantine::Quarantined;
use serde::Serialize;
use tokio::sync::Mutex;
use tracing::{info, instrument};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::Intake;
use crate::door::Door;
use crate::hooks::ACCOUNT_NOT_ACCEPTED;
use crate::intake::NotStored;
use crate::kinesis::put::validate_record;
use crate::record::{HostedArrival, hosted_record, to_record};
use crate::work::on_cpu;

/// The most records that one request tries.
const MAX_LIMIT: usize = 1000;

#[derive(Clone)]
struct RetryRoute {
    intake: Arc<Intake>,
    authorizer: Authorizer,
    /// Allows one request at a time. Two requests at a time could append an event twice.
    lock: Arc<Mutex<()>>,
}

pub(crate) fn routes(intake: Arc<Intake>, authorizer: Authorizer) -> Router {
    Router::new()
        .route("/v1/quarantine/retry", post(retry))
        .with_state(RetryRoute {
            intake,
            authorizer,
            lock: Arc::default(),
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
    /// The offset of the first record. Default: the oldest record.
    from: Option<u64>,
    /// The most records to try, 1 to 1,000. Default: 1,000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The result of a retry of quarantined records.
#[derive(Serialize, ToSchema)]
#[schema(as = Retried)]
struct RetriedJson {
    /// Records whose events were appended to the log.
    admitted: usize,
    /// Records whose events the log already had. They left quarantine too.
    duplicates: usize,
    /// Records that are still invalid. They stay in quarantine.
    kept: usize,
    /// `from` of the next request. Equal to `from` of this request at the end.
    #[schema(value_type = u64)]
    next: Offset,
}

/// The result of a retry, with notes for the audit: who called, and what was done.
type NotedRetry = (Extension<Caller>, Extension<AuditNote>, Json<RetriedJson>);

/// Admits the quarantined records that are valid events now.
#[utoipa::path(
    post,
    path = "/v1/quarantine/retry",
    operation_id = "retry_quarantine",
    tag = "quarantine",
    params(RetryQuery),
    responses(
        (status = OK, body = RetriedJson),
        (status = FORBIDDEN, description = "`scope_missing` or `reach_too_small`"),
        (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; retry after `Retry-After`"),
    ),
)]
#[instrument(name = "retry_request", skip_all)]
async fn retry(
    State(RetryRoute {
        intake,
        authorizer,
        lock,
    }): State<RetryRoute>,
    head: Parts,
    Query(query): Query<HashMap<String, String>>,
) -> Result<NotedRetry, Problem> {
    let caller = authorizer.authorize(&head, Scope::Manage).await?;
    caller.require_everything()?;
    let (from, limit) = parse_query(&query)?;
    let _guard = lock.lock().await;
    let records = intake
        .quarantine()
        .list(from, limit)
        .await
        .map_err(unreadable)?;
    let next = records.last().map_or(from, |last| last.offset.next());
    let (count, limits) = (records.len(), *intake.limits());
    let size = records.iter().map(|record| record.bytes.len()).sum();
    let events = on_cpu(size, move || valid_events(&records, &limits)).await;
    let duplicates = store(&intake, &events).await?;
    if !events.is_empty() {
        info!(count = events.len(), "records admitted from quarantine");
    }
    let admitted = events.len() - duplicates;
    let note = AuditNote::default().with("admitted", admitted);
    let answer = RetriedJson {
        admitted,
        duplicates,
        kept: count - events.len(),
        next,
    };
    Ok((Extension(caller), Extension(note), Json(answer)))
}

/// Returns the events of the records that are valid now, as records of the log.
fn valid_events(records: &[Quarantined], limits: &Limits) -> Vec<(Offset, NewRecord)> {
    let mut events: Vec<(Offset, NewRecord)> = Vec::new();
    for record in records {
        let previous = events.last().map(|(_, previous)| previous);
        if let Some(event) = valid_event(record, limits, previous) {
            events.push((record.offset, event));
        }
    }
    events
}

/// Returns the event of a record that is valid now. Only sources may send Caliper envelopes.
fn valid_event(
    record: &Quarantined,
    limits: &Limits,
    previous: Option<&NewRecord>,
) -> Option<NewRecord> {
    // The sender's reach still holds. A record with an unknown reach is never admitted.
    let reach = match &record.reach {
        Some(reach) => reach.parse().ok()?,
        None => Reach::Everything,
    };
    // A record in invalid base64 was quarantined as the received text.
    if record.code == "bad_base64" {
        let event = validate_record(&record.bytes, &mut Vec::new(), (limits, &reach)).ok()?;
        return Some(to_record(event, previous));
    }
    // Whether the source accepts the root account now is for its operator to decide.
    if record.code == ACCOUNT_NOT_ACCEPTED {
        return None;
    }
    if record.source.is_some() {
        let hosted = HostedArrival {
            event_name: record.event_name.as_deref(),
            source: record.source.clone(),
            arrival: None,
        };
        return hosted_record(&record.bytes, limits, hosted, previous).ok();
    }
    let event = admit(&record.bytes, limits).ok()?;
    Some(to_record(
        event.confine(&reach, &record.bytes).ok()?,
        previous,
    ))
}

/// Appends the events to the log and removes their records from quarantine. Returns the number of
/// events that the log already had.
async fn store(intake: &Intake, events: &[(Offset, NewRecord)]) -> Result<usize, Problem> {
    let mut duplicate_count = 0;
    let (mut records, mut offsets, mut ids) = (Vec::new(), Vec::new(), HashSet::new());
    for (offset, event) in events {
        let is_stored = intake.quarantine().was_tried(*offset)
            && intake
                .log()
                .find_id(event.id)
                .await
                .map_err(unreadable)?
                .is_some();
        if is_stored || !ids.insert(event.id) {
            duplicate_count += 1;
        } else {
            records.push(event.clone());
            offsets.push(*offset);
        }
    }
    let mark_error = |error: AppendError| Problem::from(NotStored::from(error));
    let quarantine = intake.quarantine();
    quarantine.mark_trying(&offsets).await.map_err(mark_error)?;
    let appended = intake.append(Door::Quarantine, records).await?;
    let is_duplicate = |result: &&Appended| matches!(result, Appended::Duplicate(_));
    duplicate_count += appended.iter().filter(is_duplicate).count();
    let admitted: Vec<_> = events.iter().map(|(offset, _)| *offset).collect();
    quarantine
        .mark_admitted(&admitted)
        .await
        .map_err(mark_error)?;
    Ok(duplicate_count)
}

/// Parses the query string.
fn parse_query(query: &HashMap<String, String>) -> Result<(Offset, usize), Problem> {
    let malformed = |detail| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let (mut from, mut limit) = (0, MAX_LIMIT);
    for (name, value) in query {
        match name.as_str() {
            "from" => {
                let error = |_| malformed("`from` must be a non-negative integer.".to_owned());
                from = value.parse().map_err(error)?;
            }
            "limit" => {
                let error = |_| malformed("`limit` must be a non-negative integer.".to_owned());
                limit = value.parse().map_err(error)?;
            }
            other => {
                let detail = format!("`{other}` is unknown; use `from` or `limit`.");
                return Err(malformed(detail));
            }
        }
    }
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok((Offset::new(from), limit));
    }
    let detail = format!("`limit` must be 1 to {MAX_LIMIT}, not {limit}.");
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_range",
        detail,
    ))
}

fn unreadable(_error: ReadError) -> Problem {
    let reason = "The log or the quarantine cannot be read.".to_owned();
    Problem::from(NotStored::from(AppendError::Failed { reason }))
}
