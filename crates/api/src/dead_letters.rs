//! `/v1/subscriptions/{name}/dead-letters`: deliveries that were given up.
//!
//! The list also has the parked deliveries that wait for an operator. The same commands redeliver
//! and discard both.

mod selection;

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use easel_audit::{AuditNote, ShownEvents};
use easel_log::{Offset, Record, RecordReader};
use easel_subscriptions::{Attempt, DeadLetter, Due, Parked, Subscription};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Api;
use crate::api_error::ApiError;
use crate::attempts::AttemptJson;
use crate::caller_name::CallerName;
use crate::lane_name::LaneNameJson;
use crate::request::{Body, Path, Query, check_limit};
use selection::{Selection, SelectionJson};

/// The number of rows in one read.
const ROWS: usize = 200;
/// The maximum number of rows that are read for one answer when few match.
const MAX_ROWS: usize = 2_000;

/// A delivery that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterJson {
    /// The offset of the event.
    #[schema(value_type = u64)]
    offset: Offset,
    #[schema(value_type = String)]
    event_id: Uuid,
    event_type: String,
    /// Why the delivery was given up.
    reason: String,
    /// The number of attempts.
    attempt_count: u32,
    /// The latest 20 attempts, oldest first.
    attempts: Vec<AttemptJson>,
    /// The first 4 KiB of the endpoint's answer to the last attempt, as text.
    answer: Option<String>,
    /// The HTTP status of that answer.
    answer_status: Option<u16>,
    #[schema(value_type = String, format = DateTime)]
    died_at: Timestamp,
    /// Whether an operator has discarded the dead letter, so that it is never redelivered.
    discarded: bool,
    /// Whether the dead letter can be redelivered: it is not discarded, and the log still has the event.
    redeliverable: bool,
    /// The event, if the log still has it. Only in the answer for one dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    event: Option<Box<RawValue>>,
}

/// A parked delivery that waits for an operator.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingDelivery)]
pub(crate) struct WaitingJson {
    /// The offset of the event.
    #[schema(value_type = u64)]
    offset: Offset,
    /// The id of the event, if the log still has it.
    #[schema(value_type = Option<String>)]
    event_id: Option<Uuid>,
    /// The event type, if the log still has the event.
    event_type: Option<String>,
    /// Why the last attempt failed.
    reason: String,
    /// The number of attempts.
    attempt_count: u32,
    /// The latest 20 attempts, oldest first.
    attempts: Vec<AttemptJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterList)]
pub(crate) struct DeadLetterListJson {
    /// The dead letters, by offset.
    dead_letters: Vec<DeadLetterJson>,
    /// Parked deliveries that wait for an operator, by offset.
    waiting: Vec<WaitingJson>,
    /// The value for `from` in the next request. Null at the end. It can be set although nothing
    /// matched so far.
    #[schema(value_type = Option<u64>)]
    next: Option<Offset>,
}

/// The result of a redelivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Redelivered)]
pub(crate) struct RedeliveredJson {
    /// Deliveries that are now parked and due.
    redelivered: u64,
    /// Deliveries that stay dead because the log no longer has their events.
    gone: u64,
    /// Whether some deliveries were not redelivered because the subscription has no room for more
    /// parked deliveries.
    full: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Discarded)]
