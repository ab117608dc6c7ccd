//! The door for changes: `POST /v1/changes` takes one change of a record, a JSON array of them, or
//! a line each, and puts the events they mean on the log.
//!
//! A request is one transaction: all events of all its changes are on stable storage when it is
//! answered, or none is. A single change with a fault refuses the request, unless the request says
//! `on_fault=skip`; the answer reports the faults of all changes at once. A change that means no
//! event is answered with the gate that stopped it. With `dry_run` nothing is stored.

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
use easel_catalog::Limits;
use easel_log::NewRecord;
use easel_triggers::{Change, ChangeFaults, ChangeOutcome, Series, Triggers};
use jiff::Timestamp;
use tracing::{error, instrument};
use utoipa::OpenApi;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};

use crate::Intake;
use crate::body::{Coding, Held, Shortage};
use crate::doors::Door;
use crate::intake::{Call, PART_BYTES, Parsed, Unparsed};
use crate::metrics;
use crate::native::{unknown_coding, unknown_type};
use crate::record::record;
use crate::request_framing::{FrameError, RequestFraming};
use crate::sent_body::keep_until_sent;
use query::Wishes;

/// The most faults and warnings reported of one request. Past it, each change has its first.
const MAX_NOTES: usize = 10_000;

/// How much larger than changes their events seldom are.
const USUAL_GROWTH: usize = 3;

/// What each value of a change takes in memory while the change is looked at, at most.
const VALUE_BYTES: usize = 128;

#[derive(Clone)]
struct ChangesDoor {
    intake: Arc<Intake>,
    gate: Authorizer,
    triggers: Arc<Triggers>,
}

pub(crate) fn routes(intake: Arc<Intake>, gate: Authorizer, triggers: Arc<Triggers>) -> Router {
    Router::new()
        .route("/v1/changes", post(take_changes))
        .with_state(ChangesDoor {
            intake,
            gate,
            triggers,
        })
}

/// Describes the door for changes.
#[derive(OpenApi)]
#[openapi(paths(take_changes))]
struct ChangesApi;

/// Describes the door for changes, and the changes that these triggers take.
pub(crate) fn document(triggers: &Triggers) -> utoipa::openapi::OpenApi {
    let mut document = ChangesApi::openapi();
    let schemas = &mut document.components.get_or_insert_default().schemas;
    for (name, schema) in triggers.schemas() {
        match serde_json::from_value::<RefOr<Schema>>(schema) {
            Ok(schema) => drop(schemas.insert(name, schema)),
            // The document is of use without it; a test says that none is left out.
            Err(error) => error!(%error, name, "schema not described"),
        }
    }
    let door = document.paths.paths.get_mut("/v1/changes");
    let body = door.and_then(|door| door.post.as_mut()?.request_body.as_mut());
    for (media_type, content) in body.into_iter().flat_map(|body| &mut body.content) {
        if media_type == "application/json" {
            content.schema = Some(Ref::from_schema_name("Changes").into());
        }
    }
    document
}

/// What each change of a request means, or all that is wrong with it.
type ChangeResults = Vec<Result<ChangeOutcome, ChangeFaults>>;

/// Why nothing of a request is taken.
enum ChangesRefusal {
    Frame(FrameError),
    /// The events would be larger together than a request may be.
    TooLarge {
        max: usize,
    },
}

/// Takes changes of records, and actions: one, an array of them, or a line each; plain, or
/// compressed with gzip or zstd. Puts the events they mean on the log, all or none. What the
/// catalogue does not expect of a change is a warning in the answer; a fault refuses the request.
#[utoipa::path(
    post,
    path = "/v1/changes",
    operation_id = "send_changes",
    tag = "events",
    params(
        ("on_fault" = Option<String>, Query, description = "`refuse` (default): a change with a fault refuses the request. `skip`: the others are stored, and each change is answered"),
        ("dry_run" = Option<bool>, Query, description = "Explain the changes, with the events they mean, and store nothing; answered with 200"),
    ),
    request_body(
        description = "`{\"record\", \"operation\", \"before\", \"after\", \"related\", \"context\"}` or `{\"action\", \"with\", \"related\", \"context\"}`; `occurred_at`, and `body` with further members where a body is not known whole",
        content((Object = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = ACCEPTED, body = answer::ChangesAnswerJson),
        (status = OK, body = answer::ChangesAnswerJson, description = "`dry_run`: nothing was stored"),
        (status = BAD_REQUEST, description = "`invalid_query`, `body_empty`, `body_broken`, `body_not_utf8` or `bad_array`; nothing was stored"),
        (status = UNAUTHORIZED, description = "`token_missing` or `token_unknown`"),
        (status = FORBIDDEN, description = "`scope_missing`: the token needs the scope `ingest`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`, `body_too_complex`, `too_many_events` or `events_too_large`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_type`, `unsupported_encoding` or `body_is_jwt`"),
        (status = UNPROCESSABLE_ENTITY, description = "`bad_change`, with the `faults` of all changes and their places, or with `on_fault=skip` what is wrong with each of the `changes`; nothing was stored"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; come back after `Retry-After`"),
    ),
)]
#[instrument(name = "changes_request", skip_all)]
async fn take_changes(
    State(ChangesDoor {
        intake,
        gate,
        triggers,
    }): State<ChangesDoor>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    gate.admit(&head, Scope::Ingest)?;
    let frame = RequestFraming::of(&head.headers).ok_or_else(unknown_type)?;
    let coding = Coding::of(&head.headers).ok_or_else(unknown_coding)?;

    let wishes = Wishes::of(&head.uri)?;

    let call = Arc::new(Changes {
        frame,
        limits: *intake.limits(),
        triggers,
        now: intake.now(),
        max_bytes: intake.max_request_bytes(),
        wishes,
    });
    let taken = intake.take(Door::Changes, (body, coding), call).await?;
    let (results, appended) = (taken.answer, taken.appended?);
    let faulty = results.iter().filter(|result| result.is_err()).count();
    if wishes.refuses(faulty) {
        metrics::changes("fault", faulty);
        return Err(refused(&results));
    }
    if wishes.is_dry_run {
        return Ok(keep_until_sent(taken.room, answer::explained(&results)));
    }
    metrics::changes("fault", faulty);
    if faulty > 0 && faulty == results.len() {
        return Err(refused(&results).with("changes", answer::each(&results)));
    }
    let outcomes = || results.iter().flatten();
    let silent = outcomes()
        .filter(|outcome| outcome.events.is_empty())
        .count();
    metrics::changes("no_event", silent);
    metrics::changes("events", outcomes().count() - silent);
    Ok(keep_until_sent(
        taken.room,
        answer::taken(&results, appended),
    ))
}

