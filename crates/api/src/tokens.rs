//! `/v1/tokens`: manages access tokens.
//!
//! A confined caller makes and sees only tokens of its own reach. To it, any other token is one that does not
//! exist.

mod token_json;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use easel_access::{Amendment, Caller, Scope, Scopes, TokenChange, TokenLimits, TokenSettings};
use easel_audit::AuditNote;
use easel_catalog::Reach;
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use crate::Api;
use crate::api_error::ApiError;
use crate::request::{Body, OptionalBody, Path};
use token_json::{
    MadeTokenJson, NewTokenJson, RotateTokenJson, TokenJson, TokenListJson, TokenPatchJson,
    byte_limit, request_limit,
};

/// The code of a refusal of a body.
const INVALID: &str = "invalid_token";

/// How long the old secret works after a rotation.
const OVERLAP: Duration = Duration::from_hours(24);
/// The longest overlap.
const MAX_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// The most characters of a name.
const MAX_NAME_CHARS: usize = 200;

/// Lists the tokens. A confined caller sees those of its own reach.
#[utoipa::path(get, path = "/v1/tokens", operation_id = "list_tokens", tag = "tokens", responses((status = OK, body = TokenListJson)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Json<TokenListJson> {
    let tokens = api.tokens.list(&caller.reach);
    let tokens = tokens.into_iter().map(TokenJson::from).collect();
    Json(TokenListJson { tokens })
}

/// Creates a token. The token of a confined caller always has the reach of the caller.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "create_token", tag = "tokens", request_body = NewTokenJson, responses((status = CREATED, body = MadeTokenJson), (status = FORBIDDEN, description = "`scope_missing`, `reach_missing`, or `reach_too_small`: the caller is confined, and the body names another reach"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_token`")))]
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<(StatusCode, Extension<AuditNote>, Json<MadeTokenJson>), ApiError> {
    let new: NewTokenJson = body.parse(INVALID)?;
    let now = api.clock.now();
    check_name(&new.name)?;
    if new.scopes.is_empty() {
        return Err(invalid("A token must have at least one scope."));
    }
    let scopes: Result<Vec<Scope>, _> = new.scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|unknown| invalid(format!("{unknown}.")))?;
    let scopes: Scopes = scopes.into_iter().collect();
    let reach = match &new.reach {
        None => caller.reach.clone(),
        Some(text) => {
            let reach: Reach = text
                .parse()
                .map_err(|error| invalid(format!("`reach`: {error}.")))?;
            if !caller.reach.includes(&reach) {
                return Err(reach_too_small());
            }
            reach
        }
    };
    let settings = TokenSettings {
        name: new.name,
        scopes,
        reach,
        expires_at: new
            .expires_at
            .map(|time| check_expiry(time, now))
            .transpose()?,
        limits: TokenLimits {
            max_requests_per_second: new.max_requests_per_second.map(request_limit).transpose()?,
            max_bytes_per_second: new.max_bytes_per_second.map(byte_limit).transpose()?,
        },
    };
    let tokens = api.tokens;
    let created = spawn_blocking(move || tokens.create_with(settings, now));
    let (token, secret) = created.await??;
    let note = AuditNote::of_object(token.id.clone())
        .with("name", token.settings.name.clone())
        .with("scopes", token.settings.scopes.to_string())
        .with("reach", token.settings.reach.to_string());
    let created = MadeTokenJson {
        details: token.into(),
        token: secret,
    };
    Ok((StatusCode::CREATED, Extension(note), Json(created)))
}