pub(crate) struct DiscardedJson {
    /// Deliveries that were discarded.
    discarded: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeadLetterQuery {
    /// The lane: `live`, or the number of a replay. The default is `live`.
    #[param(value_type = Option<String>, pattern = "^(live|[0-9]{1,10})$")]
    #[serde(default)]
    lane: LaneNameJson,
    /// The offset to begin at. The default is the first one.
    from: Option<u64>,
    /// The maximum number of each kind: 1 to 1,000. The default is 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only event types that this pattern matches, such as `grade_*`.
    #[param(min_length = 1, max_length = 128)]
    event: Option<String>,
    /// Only deliveries whose reason contains this text.
    reason: Option<String>,
    /// Only dead letters that are discarded (`true`) or not discarded (`false`). The default is both.
    discarded: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaneQuery {
    /// The lane: `live`, or the number of a replay. The default is `live`.
    #[param(value_type = Option<String>, pattern = "^(live|[0-9]{1,10})$")]
    #[serde(default)]
    lane: LaneNameJson,
}

/// Lists the dead letters of a lane, and the parked deliveries that wait for an operator.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/dead-letters", operation_id = "list_dead_letters", tag = "dead letters", params(("name" = String, Path), DeadLetterQuery), responses((status = OK, body = DeadLetterListJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    name: CallerName,
    Query(query): Query<DeadLetterQuery>,
) -> Result<(Extension<AuditNote>, Json<DeadLetterListJson>), ApiError> {
    let limit = check_limit(query.limit)?;
    let lane = query.lane.find(&api, &name)?;
    let from = Offset::new(query.from.unwrap_or(0));
    let selection = Selection::from_query(query.event.as_deref(), query.reason)?;
    let is_wanted = |offset, letter: &DeadLetter| {
        query
            .discarded
            .is_none_or(|discarded| discarded == letter.is_discarded)
            && selection.covers(offset, &letter.event_type, &letter.reason)
    };
    let (mut letters, mut next) = read_dead(&api, &lane, from, limit, is_wanted).await?;
    let mut waiting = Vec::new();
    if query.discarded != Some(true) {
        let (parked, end) = waiting_for_operator(&lane, from, next, limit);
        next = end;
        let mut records = RecordReader::new(&*api.log);
        for (offset, parked) in parked {
            let record = records.read(offset).await?;
            let event_type = record.as_ref().map_or("", |record| &*record.event_type);
            if selection.covers(offset, event_type, &parked.reason) {
                waiting.push(WaitingJson::new(offset, &parked, record.as_ref()));
            }
        }
    }
    letters.retain(|(offset, _)| next.is_none_or(|next| *offset < next));
    let tail = api.log.bounds().borrow().tail;
    // An endpoint can repeat the event in its answer.
    let with_answer = letters.iter().filter(|(_, letter)| letter.answer.is_some());
    let shown = ShownEvents::of_offsets(with_answer.map(|(offset, _)| offset.get()));
    let letters = letters.into_iter();
    let page = DeadLetterListJson {
        dead_letters: letters
            .map(|(offset, letter)| DeadLetterJson::new(offset, &letter, tail))
            .collect(),
        waiting,
        next,
    };
    Ok((Extension(AuditNote::of_shown(shown)), Json(page)))
}

/// Shows one dead letter, with its event if the log still has it.
#[utoipa::path(get, path = "/v1/subscriptions/{name}/dead-letters/{offset}", operation_id = "show_dead_letter", tag = "dead letters", params(("name" = String, Path), ("offset" = u64, Path), LaneQuery), responses((status = OK, body = DeadLetterJson), (status = NOT_FOUND, description = "`no_such_subscription`, `no_such_replay` or `no_such_dead_letter`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    name: CallerName,
    Path((_name, offset)): Path<(String, String)>,
    Query(query): Query<LaneQuery>,
) -> Result<(Extension<AuditNote>, Json<DeadLetterJson>), ApiError> {
    let lane = query.lane.find(&api, &name)?;
    let missing = || {
        let detail = format!("{name} has no dead letter at offset {offset}.");
        ApiError::not_found("no_such_dead_letter", detail)
    };
    let number: u64 = offset.parse().map_err(|_not_an_offset| missing())?;
    let wanted = Offset::new(number);
    let found = api.subscriptions.dead_letters(&lane, wanted, 1).await?;
    let found = found.into_iter().find(|(offset, _)| *offset == wanted);
    let (offset, letter) = found.ok_or_else(missing)?;
    let record = RecordReader::new(&*api.log).read(offset).await?;
    let tail = api.log.bounds().borrow().tail;
    let is_shown = record.is_some() || letter.answer.is_some();
    let shown = ShownEvents::of_offsets(is_shown.then_some(offset.get()));
    let letter = DeadLetterJson {
        event: record.and_then(|record| serde_json::from_slice(&record.bytes).ok()),
        ..DeadLetterJson::new(offset, &letter, tail)
    };
    Ok((Extension(AuditNote::of_shown(shown)), Json(letter)))
}

/// Redelivers dead letters, and parked deliveries that wait for an operator. They are due immediately.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/dead-letters/redeliver", operation_id = "redeliver_dead_letters", tag = "dead letters", params(("name" = String, Path)), request_body = SelectionJson, responses((status = OK, body = RedeliveredJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_selection` or `selection_missing`")))]
pub(crate) async fn redeliver(
    State(api): State<Api>,
    name: CallerName,
    body: Body,
) -> Result<(Extension<AuditNote>, Json<RedeliveredJson>), ApiError> {
    let (lane, selection) = SelectionJson::parse(&body)?;
    let lane = lane.find(&api, &name)?;
    let is_selected =
        |offset, letter: &DeadLetter| selection.covers(offset, &letter.event_type, &letter.reason);
    let redelivered = api
        .subscriptions
        .redeliver(&lane, selection.offsets(), is_selected)
        .await?;
    info!(subscription = %name.full, count = redelivered.redelivered_count, "dead letters redelivered");
    let note = AuditNote::default().with("redelivered", redelivered.redelivered_count);
    let answer = RedeliveredJson {
        redelivered: redelivered.redelivered_count,
        gone: redelivered.gone_count,
        full: redelivered.is_full,
    };
    Ok((Extension(note), Json(answer)))
}

