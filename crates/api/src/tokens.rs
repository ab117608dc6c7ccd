//! `/v1/tokens`: manages access tokens.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use easel_access::{Scope, Scopes, Token};
use easel_audit::AuditNote;
use easel_keys::{Secret, serialize_exposed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;
use crate::request::{Body, Path};

/// A token without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct TokenJson {
    id: String,
    name: String,
    #[schema(value_type = Vec<ScopeJson>)]
    scopes: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What a token may do.
#[derive(ToSchema)]
#[schema(as = Scope, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum ScopeJson {
    /// Send events and changes.
    Ingest,
    /// Read everything but tokens.
    Read,
    /// Change subscriptions, tokens and quarantine.
    Manage,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TokenList)]
pub(crate) struct TokenListJson {
    tokens: Vec<TokenJson>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenJson {
    /// The name of the token, for people.
    #[schema(example = "canvas", min_length = 1)]
    name: String,
    #[schema(value_type = Vec<ScopeJson>, example = json!(["ingest"]), min_items = 1)]
    scopes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeToken)]
pub(crate) struct MadeTokenJson {
    #[serde(flatten)]
    details: TokenJson,
    /// The token itself. It is shown only once, because the server stores only a hash.
    #[schema(value_type = String)]
    #[serde(serialize_with = "serialize_exposed")]
    token: Secret<String>,
}

/// Lists all tokens.
#[utoipa::path(get, path = "/v1/tokens", operation_id = "list_tokens", tag = "tokens", responses((status = OK, body = TokenListJson)))]
pub(crate) async fn list(State(api): State<Api>) -> Json<TokenListJson> {
    let tokens = api.tokens.list().into_iter().map(TokenJson::from).collect();
    Json(TokenListJson { tokens })
}

/// Creates a token.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "create_token", tag = "tokens", request_body = NewTokenJson, responses((status = CREATED, body = MadeTokenJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_token`")))]
pub(crate) async fn create(
    State(api): State<Api>,
    body: Body,
) -> Result<(StatusCode, Extension<AuditNote>, Json<MadeTokenJson>), ApiError> {
    let new: NewTokenJson = body.parse("invalid_token")?;
    let invalid = |detail: String| ApiError::invalid("invalid_token", detail);
    if new.name.is_empty() || new.scopes.is_empty() {
        return Err(invalid(
            "A token must have a name and at least one scope.".to_owned(),
        ));
    }
    let scopes: Result<Vec<Scope>, _> = new.scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|unknown| invalid(format!("{unknown}.")))?;
    let scopes: Scopes = scopes.into_iter().collect();
    let (tokens, now) = (api.tokens, api.clock.now());
    let created = spawn_blocking(move || tokens.create(&new.name, scopes, now));
    let (token, secret) = created.await??;
    let note = AuditNote::of_object(token.id.clone())
        .with("name", token.name.clone())
        .with("scopes", token.scopes.to_string());
    let created = MadeTokenJson {
        details: token.into(),
        token: secret,
    };
    Ok((StatusCode::CREATED, Extension(note), Json(created)))
}

/// Removes a token. The server refuses the token from now on.
#[utoipa::path(delete, path = "/v1/tokens/{id}", operation_id = "remove_token", tag = "tokens", params(("id" = String, Path)), responses((status = NO_CONTENT), (status = NOT_FOUND, description = "`no_such_token`")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let missing = format!("There is no token {id:?}.");
    if spawn_blocking(move || api.tokens.remove(&id)).await?? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("no_such_token", missing))
}

impl From<Token> for TokenJson {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes.iter().map(Scope::as_str).collect(),
            created_at: token.created_at,
        }
    }
}
