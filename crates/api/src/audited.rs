//! Records requests in the audit, for all routes in one place.
//!
//! A change is recorded after it was made and before its answer is sent. Events are shown only after the look
//! is recorded. A change goes on, and is recorded, also if its client leaves. While the audit cannot be
//! written, nothing is changed or shown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use easel_access::{Caller, Problem};
use easel_audit::{Audit, AuditActor, AuditLook, AuditNote, AuditUnavailable, NewAuditEntry};
use easel_catalog::Reach;
use percent_encoding::percent_decode_str;
use tokio_util::task::TaskTracker;
use tracing::error;
use utoipa::openapi::OpenApi;

use crate::operations::{AuditRule, AuditRules};

/// The actor if no token is required, and for commands on this machine.
const LOCAL: &str = "local";
/// `Retry-After` while the audit cannot be written.
const SOON: Duration = Duration::from_secs(5);

/// What the middleware needs.
#[derive(Clone, Debug)]
struct Recording {
    audit: Arc<Audit>,
    rules: Arc<AuditRules>,
    tasks: TaskTracker,
}

/// Makes `router` record what its requests change and show. `document` describes its routes. A change runs as
/// one of `tasks`, which must be awaited before the audit is closed.
pub fn audited(
    router: Router,
    document: &OpenApi,
    audit: Arc<Audit>,
    tasks: TaskTracker,
) -> Router {
    let recording = Recording {
        audit,
        rules: Arc::new(AuditRules::from_document(document)),
        tasks,
    };
    router.layer(from_fn_with_state(recording, record))
}

async fn record(State(recording): State<Recording>, request: Request, next: Next) -> Response {
    let route = Route::new(&recording.rules, &request);
    match route.rule {
        Some(AuditRule::Unrecorded) => next.run(request).await,
        Some(AuditRule::Look(_)) | None => {
            if route.rule.is_some() && recording.audit.is_failing() {
                return unavailable();
            }
            let response = next.run(request).await;
            recording.finish(route, response).await
        }
        Some(AuditRule::Change(_)) => {
            if recording.audit.is_failing() {
                return unavailable();
            }
            let tasks = recording.tasks.clone();
            let change = tasks.spawn(async move {
                let response = next.run(request).await;
                recording.finish(route, response).await
            });
            change.await.unwrap_or_else(|error| {
                error!(%error, "request failed");
                let detail = "This is a bug in Easel. See the log of the server for details.";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail).into_response()
            })
        }
    }
}

/// What is known of a request before its answer.
#[derive(Debug)]
struct Route {
    /// `None` for a route that is not in the document.
    rule: Option<AuditRule>,
    /// The variable parts of the path.
    object: String,
    client: Option<SocketAddr>,
}

impl Route {
    fn new(rules: &AuditRules, request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        let pattern = matched.map_or("", MatchedPath::as_str);
        let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            rule: rules.get(request.method(), pattern),
            object: variable_parts(pattern, request.uri().path()),
            client: client.map(|ConnectInfo(client)| *client),
        }
    }
}

impl Recording {
    /// Records the answer of a request. Returns it, or a refusal if it cannot be recorded.
    async fn finish(&self, route: Route, mut response: Response) -> Response {
        let note = response.extensions_mut().remove::<AuditNote>();
        let caller = response.extensions_mut().remove::<Caller>();
        match self.write(route, note, caller, response.status()).await {
            Ok(()) => response,
            Err(AuditUnavailable) => unavailable(),
        }
    }

    async fn write(
        &self,
        route: Route,
        note: Option<AuditNote>,
        caller: Option<Caller>,
        status: StatusCode,
    ) -> Result<(), AuditUnavailable> {
        let has_note = note.is_some();
        let note = note.unwrap_or_default();
        let rule = match (route.rule, note.action) {
            (Some(rule), _) => rule,
            (None, Some(action)) if note.shown.count > 0 => AuditRule::Look(action),
            // A note without an action and without events, such as an empty page of events.
            (None, Some(action)) if !note.changed_nothing => AuditRule::Change(action),
            (None, Some(_) | None) => AuditRule::Unrecorded,
        };
        let (name, reach) = match (note.actor, caller) {
            (Some(actor), _) => actor,
            (None, Some(caller)) => (caller.actor, caller.reach),
            (None, None) => (LOCAL.to_owned(), Reach::Everything),
        };
        let actor = AuditActor {
            name,
            address: route.client.map(|client| client.ip().to_canonical()),
            reach,
        };
        let object = note.object.unwrap_or(route.object);
        match rule {
            AuditRule::Unrecorded => Ok(()),
            AuditRule::Look(action) => {
                let look = AuditLook {
                    actor,
                    action: action.to_owned(),
                    object,
                };
                match note.stream {
                    Some(tally) => self.audit.begin_stream(look, tally).await,
                    None if note.shown.count > 0 => self.audit.look(look, &note.shown).await,
                    None => Ok(()),
                }
            }
            AuditRule::Change(action) => {
                // A call that failed inside the server may have changed something.
                let may_have_changed = status.is_success() || status.is_server_error();
                if !may_have_changed || note.changed_nothing {
                    return Ok(());
                }
                let mut details = note.details;
                if !status.is_success() && !has_note {
                    details.insert("status".to_owned(), status.as_u16().into());
                }
                let entry = NewAuditEntry {
                    at: self.audit.now(),
                    actor,
                    action: action.to_owned(),
                    object,
                    details,
                };
                self.audit.record(entry).await
            }
        }
    }
}

fn unavailable() -> Response {
    let detail = "The audit cannot be written, so nothing that needs an entry is changed or shown. A change \
                  that this request has made already is recorded later.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", detail)
        .retry_after(SOON)
        .into_response()
}

/// Returns the parts of `path` that are variable in `pattern`, with slashes between them.
fn variable_parts(pattern: &str, path: &str) -> String {
    let parts = pattern.split('/').zip(path.split('/'));
    let variable = parts.filter(|(name, _)| name.starts_with('{'));
    let values: Vec<_> = variable
        .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy())
        .collect();
    values.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_of_a_path_is_its_variable_parts() {
        let pattern = "/v1/subscriptions/{name}/dead-letters/{offset}";
        let path = "/v1/subscriptions/grades%20of%20all/dead-letters/17";
        assert_eq!(variable_parts(pattern, path), "grades of all/17");
        assert_eq!(variable_parts("/v1/events", "/v1/events"), "");
    }
}
