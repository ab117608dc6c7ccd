//! The door for changes: `POST /v1/changes` accepts one change, a JSON array of changes, or one change
//! per line, and appends their events to the log.
//!
//! A request is one transaction: at the answer, all events of all changes are on stable storage, or no
//! event is. One change with a fault rejects the request, unless the request has `on_fault=skip`. The
//! answer reports the faults of all changes. If no event follows from a change, the answer names the
//! gate that stopped it. With `dry_run`, nothing is stored.

mod answer;
mod query;

use std::ops::Range;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use easel_access::{Authorizer, Problem, Scope};
use easel_catalog::{Limits, Reach};
use easel_log::NewRecord;
use easel_triggers::{Change, ChangeFault, ChangeFaults, ChangeOutcome, Series, Triggers};
use jiff::Timestamp;
use tracing::{error, instrument};
use utoipa::OpenApi;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};

use crate::Intake;
use crate::body::{BufferedBody, Coding, Shortage};
use crate::door::Door;
use crate::intake::{BodyParser, PART_BYTES, ParseError, Parsed};
use crate::metrics;
use crate::native::{unknown_coding, unknown_type};
use crate::record::to_record;
use crate::request_framing::{FrameError, RequestFraming};
use crate::sent_body::keep_until_sent;
use query::ChangesOptions;

/// The most faults and warnings that are reported for one request. After that, only the first fault
/// or warning of each change is reported.
const MAX_NOTES: usize = 10_000;

/// Events are rarely larger than their changes times this factor.
const USUAL_GROWTH: usize = 3;

/// The most memory of one value of a parsed change, in bytes.
const VALUE_BYTES: usize = 128;

#[derive(Clone)]
struct ChangesDoor {
    intake: Arc<Intake>,
    authorizer: Authorizer,
    triggers: Arc<Triggers>,
}

pub(crate) fn routes(
    intake: Arc<Intake>,
    authorizer: Authorizer,
    triggers: Arc<Triggers>,
) -> Router {
    Router::new()
        .route("/v1/changes", post(take_changes))
        .with_state(ChangesDoor {
            intake,
            authorizer,
            triggers,
        })
}

/// Describes the door for changes.
#[derive(OpenApi)]
#[openapi(paths(take_changes))]
struct ChangesApi;

/// Returns the OpenAPI document of the door, with the schemas of the changes that `triggers` accept.
pub(crate) fn document(triggers: &Triggers) -> utoipa::openapi::OpenApi {
    let mut document = ChangesApi::openapi();
    let schemas = &mut document.components.get_or_insert_default().schemas;
    for (name, schema) in triggers.schemas() {
        match serde_json::from_value::<RefOr<Schema>>(schema) {
            Ok(schema) => drop(schemas.insert(name, schema)),
            // The document is useful without this schema. A test checks that no schema is left out.
            Err(error) => error!(%error, name, "schema left out of the OpenAPI document"),
        }
    }
    let path_item = document.paths.paths.get_mut("/v1/changes");
    let body = path_item.and_then(|item| item.post.as_mut()?.request_body.as_mut());
    for (media_type, content) in body.into_iter().flat_map(|body| &mut body.content) {
        if media_type == "application/json" {
            content.schema = Some(Ref::from_schema_name("Changes").into());
        }
    }
    document
}

/// The outcome or the faults of each change of a request.
type ChangeResults = Vec<Result<ChangeOutcome, ChangeFaults>>;

/// An error that rejects the whole request.
enum ChangesRefusal {
    Frame(FrameError),
    /// The events together are larger than the limit for a request.
    TooLarge {
        max: usize,
    },
}

