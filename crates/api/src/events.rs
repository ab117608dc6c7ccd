//! `/v1/events`: the accepted events, by offset, time or id.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use easel_access::Caller;
use easel_audit::{AuditNote, ShownEvents};
use easel_catalog::Reach;
use easel_log::{Found, Offset, ReadError, Reader, Record, SharedLog, Want};
use easel_subscriptions::EventGlob;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Api;
use crate::api_error::ApiError;
use crate::request::{Path, Query};

/// The maximum number of events in one answer.
const MAX_LIMIT: usize = 1000;
/// The default number of events in one answer.
const DEFAULT_LIMIT: usize = 100;

/// An answer is full after this many bytes of events, independent of its limit.
const MAX_BYTES: usize = 4 << 20;

/// The maximum number of blocks that are searched for one answer when few events match.
const MAX_BLOCKS: usize = 256;

/// The maximum number of skipped runs of blocks without a match, for one answer.
const MAX_RUNS: usize = 16;

/// The maximum time of a long poll.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// An accepted event.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventJson {
    /// The place of the event on the log.
    #[schema(value_type = u64)]
    pub(crate) offset: Offset,
    /// The id of the event, the same at every door, delivery and replay.
    #[schema(value_type = String, example = "0b7f3c4e-9d1a-4c55-8e21-6f0a9b3d2c11")]
    id: Uuid,
    /// The event type. A Canvas event also has it as `event_name`. An event that came in as a Caliper
    /// envelope does not.
    #[schema(value_type = String, example = "grade_change")]
    event_type: Arc<str>,
    /// When the event was stored.
    #[schema(value_type = String, format = DateTime)]
    appended_at: Timestamp,
    /// The event itself, as it is stored: an object with `metadata` and `body`, or a Caliper envelope.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
}

