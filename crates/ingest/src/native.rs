//! The native door: `POST /v1/events` takes one event, a JSON array of events, or a line each.
//!
//! The answer is 202 with a result per event, in order, once what was accepted is on stable
//! storage. An event that is not admitted is answered with its fault and kept nowhere; the
//! others of its request are not affected. A request of which no event is admitted is answered
//! with 422 and the same results. A request whose frame is broken is a problem as a
//! whole, and nothing of it is stored; so is one that finds no room or no log: sending it again
//! does no harm, since what was stored after all is then a duplicate.

mod answer;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use easel_access::{Authorizer, Problem, Scope};
use easel_catalog::{Fault, Limits};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::instrument;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::Intake;
use crate::body::{BodyError, Coding, Held};
use crate::doors::Door;
use crate::intake::{Call, NotStored, PART_BYTES, Parsed, Unparsed, Untaken};
use crate::request_framing::{Admitted, FrameError, RequestFraming};
use crate::sent_body::keep_until_sent;

/// When to come back after there was no room.
const SOON: Duration = Duration::from_secs(2);
/// When to come back after the log failed, which takes an operator.
const LATER: Duration = Duration::from_secs(30);

pub(crate) fn routes(intake: Arc<Intake>, gate: Authorizer) -> Router {
    Router::new()
        .route("/v1/events", post(take_events))
        .with_state((intake, gate))
}

/// Describes the native door.
#[derive(OpenApi)]
#[openapi(paths(take_events))]
pub(crate) struct NativeApi;

/// An event, or an array of them.
#[derive(Serialize, ToSchema)]
#[schema(as = Events)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum EventsJson {
    One(HashMap<String, Value>),
    Many(Vec<HashMap<String, Value>>),
}

/// Takes events: one, an array of them, or a line each; plain, or compressed with gzip or zstd.
#[utoipa::path(
    post,
    path = "/v1/events",
    operation_id = "send_events",
    tag = "events",
    request_body(
        description = "`metadata` may be called `attributes`",
        content((EventsJson = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = ACCEPTED, body = answer::EventsAnswerJson<'_>),
        (status = BAD_REQUEST, description = "`body_empty`, `body_broken`, `body_not_utf8` or `bad_array`; nothing was stored"),
        (status = UNAUTHORIZED, description = "`token_missing` or `token_unknown`"),
        (status = FORBIDDEN, description = "`scope_missing`: the token needs the scope `ingest`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`, `body_too_complex` or `too_many_events`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_type`, `unsupported_encoding`, or `body_is_jwt`: JWTs are for the route `/v1/hooks` of a later version"),
        (status = UNPROCESSABLE_ENTITY, body = answer::NothingStoredJson<'_>, content_type = "application/problem+json", description = "`nothing_stored`: every event was rejected; with the `results`"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; come back after `Retry-After`"),
    ),
)]
#[instrument(name = "native_request", skip_all)]
async fn take_events(
    State((intake, gate)): State<(Arc<Intake>, Authorizer)>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    gate.admit(&head, Scope::Ingest)?;
    let frame = RequestFraming::of(&head.headers).ok_or_else(unknown_type)?;
    let coding = Coding::of(&head.headers).ok_or_else(unknown_coding)?;

    let call = Arc::new(Native {
        frame,
        limits: *intake.limits(),
    });
    let taken = intake.take(Door::Native, (body, coding), call).await?;
    let response = answer::results(&taken.answer, &taken.appended?);
    Ok(keep_until_sent(taken.room, response))
}

/// How the native door reads a body.
struct Native {
    frame: RequestFraming,
    limits: Limits,
}

impl Call for Native {
    /// The id of each event, or why it is none.
    type Answer = Vec<Result<Uuid, Fault>>;
    type Refusal = FrameError;

    fn parse(&self, held: &mut Held) -> Result<Parsed<Self::Answer>, Unparsed<FrameError>> {
        let parts = self.frame.parts(&held.bytes, &self.limits)?;
        if parts.is_empty() {
            return Err(FrameError::Empty.into());
        }
        held.make_room(parts.len() * PART_BYTES)?;
        let body = std::mem::take(&mut held.bytes);
        let Admitted { events, verdicts } = Admitted::new(body, parts, &self.limits);
        Ok(Parsed {
            events,
            misfits: Vec::new(),
            answer: verdicts,
        })
    }
}

impl From<FrameError> for Unparsed<FrameError> {
    fn from(error: FrameError) -> Self {
        Self::Refused(error)
    }
}

pub(crate) fn unknown_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        "Send events as application/json (one, or an array of them) or application/x-ndjson.",
    )
}

pub(crate) fn unknown_coding() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "Send the body plain, or compressed with gzip or zstd.",
    )
}

impl<R: Into<Self>> From<Untaken<R>> for Problem {
    fn from(untaken: Untaken<R>) -> Self {
        match untaken {
            Untaken::Body(error) => error.into(),
            Untaken::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let detail = sentence(&error);
        match error {
            BodyError::TooLarge { max } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
                    .with("max_bytes", max)
            }
            BodyError::TooComplex => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_complex", detail)
            }
            BodyError::NoRoom { .. } => overloaded(detail),
            BodyError::Stalled => Self::new(StatusCode::REQUEST_TIMEOUT, "body_stalled", detail),
            BodyError::Broken { .. } => Self::new(StatusCode::BAD_REQUEST, "body_broken", detail),
        }
    }
}

impl From<FrameError> for Problem {
    fn from(error: FrameError) -> Self {
        let detail = sentence(&error);
        match error {
            FrameError::Empty => Self::new(StatusCode::BAD_REQUEST, "body_empty", detail),
            FrameError::Encoding { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "body_not_utf8", detail)
            }
            FrameError::Jwt => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body_is_jwt", detail),
            FrameError::TooMany { max } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_events", detail)
                    .with("max_events", max)
            }
            FrameError::BadArray { fault } => {
                Self::new(StatusCode::BAD_REQUEST, "bad_array", detail)
                    .with("fault", fault.code.as_str())
                    .with("at", json!(answer::FaultPlaceJson::from(fault.at)))
            }
        }
    }
}

impl From<NotStored> for Problem {
    fn from(error: NotStored) -> Self {
        match error {
            NotStored::Held { .. } => overloaded("The log is busy; nothing is known to be stored."),
            // What the storage said is for operators.
            NotStored::Log { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "log_unavailable",
                "The log takes no events now; nothing was stored.",
            )
            .retry_after(LATER),
        }
    }
}

fn overloaded(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(SOON)
}

/// An error's text as a sentence for people.
fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_ascii_uppercase(), letters.as_str())
    })
}