/// Accepts changes of records and actions: one, an array, or one per line. The body can be compressed
/// with gzip or zstd. Appends their events to the log, all or none. A value that the catalogue does
/// not expect is a warning in the answer. A fault rejects the request.
#[utoipa::path(
    post,
    path = "/v1/changes",
    operation_id = "send_changes",
    tag = "events",
    params(
        ("on_fault" = Option<String>, Query, description = "`refuse` (default): a change with a fault rejects the request. `skip`: changes with a fault are skipped, and the answer has the faults of each"),
        ("dry_run" = Option<bool>, Query, description = "Returns the events of the changes and stores nothing. The status is 200"),
    ),
    request_body(
        description = "`{\"record\", \"operation\", \"before\", \"after\", \"related\", \"context\"}` or `{\"action\", \"with\", \"related\", \"context\"}`. Optional: `occurred_at`, and `body` with extra members for event types whose body is only partly known",
        content((Object = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = ACCEPTED, body = answer::ChangesAnswerJson),
        (status = OK, body = answer::ChangesAnswerJson, description = "`dry_run`: nothing was stored"),
        (status = BAD_REQUEST, description = "`invalid_query`, `body_empty`, `body_broken`, `body_not_utf8` or `bad_array`; nothing was stored"),
        (status = UNAUTHORIZED, description = "`token_missing`, `token_unknown`, `token_expired` or `token_invalid`"),
        (status = FORBIDDEN, description = "`scope_missing`: the token needs the scope `ingest`; or `reach_missing`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`, `body_too_complex`, `too_many_events` or `events_too_large`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_type`, `unsupported_encoding` or `body_is_jwt`"),
        (status = UNPROCESSABLE_ENTITY, description = "`bad_change`, with the `faults` of all changes and their places. With `on_fault=skip`: every change has a fault; `changes` has the faults of each. Nothing was stored"),
        (status = TOO_MANY_REQUESTS, description = "`rate_limited`; nothing was stored; retry after `Retry-After`"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; retry after `Retry-After`"),
    ),
)]
#[instrument(name = "changes_request", skip_all)]
async fn take_changes(
    State(ChangesDoor {
        intake,
        authorizer,
        triggers,
    }): State<ChangesDoor>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let caller = authorizer.authorize(&head, Scope::Ingest).await?;
    let body = caller.metered(body);
    let framing = RequestFraming::from_headers(&head.headers).ok_or_else(unknown_type)?;
    let coding = Coding::from_headers(&head.headers).ok_or_else(unknown_coding)?;

    let options = ChangesOptions::from_uri(&head.uri)?;

    let parser = Arc::new(ChangesParser {
        framing,
        limits: *intake.limits(),
        triggers,
        reach: caller.reach,
        now: intake.now(),
        max_bytes: intake.max_request_bytes(),
        options,
    });
    let taken = intake.take(Door::Changes, (body, coding), parser).await?;
    let (results, appended) = (taken.answer, taken.appended?);
    let faulty_count = results.iter().filter(|result| result.is_err()).count();
    if options.refuses(faulty_count) {
        metrics::changes("fault", faulty_count);
        return Err(refused(&results));
    }
    if options.is_dry_run {
        return Ok(keep_until_sent(taken.room, answer::dry_run(&results)));
    }
    metrics::changes("fault", faulty_count);
    if faulty_count > 0 && faulty_count == results.len() {
        return Err(refused(&results).with("changes", answer::changes(&results)));
    }
    let outcomes = || results.iter().flatten();
    let without_events = outcomes()
        .filter(|outcome| outcome.events.is_empty())
        .count();
    metrics::changes("no_event", without_events);
    metrics::changes("events", outcomes().count() - without_events);
    Ok(keep_until_sent(
        taken.room,
        answer::stored(&results, appended),
    ))
}

/// Parses the body of a request with changes.
struct ChangesParser {
    framing: RequestFraming,
    limits: Limits,
    triggers: Arc<Triggers>,
    /// What the sender may send.
    reach: Reach,
    now: Timestamp,
    /// The most bytes of all events of one request.
    max_bytes: usize,
    options: ChangesOptions,
}

impl ChangesParser {
    /// Returns the events to store.
    fn events(&self, results: &ChangeResults) -> Vec<NewRecord> {
        let faulty_count = results.iter().filter(|result| result.is_err()).count();
        if self.options.is_dry_run || self.options.refuses(faulty_count) {
            return Vec::new();
        }
        let outcomes = results.iter().flatten();
        let mut records = Vec::new();
        for event in outcomes.flat_map(|outcome| &outcome.events) {
            let record = to_record(event.clone(), records.last());
            records.push(record);
        }
        records
    }

