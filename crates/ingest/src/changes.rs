//! The door for changes: `POST /v1/changes` takes one change of a record, a JSON array of them, or
//! a line each, and puts the events they mean on the log.
//!
//! A request is one transaction: all events of all its changes are on stable storage when it is
//! answered, or none is. So a single change with a fault refuses the request, and the answer counts
//! those that have one, and tells of the first hundred. A change that means no event is answered with the gate that stopped it.

mod answer;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use easel_access::{Gate, Problem, Scope};
use easel_triggers::{Change, ChangeFault, Outcome, Triggers};
use jiff::Timestamp;
use tracing::instrument;
use utoipa::OpenApi;
use uuid::Uuid;

use crate::Intake;
use crate::body::{Coding, Held};
use crate::doors::Door;
use crate::frame::{Frame, FrameError};
use crate::metrics;
use crate::native::{unknown_coding, unknown_type};
use crate::work::on_cpu;

/// The most faults that are told of one request.
const MAX_FAULTS: usize = 100;

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
    operation_id = "send_changes",
    tag = "events",
    request_body(
        description = "`{\"record\", \"operation\", \"before\", \"after\", \"related\", \"context\"}` or `{\"action\", \"with\", \"related\", \"context\"}`; `occurred_at`, and `body` with further members where a body is not known whole",
        content((Object = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = ACCEPTED, body = answer::AnswerJson),
        (status = BAD_REQUEST, description = "`body_empty`, `body_broken` or `bad_array`; nothing was stored"),
        (status = UNAUTHORIZED, description = "`token_missing` or `token_unknown`"),
        (status = FORBIDDEN, description = "`scope_missing`: the token needs the scope `ingest`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`, `too_many_events` or `events_too_large`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_type` or `unsupported_encoding`"),
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

    let Held { bytes, room } = intake.receive(body, coding).await?;
    let (limits, now) = (*intake.limits(), intake.now());
    let max = intake.max_request_bytes();
    let size = bytes.len();
    let decide = move || {
        let parts = frame.parts(&bytes, &limits).map_err(Refused::Frame)?;
        outcomes(&parts, &triggers, now, max)
    };
    // The room goes along, so that it stays taken for as long as the bytes are in memory.
    let (outcomes, room) = on_cpu(size, move || (decide(), room)).await;
    let outcomes = outcomes?;
    let events = outcomes.iter().flat_map(|it| it.events.iter().cloned());
    let appended = intake.append(Door::Changes, events).await?;
    drop(room);
    let silent = outcomes.iter().filter(|it| it.events.is_empty()).count();
    metrics::changes("no_event", silent);
    metrics::changes("events", outcomes.len() - silent);
    Ok(answer::taken(&outcomes, appended))
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