/// A page of events, in order.
#[derive(Serialize, ToSchema)]
#[schema(as = EventList)]
pub(crate) struct EventListJson {
    pub(crate) events: Vec<EventJson>,
    /// The value for `from` in the next request.
    #[schema(value_type = u64)]
    pub(crate) next: Offset,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventQuery {
    /// An offset, or `latest` for future events only. The default is the oldest event on the log.
    #[param(pattern = "^(latest|[0-9]{1,19})$")]
    from: Option<String>,
    /// Begin with the first event that was stored at this time or later. Not together with `from`.
    #[param(format = DateTime)]
    time: Option<String>,
    /// The maximum number of events: 1 to 1,000. The default is 100. A page of large events has fewer.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// How many seconds to wait if there is no event yet: at most 60.
    #[param(pattern = "^([0-9]|[1-5][0-9]|60)s?$")]
    wait: Option<String>,
    /// Only event types that this pattern matches, such as `grade_*`. Operator events match only a
    /// pattern that begins with `easel.`.
    #[param(min_length = 1, max_length = 128)]
    event: Option<String>,
}

/// Reads events in order, from an offset or a time.
#[utoipa::path(get, path = "/v1/events", operation_id = "list_events", tag = "events", params(EventQuery), responses((status = OK, body = EventListJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<EventQuery>,
) -> Result<(Extension<AuditNote>, Json<EventListJson>), ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` must be 1 to {MAX_LIMIT}, not {limit}.");
        return Err(ApiError::invalid("invalid_range", detail));
    }
    let glob = parse_glob(query.event.as_deref())?;
    let wait = parse_wait(query.wait.as_deref())?;
    let deadline = Instant::now() + wait;
    let from = start_offset(&api.log, query.from.as_deref(), query.time.as_deref()).await?;
    let mut reader = reader(&api.log, from, &glob);
    let is_shown = |record: &Record| api.shows(&caller, record);
    loop {
        let page = EventListJson::read(&mut reader, limit, &glob, is_shown).await?;
        if !page.events.is_empty() || Instant::now() >= deadline {
            return Ok(page.answer());
        }
        tokio::select! {
            biased;
            () = api.wait_for_end(&caller) => return Ok(page.answer()),
            // After a new event and after the timeout, the loop reads again.
            waited = timeout_at(deadline, reader.wait()) => if waited == Ok(false) {
                return Ok(page.answer()); // the log is closed
            },
        }
    }
}

/// Finds one event by its id.
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "show_event", tag = "events", params(("id" = String, Path)), responses((status = OK, body = EventJson), (status = NOT_FOUND, description = "`no_such_event`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(Extension<AuditNote>, Json<EventJson>), ApiError> {
    let found = match id.parse() {
        Ok(id) => find(&api, &caller, id).await?,
        Err(_not_an_id) => None,
    };
    let event = found.as_ref().and_then(event_json);
    let missing = || ApiError::not_found("no_such_event", format!("The log has no event {id}."));
    let event = event.ok_or_else(missing)?;
    let shown = ShownEvents::of_offsets([event.offset.get()]);
    Ok((Extension(AuditNote::of_shown(shown)), Json(event)))
}

/// Finds an event that the caller may see.
///
/// The log reads all ids until it finds this one. So a confined caller could tell an event of another root
/// account, which is found early, from one that does not exist. For such a caller, an id that cannot exist is
/// searched at the same time: both answers take as long as reading all ids.
async fn find(api: &Api, caller: &Caller, id: Uuid) -> Result<Option<Record>, ReadError> {
    let found = match caller.reach {
        Reach::Everything => api.log.find_id(id).await?,
        Reach::RootAccount(_) => {
            let (found, nothing) = tokio::join!(api.log.find_id(id), api.log.find_id(Uuid::max()));
            nothing?;
            found?
        }
    };
    Ok(found.filter(|record| api.shows(caller, record)))
}

impl EventListJson {
    /// Reads up to `limit` matching events that the caller may see, and fewer if they are large. When few events match, the
    /// page can be empty although there are later events. The next page continues at `next`. Each
    /// record is converted immediately, because a record keeps its block in memory. If a read fails
    /// after some events were found, this call returns them, and the next call returns the error.
    pub(crate) async fn read(
        reader: &mut Reader,
        limit: usize,
        glob: &EventGlob,
        is_shown: impl Fn(&Record) -> bool + Send,
    ) -> Result<Self, ReadError> {
        let mut events = Vec::new();
        let mut byte_count = 0;
        let matches = glob.matcher();
        let mut run_count = 0;
        'full: for _ in 0..MAX_BLOCKS {
            if run_count == MAX_RUNS {
                break;
            }
            let (block, from) = match reader.try_next().await {
                Ok(Some(Found::Block { block, from })) => (block, from),
                Ok(Some(Found::Skipped(_))) => {
                    run_count += 1;
                    continue;
                }
                Ok(Some(Found::Trimmed(_) | Found::Damaged(_))) => continue,
                Ok(None) => break,
                Err(error) if events.is_empty() => return Err(error),
                Err(_reported_next_time) => break,
            };
            for record in block.records_from(from) {
                if events.len() == limit || byte_count >= MAX_BYTES {
                    reader.seek(record.offset);
                    break 'full;
                }
                if matches(&record.event_type) && is_shown(&record) {
                    byte_count += record.bytes.len();
                    events.extend(event_json(&record));
                }
            }
        }
        let next = reader.position();
        Ok(Self { events, next })
    }

    /// Returns the answer, with a note of the events that it shows.
    fn answer(self) -> (Extension<AuditNote>, Json<Self>) {
        let offsets = self.events.iter().map(|event| event.offset.get());
        let note = AuditNote::of_shown(ShownEvents::of_offsets(offsets));
        (Extension(note), Json(self))
    }
}

/// Returns a reader of the matching events.
pub(crate) fn reader(log: &SharedLog, from: Offset, glob: &EventGlob) -> Reader {
    Reader::new(Arc::clone(log), from).wanting(Want::event_types(glob.matcher()))
}

/// Converts a record to its answer; `None` only if the log has bytes that are not JSON.
fn event_json(record: &Record) -> Option<EventJson> {
    Some(EventJson {
        offset: record.offset,
        id: record.id,
        event_type: Arc::clone(&record.event_type),
        appended_at: record.appended_at,
        event: serde_json::from_slice(&record.bytes).ok()?,
    })
}

/// Returns the offset at which a request begins.
pub(crate) async fn start_offset(
    log: &SharedLog,
    from: Option<&str>,
    time: Option<&str>,
) -> Result<Offset, ApiError> {
    let invalid = |detail| ApiError::invalid("invalid_range", detail);
    let bounds = *log.bounds().borrow();
    match (from, time) {
        (Some(_), Some(_)) => Err(invalid(
            "`from` and `time` must not be combined.".to_owned(),
        )),
        (None, None) => Ok(bounds.tail),
        (Some("latest"), None) => Ok(bounds.head),
        (Some(from), None) => match from.parse() {
            Ok(number) => Ok(Offset::new(number)),
            Err(_) => Err(invalid(format!(
                "`from` must be an offset or `latest`, not {from:?}."
            ))),
        },
        (None, Some(time)) => match time.parse() {
            Ok(time) => Ok(log.find_time(time).await?),
            Err(_) => Err(invalid(format!(
                "`time` must be a time such as 2026-11-22T00:00:00Z, not {time:?}."
            ))),
        },
    }
}

pub(crate) fn parse_glob(event: Option<&str>) -> Result<EventGlob, ApiError> {
    event
        .unwrap_or("*")
        .parse()
        .map_err(|fault| ApiError::invalid("invalid_range", format!("`event`: {fault}.")))
}

fn parse_wait(wait: Option<&str>) -> Result<Duration, ApiError> {
    let Some(text) = wait else {
        return Ok(Duration::ZERO);
    };
    match text.strip_suffix('s').unwrap_or(text).parse() {
        Ok(seconds) if seconds <= MAX_WAIT.as_secs() => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::invalid(
            "invalid_range",
            format!(
                "`wait` must be a number of seconds up to {}, not {text:?}.",
                MAX_WAIT.as_secs()
            ),
        )),
    }
}
