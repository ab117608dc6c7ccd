//! The calls over HTTP. Every answer has the content type `application/json`, because Canvas's client picks
//! its parser by it, and success is always status 200.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Extension, Json, Router};
use easel_access::{Reason, Refusals, RefusedRequest};
use easel_audit::AuditNote;
use easel_keys::ServicesJwtVerifier;
use easel_log::Clock;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::caller::CanvasCaller;
use crate::canvas_service::CanvasService;
use crate::document::ID;
use crate::service_error::ServiceError;

/// Canvas waits 10 seconds for an answer.
const TIMEOUT: Duration = Duration::from_secs(9);

/// The largest body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The header with the key of the next page.
const END_KEY: HeaderName = HeaderName::from_static("endkey");
/// The header with the key of the requested page.
const START_KEY: HeaderName = HeaderName::from_static("startkey");

/// The answer to a change, with a note of who made it.
type NotedAnswer = (Extension<AuditNote>, Json<Value>);

/// What the handlers share.
#[derive(Clone)]
struct ServiceState {
    service: CanvasService,
    verifier: Arc<ServicesJwtVerifier>,
    clock: Arc<dyn Clock>,
    refusals: Arc<Refusals>,
}

/// Returns the routes of the calls, below `path`, which is empty or begins with a slash.
pub fn routes(
    service: CanvasService,
    verifier: Arc<ServicesJwtVerifier>,
    clock: Arc<dyn Clock>,
    (refusals, path): (Arc<Refusals>, &str),
) -> Router {
    let state = ServiceState {
        service,
        verifier,
        clock,
        refusals,
    };
    let other_method = || async { ServiceError::Method };
    let other_path = || async { ServiceError::UnknownPath };
    let api = format!("{path}/api");
    Router::new()
        .route(
            &format!("{api}/subscriptions"),
            post(create).delete(delete_all).fallback(other_method),
        )
        // Canvas calls this path if it has no id. It must never mean all subscriptions.
        .route(
            &format!("{api}/subscriptions/"),
            put(update_by_body).fallback(async || ServiceError::UnknownSubscription),
        )
        .route(
            &format!("{api}/subscriptions/{{id}}"),
            get(show)
                .put(update)
                .delete(delete)
                .fallback(other_method),
        )
        .route(
            &format!("{api}/root_account_subscriptions"),
            get(list).fallback(other_method),
        )
        .route(
            &format!("{api}/event_types"),
            get(event_types).fallback(other_method),
        )
        .route(&format!("{api}/{{*other}}"), any(other_path))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(within_time))
        .with_state(state)
}

/// Answers before Canvas gives up. After three calls without an answer, Canvas stops calling for a minute.
async fn within_time(request: Request, next: Next) -> Response {
    match timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => ServiceError::Unavailable.into_response(),
    }
}

async fn create(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
    ObjectBody(object): ObjectBody,
) -> Result<NotedAnswer, ServiceError> {
    let actor = caller.clone();
    let created = service.create(caller, object).await?;
    let id = created.get(ID).and_then(Value::as_str).unwrap_or_default();
    let note = AuditNote::of_object(id);
    Ok(changed(&actor, "subscription.create", note, created))
}

async fn show(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
    IdInPath(id): IdInPath,
) -> Result<Json<Value>, ServiceError> {
    service.show(&caller, &id).map(Json)
}

async fn update(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
    IdInPath(id): IdInPath,
    ObjectBody(changes): ObjectBody,
) -> Result<NotedAnswer, ServiceError> {
    match changes.get(ID) {
        None | Some(Value::Null) => (),
        Some(Value::String(in_body)) if *in_body == id => (),
        Some(_) => {
            let fault = "Id in the body must be the id in the path";
            return Err(ServiceError::Invalid(fault.to_owned()));
        }
    }
    update_one(&service, &caller, &id, changes).await
}

async fn update_one(
    service: &CanvasService,
    caller: &CanvasCaller,
    id: &str,
    changes: Map<String, Value>,
) -> Result<NotedAnswer, ServiceError> {
    let members: Vec<_> = changes.keys().cloned().collect();
    let updated = service.update(caller, id, changes).await?;
    let note = AuditNote::of_object(id).with("members", members);
    Ok(changed(caller, "subscription.change", note, updated))
}

async fn update_by_body(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
    ObjectBody(changes): ObjectBody,
) -> Result<NotedAnswer, ServiceError> {
    match changes.get(ID) {
        Some(Value::String(id)) if !id.is_empty() => {
            let id = id.clone();
            update_one(&service, &caller, &id, changes).await
        }
        Some(_) | None => Err(ServiceError::Invalid("Id is missing".to_owned())),
    }
}

async fn delete(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
    IdInPath(id): IdInPath,
) -> Result<NotedAnswer, ServiceError> {
    let deleted = service.delete(&caller, &id).await?;
    let note = AuditNote::of_object(id);
    Ok(changed(&caller, "subscription.remove", note, deleted))
}

