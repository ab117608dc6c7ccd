//! The hosted webhook door: `POST /v1/hooks/{source}` accepts one event of a hosted Canvas.
//!
//! Hosted Canvas tries four times within about twenty minutes, waits 15 seconds for each answer, and switches a
//! stream off after too many failures a day. So:
//!
//! - The answer comes within nine seconds: 200 once the event is on stable storage, otherwise 503.
//! - What is authentic but is not an event is put into quarantine and answered with 200. Another answer
//!   would bring it three more times, and would count towards the switch-off.
//! - Only a request that is not authentic is answered with 401. While the keys of the source cannot be
//!   fetched, Easel cannot tell, and the answer is 503.
//!
//! An event is recognised as a duplicate by its content, not by its JWT: a retry may be signed again.

mod hook_body;
mod hook_parser;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use easel_access::Problem;
use easel_log::Appended;
use easel_sources::{NewerKeys, Source, SourceOutcome, Sources};
use subtle::ConstantTimeEq;
use tokio::time::timeout;
use tracing::field::Empty;
use tracing::{Span, debug, instrument};
use utoipa::OpenApi;

use crate::Intake;
use crate::body::{BufferedBody, Coding};
use crate::door::Door;
use crate::hooks::hook_parser::{HookParser, HookRefusal};
use crate::intake::{IntakeError, Taken};
use crate::native::unknown_coding;

pub(crate) use hook_parser::{ACCOUNT_NOT_ACCEPTED, Invalid};

/// The longest time until an answer. Hosted Canvas counts a time-out after 15 seconds, and a time-out weighs
/// three times as much as an error.
const MAX_TIME: Duration = Duration::from_secs(9);
/// `Retry-After` of a request that can be sent again.
const SOON: Duration = Duration::from_secs(2);
/// The smallest limit for the size of a body. The limit is twice the largest event if that is more, because
/// base64 makes an event a third longer.
const MIN_BODY_BYTES: usize = 4 * 1024 * 1024;

#[derive(Clone)]
struct Hooks {
    intake: Arc<Intake>,
    sources: Arc<Sources>,
}

pub(crate) fn routes(intake: Arc<Intake>, sources: Arc<Sources>) -> Router {
    Router::new()
        .route("/v1/hooks/{source}", post(take_event))
        .route("/v1/hooks/{source}/{secret}", post(take_event_with_secret))
        .with_state(Hooks { intake, sources })
}

/// Describes the door.
#[derive(OpenApi)]
#[openapi(paths(take_event, take_event_with_secret))]
pub(crate) struct HooksApi;

