//! The native door: `POST /v1/events` accepts one event, a JSON array of events, or one event per line.
//!
//! The answer is 202 with a result for each event, in order. It comes once the accepted events are on
//! stable storage. A rejected event is answered with its fault and is not stored. It does not affect
//! the other events of the request. If all events are rejected, the answer is 422 with the same
//! results.
//!
//! If the array or the lines cannot be split, the whole request is rejected and nothing is stored. The
//! whole request is also rejected if there is no room, or if the log is unavailable. It is safe to send
//! the request again: an event that was stored before becomes a duplicate.

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
use easel_catalog::{Fault, Limits, Reach};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::instrument;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::Intake;
use crate::body::{BodyError, BufferedBody, Coding};
use crate::door::Door;
use crate::intake::{BodyParser, IntakeError, NotStored, PART_BYTES, ParseError, Parsed};
use crate::request_framing::{Admitted, FrameError, RequestFraming};
use crate::sent_body::keep_until_sent;

/// `Retry-After` if there was no room.
const SOON: Duration = Duration::from_secs(2);
/// `Retry-After` if the log failed. An operator must repair it.
const LATER: Duration = Duration::from_secs(30);

pub(crate) fn routes(intake: Arc<Intake>, authorizer: Authorizer) -> Router {
    Router::new()
        .route("/v1/events", post(take_events))
        .with_state((intake, authorizer))
}

/// Describes the native door.
#[derive(OpenApi)]
#[openapi(paths(take_events))]
pub(crate) struct NativeApi;

/// An event, or an array of events.
#[derive(Serialize, ToSchema)]
#[schema(as = Events)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum EventsJson {
    One(HashMap<String, Value>),
    Many(Vec<HashMap<String, Value>>),
}

/// Accepts events: one, an array, or one per line. The body can be compressed with gzip or zstd.
#[utoipa::path(
    post,
    path = "/v1/events",
    operation_id = "send_events",
    tag = "events",
    request_body(
        description = "An event can have `attributes` instead of `metadata`",
        content((EventsJson = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = ACCEPTED, body = answer::EventsAnswerJson<'_>),
        (status = BAD_REQUEST, description = "`body_empty`, `body_broken`, `body_not_utf8` or `bad_array`; nothing was stored"),
        (status = UNAUTHORIZED, description = "`token_missing`, `token_unknown`, `token_expired` or `token_invalid`"),
        (status = FORBIDDEN, description = "`scope_missing`: the token needs the scope `ingest`; or `reach_missing`"),
        (status = REQUEST_TIMEOUT, description = "`body_stalled`; nothing was stored"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`, `body_too_complex` or `too_many_events`; nothing was stored"),
        (status = UNSUPPORTED_MEDIA_TYPE, description = "`unsupported_type`, `unsupported_encoding`, or `body_is_jwt`: JWTs of a hosted Canvas are for the route `/v1/hooks/{source}`"),
        (status = UNPROCESSABLE_ENTITY, body = answer::NothingStoredJson<'_>, content_type = "application/problem+json", description = "`nothing_stored`: every event was rejected. `results` has the fault of each event"),
        (status = TOO_MANY_REQUESTS, description = "`rate_limited`; nothing was stored; retry after `Retry-After`"),
        (status = SERVICE_UNAVAILABLE, description = "`overloaded` or `log_unavailable`; retry after `Retry-After`"),
    ),
)]
#[instrument(name = "native_request", skip_all)]
async fn take_events(
    State((intake, authorizer)): State<(Arc<Intake>, Authorizer)>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let caller = authorizer.authorize(&head, Scope::Ingest).await?;
    let body = caller.metered(body);
    let framing = RequestFraming::from_headers(&head.headers).ok_or_else(unknown_type)?;
    let coding = Coding::from_headers(&head.headers).ok_or_else(unknown_coding)?;

    let parser = Arc::new(EventsParser {
        framing,
        limits: *intake.limits(),
        reach: caller.reach,
    });
    let taken = intake.take(Door::Native, (body, coding), parser).await?;
    let response = answer::results(&taken.answer, &taken.appended?);
    Ok(keep_until_sent(taken.room, response))
}

/// Parses the body of a request with events.
struct EventsParser {
    framing: RequestFraming,
    limits: Limits,
    reach: Reach,
}

impl BodyParser for EventsParser {
    /// The id of each event, or the fault of a rejected event.
    type Answer = Vec<Result<Uuid, Fault>>;
    type Refusal = FrameError;

    fn parse(
        &self,
        buffered: &mut BufferedBody,
    ) -> Result<Parsed<Self::Answer>, ParseError<FrameError>> {
        let parts = self.framing.parts(&buffered.bytes, &self.limits)?;
        if parts.is_empty() {
            return Err(FrameError::Empty.into());
        }
        buffered.make_room(parts.len() * PART_BYTES)?;
        let body = std::mem::take(&mut buffered.bytes);
        let Admitted { events, verdicts } = Admitted::new(body, parts, (&self.limits, &self.reach));
        Ok(Parsed {
            events,
            invalid_records: Vec::new(),
            answer: verdicts,
        })
    }
}

impl From<FrameError> for ParseError<FrameError> {
    fn from(error: FrameError) -> Self {
        Self::Refused(error)
    }
}

pub(crate) fn unknown_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        "Send events as application/json (one event or an array) or as application/x-ndjson.",
    )
}

pub(crate) fn unknown_coding() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "Send the body uncompressed, or compressed with gzip or zstd.",
    )
}

impl<R: Into<Self>> From<IntakeError<R>> for Problem {
    fn from(error: IntakeError<R>) -> Self {
        match error {
            IntakeError::Body(error) => error.into(),
            IntakeError::Refused(refusal) => refusal.into(),
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
            NotStored::TimedOut { .. } => {
                overloaded("The log is busy; assume that nothing was stored.")
            }
            // The error of the storage is only for operators.
            NotStored::Log { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "log_unavailable",
                "The log accepts no events now; nothing was stored.",
            )
            .retry_after(LATER),
        }
    }
}

fn overloaded(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(SOON)
}

/// Returns the text of an error as a sentence.
fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_ascii_uppercase(), letters.as_str())
    })
}