/// Discards dead letters, and parked deliveries that wait for an operator. They are never redelivered.
#[utoipa::path(post, path = "/v1/subscriptions/{name}/dead-letters/discard", operation_id = "discard_dead_letters", tag = "dead letters", params(("name" = String, Path)), request_body = SelectionJson, responses((status = OK, body = DiscardedJson), (status = NOT_FOUND, description = "`no_such_subscription` or `no_such_replay`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_selection` or `selection_missing`")))]
pub(crate) async fn discard(
    State(api): State<Api>,
    name: CallerName,
    body: Body,
) -> Result<(Extension<AuditNote>, Json<DiscardedJson>), ApiError> {
    let (lane, selection) = SelectionJson::parse(&body)?;
    let lane = lane.find(&api, &name)?;
    let is_selected =
        |offset, letter: &DeadLetter| selection.covers(offset, &letter.event_type, &letter.reason);
    let discarded = api
        .subscriptions
        .discard(&lane, selection.offsets(), is_selected)
        .await?;
    info!(subscription = %name.full, count = discarded, "dead letters discarded");
    let note = AuditNote::default().with("discarded", discarded);
    Ok((Extension(note), Json(DiscardedJson { discarded })))
}

/// Dead letters by offset.
type Letters = Vec<(Offset, DeadLetter)>;

/// Reads the wanted dead letters from offset `from` on. Returns them with the offset to continue from,
/// or `None` at the end. Reads a bounded number of rows.
async fn read_dead(
    api: &Api,
    lane: &Arc<Subscription>,
    from: Offset,
    limit: usize,
    is_wanted: impl Fn(Offset, &DeadLetter) -> bool + Send,
) -> Result<(Letters, Option<Offset>), ApiError> {
    let (mut letters, mut from, mut row_count) = (Vec::new(), from, 0);
    while row_count < MAX_ROWS {
        let rows = api.subscriptions.dead_letters(lane, from, ROWS).await?;
        let is_last = rows.len() < ROWS;
        row_count += rows.len();
        for (offset, letter) in rows {
            from = offset.next();
            if is_wanted(offset, &letter) {
                if letters.len() == limit {
                    return Ok((letters, Some(offset)));
                }
                letters.push((offset, letter));
            }
        }
        if is_last {
            return Ok((letters, None));
        }
    }
    Ok((letters, Some(from)))
}

/// Returns up to `limit` parked deliveries before `end` that wait for an operator, and the offset to
/// continue from.
fn waiting_for_operator(
    lane: &Subscription,
    from: Offset,
    end: Option<Offset>,
    limit: usize,
) -> (Vec<(Offset, Parked)>, Option<Offset>) {
    let account = lane.shared.account();
    let waiting = account
        .all_parked(from)
        .take_while(|(offset, _)| end.is_none_or(|end| *offset < end))
        .filter(|(_, parked)| parked.due == Due::OnCommand)
        .take(limit + 1);
    let waiting = waiting.map(|(offset, parked)| (offset, parked.clone()));
    let mut waiting: Vec<_> = waiting.collect();
    drop(account);
    let next = waiting.get(limit).map(|(offset, _)| *offset).or(end);
    waiting.truncate(limit);
    (waiting, next)
}

impl DeadLetterJson {
    /// Returns the answer for one dead letter. `tail` is the oldest offset on the log.
    fn new(offset: Offset, letter: &DeadLetter, tail: Offset) -> Self {
        let answer = letter.answer.as_ref();
        Self {
            offset,
            event_id: letter.event_id,
            event_type: letter.event_type.to_string(),
            reason: letter.reason.clone(),
            attempt_count: letter.attempt_count,
            attempts: attempts(&letter.attempts),
            answer: answer.map(|body| String::from_utf8_lossy(body).into_owned()),
            answer_status: letter.attempts.last().and_then(|last| last.status),
            died_at: letter.died_at,
            discarded: letter.is_discarded,
            redeliverable: !letter.is_discarded && offset >= tail,
            event: None,
        }
    }
}

impl WaitingJson {
    fn new(offset: Offset, parked: &Parked, record: Option<&Record>) -> Self {
        Self {
            offset,
            event_id: record.map(|record| record.id),
            event_type: record.map(|record| record.event_type.to_string()),
            reason: parked.reason.to_string(),
            attempt_count: parked.attempt_count,
            attempts: attempts(&parked.attempts),
        }
    }
}

fn attempts(attempts: &[Attempt]) -> Vec<AttemptJson> {
    attempts.iter().map(AttemptJson::from).collect()
}