async fn delete_all(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
) -> Result<NotedAnswer, ServiceError> {
    let deleted = service.delete_all(&caller).await?;
    let ids = deleted.get("Deleted").cloned().unwrap_or_default();
    let note = AuditNote::default().with("removed", ids);
    Ok(changed(&caller, "subscription.remove", note, deleted))
}

/// Returns the answer to a change, with a note of who made it.
fn changed(
    caller: &CanvasCaller,
    action: &'static str,
    note: AuditNote,
    answer: Value,
) -> NotedAnswer {
    let note = note.with("subject", caller.subject.clone());
    (
        Extension(note.by("canvas", caller.reach(), action)),
        Json(answer),
    )
}

#[derive(Deserialize)]
struct ListQuery {
    limit_deleted: Option<String>,
}

async fn list(
    State(ServiceState { service, .. }): State<ServiceState>,
    caller: CanvasCaller,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    let invalid = |fault: &str| ServiceError::Invalid(fault.to_owned());
    let Query(ListQuery { limit_deleted }) =
        query.map_err(|_invalid| invalid("the query is invalid"))?;
    let days = limit_deleted.map(|days| days.parse());
    let days = days
        .transpose()
        .map_err(|_not_a_number| invalid("limit_deleted must be a number of days"))?;
    let start_key = headers.get(START_KEY).map(HeaderValue::to_str).transpose();
    let start_key =
        start_key.map_err(|_not_ascii| invalid("StartKey must be the value of EndKey"))?;
    let page = service.list(&caller, days, start_key.filter(|key| !key.is_empty()))?;
    let end_key = page.end_key.map(HeaderValue::try_from).transpose();
    let end_key = end_key.map_err(|_not_ascii| ServiceError::Unavailable)?;
    let end_key: HeaderMap = end_key.map(|key| (END_KEY, key)).into_iter().collect();
    Ok((end_key, Json(page.items)).into_response())
}

#[derive(Deserialize)]
struct EventTypesQuery {
    message_type: Option<String>,
}

async fn event_types(
    State(ServiceState { service, .. }): State<ServiceState>,
    _caller: CanvasCaller,
    query: Result<Query<EventTypesQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ServiceError> {
    let Query(EventTypesQuery { message_type }) =
        query.map_err(|_invalid| ServiceError::Invalid("the query is invalid".to_owned()))?;
    service.event_types(message_type.as_deref()).map(Json)
}

/// The id in the path.
struct IdInPath(String);

impl<S: Send + Sync> FromRequestParts<S> for IdInPath {
    type Rejection = ServiceError;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ServiceError> {
        match Path::from_request_parts(head, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_not_utf8) => Err(ServiceError::UnknownSubscription),
        }
    }
}

/// A body that must be a JSON object. Its content type does not matter.
struct ObjectBody(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for ObjectBody {
    type Rejection = ServiceError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ServiceError> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|fault| match fault.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ServiceError::TooLarge,
            _ => ServiceError::Invalid("the body was not received completely".to_owned()),
        })?;
        let object = serde_json::from_slice(&bytes);
        object
            .map(Self)
            .map_err(|_invalid| ServiceError::Invalid("the body must be a JSON object".to_owned()))
    }
}

impl FromRequestParts<ServiceState> for CanvasCaller {
    type Rejection = ServiceError;

    async fn from_request_parts(
        head: &mut Parts,
        state: &ServiceState,
    ) -> Result<Self, ServiceError> {
        authenticate(head, state).map_err(|(reason, detail, error)| {
            let refused = RefusedRequest {
                reason,
                token_id: None,
                access_key_id: None,
                target: head.uri.path(),
                detail: &detail,
            };
            state.refusals.note(head, refused);
            error
        })
    }
}

/// Returns the caller of a request, or the reason and detail for the log and the answer.
fn authenticate(
    head: &Parts,
    state: &ServiceState,
) -> Result<CanvasCaller, (Reason, String, ServiceError)> {
    let Some(bearer) = bearer(&head.headers) else {
        let error = ServiceError::Unauthorized("the bearer token is missing");
        return Err((Reason::TokenMissing, "canvas service".to_owned(), error));
    };
    let refused = |detail: String, text| {
        let error = ServiceError::Unauthorized(text);
        Err((Reason::CanvasTokenInvalid, detail, error))
    };
    let claims = match state.verifier.verify(bearer, state.clock.now()) {
        Ok(claims) => claims,
        Err(error) => return refused(error.to_string(), "the bearer token is invalid"),
    };
    let no_account = "the bearer token names no root account";
    match CanvasCaller::from_claims(&claims) {
        Some(caller) => Ok(caller),
        None => refused(no_account.to_owned(), no_account),
    }
}

/// Returns the bearer token, if there is exactly one header with it.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}