    /// Returns the outcome or the faults of each change.
    fn results(&self, parts: &[&[u8]], max_bytes: usize) -> Result<ChangeResults, ChangesRefusal> {
        let mut series = Series::new(&self.triggers, self.now);
        let mut results = Vec::with_capacity(parts.len());
        let (mut event_bytes, mut notes_left) = (0, MAX_NOTES);
        for part in parts {
            let made = Change::read(part).and_then(|change| series.events(&change));
            let mut result = made.and_then(|outcome| self.confine(outcome));
            let note_count = match &mut result {
                Ok(outcome) => {
                    let events = outcome.events.iter();
                    event_bytes += events.map(|event| event.bytes.len()).sum::<usize>();
                    outcome.warnings.truncate(std::cmp::max(notes_left, 1));
                    outcome.warnings.len()
                }
                Err(faults) => {
                    faults.truncate(std::cmp::max(notes_left, 1));
                    faults.as_slice().len()
                }
            };
            if event_bytes > max_bytes {
                return Err(ChangesRefusal::TooLarge { max: max_bytes });
            }
            notes_left = notes_left.saturating_sub(note_count);
            results.push(result);
        }
        Ok(results)
    }

    /// Confines the events of a change to the root account of the sender.
    fn confine(&self, mut outcome: ChangeOutcome) -> Result<ChangeOutcome, ChangeFaults> {
        for event in &mut outcome.events {
            let sent = event.bytes.clone();
            *event = event.clone().confine(&self.reach, &sent).map_err(|fault| {
                // The change has the root account under a name of its own row, so no value can be named.
                let at = String::new();
                let what = format!("event {}: {}", event.event_type, fault.message());
                ChangeFaults::from(ChangeFault { at, what })
            })?;
        }
        Ok(outcome)
    }
}

impl BodyParser for ChangesParser {
    type Answer = ChangeResults;
    type Refusal = ChangesRefusal;

    fn parse(
        &self,
        buffered: &mut BufferedBody,
    ) -> Result<Parsed<ChangeResults>, ParseError<ChangesRefusal>> {
        let refused = |error| ParseError::Refused(ChangesRefusal::Frame(error));
        let ranges = self
            .framing
            .parts(&buffered.bytes, &self.limits)
            .map_err(refused)?;
        let part = |range: Range<usize>| buffered.bytes.get(range).unwrap_or_default();
        let trees = ranges.iter().map(|range| tree_bytes(part(range.clone())));
        let parse_bytes = ranges.len() * PART_BYTES + trees.max().unwrap_or_default();
        // The size of the events is known only after they are made. If they need more room than there
        // is, which is rare, they are made again.
        let expected_bytes = std::cmp::min(USUAL_GROWTH * buffered.bytes.len(), self.max_bytes);
        buffered.make_room(parse_bytes + expected_bytes)?;
        let max_bytes = std::cmp::min(buffered.spare_bytes() - parse_bytes, self.max_bytes);

        let part = |range: Range<usize>| buffered.bytes.get(range).unwrap_or_default();
        let parts: Vec<&[u8]> = ranges.into_iter().map(part).collect();
        let results = match self.results(&parts, max_bytes) {
            Err(ChangesRefusal::TooLarge { .. }) if max_bytes < self.max_bytes => {
                let bytes = buffered.bytes.capacity() + parse_bytes + self.max_bytes;
                return Err(Shortage { bytes }.into());
            }
            results => results.map_err(ParseError::Refused)?,
        };
        Ok(Parsed {
            events: self.events(&results),
            invalid_records: Vec::new(),
            answer: results,
        })
    }
}

/// Returns the most memory that the JSON of one change takes as a tree.
fn tree_bytes(change: &[u8]) -> usize {
    let begins_value = |byte: &&u8| matches!(**byte, b',' | b':' | b'[' | b'{');
    change.len() + change.iter().filter(begins_value).count() * VALUE_BYTES
}

/// Returns the problem of a request that is rejected because of the faults of its changes.
fn refused(results: &ChangeResults) -> Problem {
    let faulty_count = results.iter().filter(|result| result.is_err()).count();
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad_change",
        "A change has a fault; nothing was stored.",
    )
    .with("fault_count", answer::fault_count(results))
    .with("faulty_change_count", faulty_count)
    .with("faults", answer::faults(results))
}

impl From<ChangesRefusal> for Problem {
    fn from(refused: ChangesRefusal) -> Self {
        match refused {
            ChangesRefusal::Frame(error) => error.into(),
            ChangesRefusal::TooLarge { max } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "events_too_large",
                "The events of these changes are too large together; send fewer changes in one \
                 request.",
            )
            .with("max_bytes", max),
        }
    }
}
