//! The door for changes: `POST /v1/changes` takes one change of a record, a JSON array of them, or
//! a line each, and puts the events they mean on the log.
//!
//! A request is one transaction: all events of all its changes are on stable storage when it is
//! answered, or none is. So a single change with a fault refuses the request, and the answer counts
//! those that have one, and tells of the first hundred. A change that means no event is answered with the gate that stopped it.

mod answer;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use easel_access::{Gate, Problem, Scope};
use easel_catalog::Limits;
use easel_triggers::{Change, ChangeFault, Outcome, Triggers};
use jiff::Timestamp;
use tracing::instrument;
use utoipa::OpenApi;
use uuid::Uuid;

use crate::Intake;
use crate::body::{Coding, Held, Shortage};
use crate::doors::Door;
use crate::frame::{Frame, FrameError};
use crate::intake::{Call, PART_BYTES, Parsed, Unparsed, record};
use crate::metrics;
use crate::native::{unknown_coding, unknown_type};
use crate::sent::keep_until_sent;

/// The most faults that are told of one request.
const MAX_FAULTS: usize = 100;

/// How much larger than changes their events seldom are.
const USUAL_GROWTH: usize = 3;

/// What each value of a change takes in memory while the change is looked at, at most.
const VALUE_BYTES: usize = 128;

#[derive(Clone)]
struct Shared {
    intake: Arc<Intake>,
    gate: Gate,
    triggers: Arc<Triggers>,
}

pub(crate) fn routes(intake: Arc<Intake>, gate: Gate, triggers: Arc<Triggers>) -> Router {
    Router::new()
        .route("/v1/changes", post(take_changes))
        .with_state(Shared {
            intake,
            gate,
            triggers,
        })
}

/// Describes the door for changes.
#[derive(OpenApi)]
#[openapi(paths(take_changes))]
pub(crate) struct Document;

/// Why nothing of a request is taken.
enum Refused {
    Frame(FrameError),
    /// Changes with faults, the first hundred of them, by their number in the request from 0.
    Faults {
        count: usize,
        first: Vec<(usize, ChangeFault)>,
    },
    /// The events would be larger together than a request may be.
    TooLarge {
        max: usize,
    },
}

/// Takes changes of records, and actions: one, an array of them, or a line each; plain, or
/// compressed with gzip or zstd. Puts the events they mean on the log, all or none.
#[utoipa::path(
    post,
    path = "/v1/changes",
    tag = "events",
    request_body(
        description = "`{\"record\", \"operation\", \"before\", \"after\", \"related\", \"context\"}` or `{\"action\", \"with\", \"related\", \"context\"}`; `occurred_at`, and `body` with further members where a body is not known whole",
        content((Object = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = ACCEPTED, body = answer::AnswerJson),
        (status = BAD_REQUEST, description = "`body_empty`, `body_broken`, `body_not_utf8` or `bad_array`; nothing was stored"),
        (status = UNAUTHORIZED, description = "`token_missing` or `token_unknown`"),
        (status = FORBIDDEN, description = "`scope_missing`: the token needs the scope `ingest`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`, `body_too_complex`, `too_many_events` or `events_too_large`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_type`, `unsupported_encoding` or `body_is_jwt`"),
        (status = UNPROCESSABLE_ENTITY, description = "`bad_change`, with the `faults` and their places; nothing was stored"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; come back after `Retry-After`"),
    ),
)]
#[instrument(name = "changes_request", skip_all)]
async fn take_changes(
    State(Shared {
        intake,
        gate,
        triggers,
    }): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    gate.admit(&head.headers, Scope::Ingest)?;
    let frame = Frame::of(&head.headers).ok_or_else(unknown_type)?;
    let coding = Coding::of(&head.headers).ok_or_else(unknown_coding)?;

    let call = Arc::new(Changes {
        frame,
        limits: *intake.limits(),
        triggers,
        now: intake.now(),
        max_bytes: intake.max_request_bytes(),
    });
    let taken = intake.take(Door::Changes, (body, coding), call).await?;
    let (outcomes, appended) = (taken.answer, taken.appended?);
    let silent = outcomes.iter().filter(|it| it.events.is_empty()).count();
    metrics::changes("no_event", silent);
    metrics::changes("events", outcomes.len() - silent);
    Ok(keep_until_sent(
        taken.room,
        answer::taken(&outcomes, appended),
    ))
}