/// Changes the name, the expiry or the limits of a token. A member that is `null` is removed; a member that is
/// missing stays.
#[utoipa::path(patch, path = "/v1/tokens/{id}", operation_id = "change_token", tag = "tokens", params(("id" = String, Path)), request_body = TokenPatchJson, responses((status = OK, body = TokenJson), (status = NOT_FOUND, description = "`no_such_token`"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_token`")))]
pub(crate) async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Body,
) -> Result<(Extension<AuditNote>, Json<TokenJson>), ApiError> {
    let patch: TokenPatchJson = body.parse(INVALID)?;
    let now = api.clock.now();
    if let Some(name) = &patch.name {
        check_name(name)?;
    }
    let change = TokenChange {
        name: patch.name,
        expires_at: patch.expires_at.try_map(|time| check_expiry(time, now))?,
        max_requests_per_second: patch.max_requests_per_second.try_map(request_limit)?,
        max_bytes_per_second: patch.max_bytes_per_second.try_map(byte_limit)?,
    };
    let note = AuditNote::default().with("changed", changed_members(&change));
    let (tokens, wanted) = (api.tokens, id.clone());
    let changed = spawn_blocking(move || tokens.change(&wanted, &caller.reach, change));
    let token = changed.await??.ok_or_else(|| missing(&id))?;
    Ok((Extension(note), Json(token.into())))
}

/// Returns the names of the members that a change sets or removes.
fn changed_members(change: &TokenChange) -> Vec<&'static str> {
    let members = [
        ("name", change.name.is_some()),
        ("expires_at", change.expires_at != Amendment::Keep),
        (
            "max_requests_per_second",
            change.max_requests_per_second != Amendment::Keep,
        ),
        (
            "max_bytes_per_second",
            change.max_bytes_per_second != Amendment::Keep,
        ),
    ];
    let changed = members.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(name, _)| name).collect()
}

/// Gives a token a new secret. The old secret works until the overlap is over. Streams that were opened with the
/// old secret end then.
#[utoipa::path(post, path = "/v1/tokens/{id}/rotate", operation_id = "rotate_token", tag = "tokens", params(("id" = String, Path)), request_body(content = Option<RotateTokenJson>), responses((status = OK, body = MadeTokenJson), (status = NOT_FOUND, description = "`no_such_token`"), (status = CONFLICT, description = "`too_many_secrets`: too many old secrets of the token still work"), (status = UNPROCESSABLE_ENTITY, description = "`invalid_token`")))]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: OptionalBody,
) -> Result<Json<MadeTokenJson>, ApiError> {
    let wanted: RotateTokenJson = body.parse(INVALID)?.unwrap_or_default();
    let overlap = match wanted.overlap.as_deref() {
        None => OVERLAP,
        Some(text) => parse_overlap(text)?,
    };
    let (tokens, wanted) = (api.tokens, id.clone());
    let rotated = spawn_blocking(move || tokens.rotate(&wanted, &caller.reach, overlap));
    let (token, secret) = rotated.await??.ok_or_else(|| missing(&id))?;
    Ok(Json(MadeTokenJson {
        details: token.into(),
        token: secret,
    }))
}

/// Removes a token. The server refuses the token from now on.
#[utoipa::path(delete, path = "/v1/tokens/{id}", operation_id = "remove_token", tag = "tokens", params(("id" = String, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_token`")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (tokens, wanted) = (api.tokens, id.clone());
    if spawn_blocking(move || tokens.remove(&wanted, &caller.reach)).await?? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(missing(&id))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let is_usable = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
    if is_usable && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(invalid(format!(
        "`name` must have 1 to {MAX_NAME_CHARS} characters and no control characters."
    )))
}

/// Refuses a time that is over, because such a token could not be used.
fn check_expiry(time: Timestamp, now: Timestamp) -> Result<Timestamp, ApiError> {
    if time > now {
        return Ok(time);
    }
    Err(invalid("`expires_at` must be in the future."))
}

fn parse_overlap(text: &str) -> Result<Duration, ApiError> {
    let overlap = humantime::parse_duration(text).ok();
    let overlap = overlap.filter(|overlap| *overlap <= MAX_OVERLAP);
    overlap.ok_or_else(|| {
        invalid(format!(
            "`overlap` must be a length of time up to 90d, such as `24h` or `0s`, not {text:?}."
        ))
    })
}

fn reach_too_small() -> ApiError {
    let detail =
        "This token is confined to one root account, so it can make only tokens of the same reach.";
    ApiError::new(StatusCode::FORBIDDEN, "reach_too_small", detail)
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::invalid(INVALID, detail)
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found("no_such_token", format!("There is no token {id:?}."))
}