/// Accepts one event of a hosted Canvas: JSON, or a JWT signed with RS256. The source decides which. No token
/// is needed.
#[utoipa::path(
    post,
    path = "/v1/hooks/{source}",
    operation_id = "take_hosted_event",
    tag = "events",
    security(()),
    params(("source" = String, Path, description = "The name of a source of the kind `https`")),
    request_body(
        description = "A JWT whose claims are the event, bare or as a JSON string; or the event itself. The content type does not matter",
        content((String = "application/jwt"), (Object = "application/json")),
    ),
    responses(
        (status = OK, description = "The event is stored, or was stored before. What is authentic but is not an event is in quarantine"),
        (status = UNAUTHORIZED, description = "`signature_invalid`"),
        (status = NOT_FOUND, description = "`no_such_source`, also if the secret is wrong"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`"),
        (status = SERVICE_UNAVAILABLE, description = "`keys_unavailable`, `source_paused`, `overloaded` or `log_unavailable`; retry after `Retry-After`"),
    ),
)]
#[instrument(name = "hook_request", skip_all, fields(source = Empty))]
async fn take_event(
    State(hooks): State<Hooks>,
    Path(source): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    hooks.answer(&source, None, request).await
}

/// Accepts one event of a hosted Canvas, like the route without a secret. The secret of the source is the
/// last part of the path.
#[utoipa::path(
    post,
    path = "/v1/hooks/{source}/{secret}",
    operation_id = "take_hosted_event_with_secret",
    tag = "events",
    security(()),
    params(
        ("source" = String, Path, description = "The name of a source of the kind `https`"),
        ("secret" = String, Path, description = "The secret of the source"),
    ),
    request_body(
        description = "A JWT whose claims are the event, bare or as a JSON string; or the event itself. The content type does not matter",
        content((String = "application/jwt"), (Object = "application/json")),
    ),
    responses(
        (status = OK, description = "The event is stored, or was stored before. What is authentic but is not an event is in quarantine"),
        (status = UNAUTHORIZED, description = "`signature_invalid`"),
        (status = NOT_FOUND, description = "`no_such_source`, also if the secret is wrong"),
        (status = PAYLOAD_TOO_LARGE, description = "`body_too_large`"),
        (status = SERVICE_UNAVAILABLE, description = "`keys_unavailable`, `source_paused`, `overloaded` or `log_unavailable`; retry after `Retry-After`"),
    ),
)]
#[instrument(name = "hook_request", skip_all, fields(source = Empty))]
async fn take_event_with_secret(
    State(hooks): State<Hooks>,
    Path((source, secret)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Problem> {
    hooks.answer(&source, Some(&secret), request).await
}

impl Hooks {
    /// Takes the event of a request, and counts the outcome for its source.
    async fn answer(
        &self,
        name: &str,
        secret: Option<&str>,
        request: Request,
    ) -> Result<StatusCode, Problem> {
        let source = self.sources.get(name);
        let source = source.filter(|source| admits(source, secret));
        let Some(source) = source else {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no_such_source",
                "There is no source with this name and secret.",
            ));
        };
        Span::current().record("source", source.spec.name.as_str());
        let mut pending = PendingAnswer {
            intake: &self.intake,
            source: &source,
            is_answered: false,
        };
        let taken = timeout(MAX_TIME, self.take(&source, request)).await;
        let answer = taken.unwrap_or_else(|_elapsed| Err(overloaded()));
        pending.is_answered = true;
        let now = self.intake.now();
        match answer {
            Ok(outcome) => {
                source.count(outcome, 1, now);
                Ok(StatusCode::OK)
            }
            Err(problem) => {
                source.count(SourceOutcome::Failed, 1, now);
                source.health.note_failure(problem.detail(), now);
                Err(problem)
            }
        }
    }

    async fn take(&self, source: &Arc<Source>, request: Request) -> Result<SourceOutcome, Problem> {
        if !source.is_active() {
            let detail = "The source is paused.";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "source_paused", detail);
            return Err(problem.retry_after(SOON));
        }
        let (head, body) = request.into_parts();
        let coding = Coding::from_headers(&head.headers).ok_or_else(unknown_coding)?;
        let buffered = self.read(body, coding).await?;
        let taken = self.verify_and_store(source, buffered).await?;
        let stored = taken.appended?;
        taken.quarantined?;
        Ok(match stored.first() {
            Some(Appended::Stored(_)) => SourceOutcome::Accepted,
            Some(Appended::Duplicate(_)) => SourceOutcome::Duplicate,
            None => SourceOutcome::Quarantined,
        })
    }

    async fn read(&self, body: Body, coding: Coding) -> Result<BufferedBody, Problem> {
        let max_bytes = self.intake.limits().max_event_bytes.saturating_mul(2);
        let max_bytes = std::cmp::max(max_bytes, MIN_BODY_BYTES);
        Ok(self.intake.read(body, coding, max_bytes).await?)
    }

    /// Verifies, parses and stores a body. A key that is not known is a reason to fetch the keys again.
    async fn verify_and_store(
        &self,
        source: &Arc<Source>,
        mut buffered: BufferedBody,
    ) -> Result<Taken<()>, Problem> {
        let mut verifier = match &source.keys {
            None => None,
            Some(keys) => match keys.current() {
                Some(verifier) => Some(verifier),
                None => Some(
                    self.newer_keys(source, None)
                        .await?
                        .ok_or_else(overloaded)?,
                ),
            },
        };
        loop {
            let parser = HookParser {
                source: Arc::clone(source),
                verifier: verifier.clone(),
                limits: *self.intake.limits(),
                now: self.intake.now(),
            };
            let failure = match self.intake.parse(buffered, Arc::new(parser)).await {
                Ok((parsed, room)) => {
                    return Ok(self.intake.store(Door::Hook, parsed, room).await);
                }
                Err(failure) => failure,
            };
            let refusal = match failure.error {
                IntakeError::Body(error) => return Err(error.into()),
                IntakeError::Refused(refusal) => refusal,
            };
            let newer = match failure.buffered {
                Some(returned) if refusal.needs_newer_keys() => {
                    buffered = returned;
                    self.newer_keys(source, verifier.as_ref()).await?
                }
                Some(_) | None => return Err(refusal.into()),
            };
            // Each turn of the loop has newer keys than the one before.
            match newer {
                Some(newer) => verifier = Some(newer),
                None => return Err(refusal.into()),
            }
        }
    }

    /// Returns keys that are newer than `known`; `None` if there are none.
    async fn newer_keys(
        &self,
        source: &Source,
        known: Option<&Arc<easel_keys::JwtVerifier>>,
    ) -> Result<Option<Arc<easel_keys::JwtVerifier>>, Problem> {
        match self.sources.newer_keys(source, known).await {
            NewerKeys::Fetched(verifier) => Ok(Some(verifier)),
            NewerKeys::UpToDate => Ok(None),
            NewerKeys::Unavailable(reason) => {
                debug!(error = reason, "keys of a source not fetched");
                let detail = "The keys that verify the signature cannot be fetched now.";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Err(Problem::new(status, "keys_unavailable", detail).retry_after(SOON))
            }
        }
    }
}

/// Returns true if a source takes requests, and the secret is the right one.
fn admits(source: &Source, secret: Option<&str>) -> bool {
    let Some(https) = source.https() else {
        return false;
    };
    match (&https.secret, secret) {
        (None, None) => true,
        (Some(wanted), Some(secret)) => {
            let wanted = wanted.expose().as_bytes();
            bool::from(wanted.ct_eq(secret.as_bytes()))
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The answer to a request. If it is dropped before there is one, the sender did not wait for it.
struct PendingAnswer<'a> {
    intake: &'a Intake,
    source: &'a Source,
    is_answered: bool,
}

impl Drop for PendingAnswer<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let now = self.intake.now();
        self.source.count(SourceOutcome::TimedOut, 1, now);
        let reason = "the sender closed the connection before the answer";
        self.source.health.note_failure(reason, now);
    }
}

impl From<HookRefusal> for Problem {
    fn from(refusal: HookRefusal) -> Self {
        let detail = refusal.to_string();
        Self::new(StatusCode::UNAUTHORIZED, "signature_invalid", detail)
    }
}

fn overloaded() -> Problem {
    let detail = "The server is busy; assume that nothing was stored.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(SOON)
}