/// How the door for changes reads a body.
struct Changes {
    frame: RequestFraming,
    limits: Limits,
    triggers: Arc<Triggers>,
    now: Timestamp,
    /// The most bytes of the events of one request.
    max_bytes: usize,
    wishes: Wishes,
}

impl Changes {
    /// The events that are to be stored.
    fn events(&self, results: &ChangeResults) -> Vec<NewRecord> {
        let faulty = results.iter().filter(|result| result.is_err()).count();
        if self.wishes.is_dry_run || self.wishes.refuses(faulty) {
            return Vec::new();
        }
        let outcomes = results.iter().flatten();
        let mut records = Vec::new();
        for event in outcomes.flat_map(|outcome| &outcome.events) {
            let record = record(event.clone(), records.last());
            records.push(record);
        }
        records
    }
}

impl Call for Changes {
    type Answer = ChangeResults;
    type Refusal = ChangesRefusal;

    fn parse(&self, held: &mut Held) -> Result<Parsed<ChangeResults>, Unparsed<ChangesRefusal>> {
        let refused = |error| Unparsed::Refused(ChangesRefusal::Frame(error));
        let ranges = self
            .frame
            .parts(&held.bytes, &self.limits)
            .map_err(refused)?;
        let part = |range: Range<usize>| held.bytes.get(range).unwrap_or_default();
        let largest_tree = ranges.iter().map(|it| tree_bytes(part(it.clone()))).max();
        let needed = ranges.len() * PART_BYTES + largest_tree.unwrap_or_default();
        // What events take is known once they are made. Where they take more than there is room
        // for, which is rare, they are made again.
        let expected = std::cmp::min(USUAL_GROWTH * held.bytes.len(), self.max_bytes);
        held.make_room(needed + expected)?;
        let max_bytes = std::cmp::min(held.spare_bytes() - needed, self.max_bytes);

        let part = |range: Range<usize>| held.bytes.get(range).unwrap_or_default();
        let parts: Vec<&[u8]> = ranges.into_iter().map(part).collect();
        let results = match results(&parts, &self.triggers, self.now, max_bytes) {
            Err(ChangesRefusal::TooLarge { .. }) if max_bytes < self.max_bytes => {
                let bytes = held.bytes.capacity() + needed + self.max_bytes;
                return Err(Shortage { bytes }.into());
            }
            results => results.map_err(Unparsed::Refused)?,
        };
        Ok(Parsed {
            events: self.events(&results),
            misfits: Vec::new(),
            answer: results,
        })
    }
}

/// How much memory the JSON of one change takes once it is a tree, at most.
fn tree_bytes(change: &[u8]) -> usize {
    let begins_value = |byte: &&u8| matches!(**byte, b',' | b':' | b'[' | b'{');
    change.len() + change.iter().filter(begins_value).count() * VALUE_BYTES
}

/// What each change means, or what is wrong with it.
fn results(
    parts: &[&[u8]],
    triggers: &Triggers,
    now: Timestamp,
    max_bytes: usize,
) -> Result<ChangeResults, ChangesRefusal> {
    let mut series = Series::new(triggers, now);
    let mut results = Vec::with_capacity(parts.len());
    let (mut bytes, mut notes_left) = (0, MAX_NOTES);
    for part in parts {
        let mut result = Change::read(part).and_then(|change| series.events(&change));
        let note_count = match &mut result {
            Ok(outcome) => {
                let events = outcome.events.iter();
                bytes += events.map(|event| event.bytes.len()).sum::<usize>();
                outcome.warnings.truncate(std::cmp::max(notes_left, 1));
                outcome.warnings.len()
            }
            Err(faults) => {
                faults.truncate(std::cmp::max(notes_left, 1));
                faults.as_slice().len()
            }
        };
        if bytes > max_bytes {
            return Err(ChangesRefusal::TooLarge { max: max_bytes });
        }
        notes_left = notes_left.saturating_sub(note_count);
        results.push(result);
    }
    Ok(results)
}

/// That nothing was stored, for the faults of these changes.
fn refused(results: &ChangeResults) -> Problem {
    let faulty = results.iter().filter(|result| result.is_err()).count();
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad_change",
        "A change has a fault; nothing was stored.",
    )
    .with("fault_count", answer::fault_count(results))
    .with("faulty_change_count", faulty)
    .with("faults", answer::faults(results))
}

impl From<ChangesRefusal> for Problem {
    fn from(refused: ChangesRefusal) -> Self {
        match refused {
            ChangesRefusal::Frame(error) => error.into(),
            ChangesRefusal::TooLarge { max } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "events_too_large",
                "The events that these changes mean are too large together; send fewer at once.",
            )
            .with("max_bytes", max),
        }
    }
}