/// How the door for changes reads a body.
struct Changes {
    frame: Frame,
    limits: Limits,
    triggers: Arc<Triggers>,
    now: Timestamp,
    /// The most bytes of the events of one request.
    max_bytes: usize,
}

impl Call for Changes {
    type Answer = Vec<Outcome>;
    type Refusal = Refused;

    fn parse(&self, held: &mut Held) -> Result<Parsed<Vec<Outcome>>, Unparsed<Refused>> {
        let refused = |error| Unparsed::Refused(Refused::Frame(error));
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
        let outcomes = match outcomes(&parts, &self.triggers, self.now, max_bytes) {
            Err(Refused::TooLarge { .. }) if max_bytes < self.max_bytes => {
                let bytes = held.bytes.capacity() + needed + self.max_bytes;
                return Err(Shortage { bytes }.into());
            }
            outcomes => outcomes.map_err(Unparsed::Refused)?,
        };
        let events = outcomes.iter().flat_map(|it| it.events.iter().cloned());
        Ok(Parsed {
            events: events.map(record).collect(),
            misfits: Vec::new(),
            answer: outcomes,
        })
    }
}

/// How much memory the JSON of one change takes once it is a tree, at most.
fn tree_bytes(change: &[u8]) -> usize {
    let begins_value = |byte: &&u8| matches!(**byte, b',' | b':' | b'[' | b'{');
    change.len() + change.iter().filter(begins_value).count() * VALUE_BYTES
}

/// What each change means, or what is wrong.
fn outcomes(
    parts: &[&[u8]],
    triggers: &Triggers,
    mut now: Timestamp,
    max_bytes: usize,
) -> Result<Vec<Outcome>, Refused> {
    let mut outcomes = Vec::with_capacity(parts.len());
    let mut faults = Vec::new();
    let (mut fault_count, mut bytes) = (0, 0);
    let mut seen = Seen::default();
    for (number, part) in parts.iter().enumerate() {
        match outcome(part, triggers, &mut now, &mut seen) {
            Ok(outcome) if fault_count == 0 => {
                bytes += outcome
                    .events
                    .iter()
                    .map(|it| it.bytes.len())
                    .sum::<usize>();
                if bytes > max_bytes {
                    return Err(Refused::TooLarge { max: max_bytes });
                }
                outcomes.push(outcome);
            }
            Ok(_) => (),
            Err(fault) => {
                fault_count += 1;
                if faults.len() < MAX_FAULTS {
                    faults.push((number, fault));
                }
            }
        }
    }
    if fault_count > 0 {
        metrics::changes("fault", fault_count);
        return Err(Refused::Faults {
            count: fault_count,
            first: faults,
        });
    }
    Ok(outcomes)
}

/// The events of a request so far.
#[derive(Default)]
struct Seen {
    ids: HashSet<Uuid>,
    latest: Timestamp,
}

/// What a change means. An event that would be the same as one of this request before it, but for its
/// place in it, is sent later, so that it is not taken for a repetition of that.
fn outcome(
    part: &[u8],
    triggers: &Triggers,
    now: &mut Timestamp,
    seen: &mut Seen,
) -> Result<Outcome, ChangeFault> {
    let change = Change::read(part)?;
    let mut outcome = triggers.events(&change, *now)?;
    let is_seen = outcome.events.iter().any(|it| seen.ids.contains(&it.id));
    if change.occurred_at.is_none() && is_seen {
        // Nothing of this request is later than that.
        *now = std::cmp::max(*now, seen.latest) + Duration::from_millis(1);
        outcome = triggers.events(&change, *now)?;
    }
    for event in &outcome.events {
        seen.ids.insert(event.id);
        seen.latest = std::cmp::max(seen.latest, event.occurred_at);
    }
    Ok(outcome)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Frame(error) => error.into(),
            Refused::Faults { count, first } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_change",
                "A change has a fault; nothing was stored.",
            )
            .with("fault_count", count)
            .with("faults", answer::faults(first)),
            Refused::TooLarge { max } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "events_too_large",
                "The events that these changes mean are too large together; send fewer at once.",
            )
            .with("max_bytes", max),
        }
    }
}
