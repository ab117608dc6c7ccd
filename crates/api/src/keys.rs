//! `/v1/keys` and `/.well-known/jwks.json`: shows and rotates the keys of the server.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use easel_audit::AuditNote;
use easel_keys::{KeyStoreError, PrivateKey, SigningAlgorithm};
use easel_log::run_blocking;
use jiff::Timestamp;
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;

use crate::Api;
use crate::api_error::ApiError;
use crate::request::Path;

/// The header `cache-control` of the published keys. The next key is usually published long before it signs.
const JWKS_CACHE: &str = "public, max-age=300";

/// The keys of the server, without their secrets.
#[derive(Serialize, ToSchema)]
#[schema(as = Keys)]
pub(crate) struct KeyListJson {
    /// The id of the master key.
    #[schema(example = "7d3f0a1b2c4d5e6f")]
    master_key: String,
    signing: Vec<SigningKeyJson>,
}

/// The keys that sign with one algorithm.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKeys)]
pub(crate) struct SigningKeyJson {
    /// `RS256`, `ES256` or `EdDSA`.
    #[schema(value_type = String, example = "RS256")]
    algorithm: &'static str,
    /// The id of the key that signed before the current one. Null before the first rotation.
    previous: Option<String>,
    /// The id of the key that signs.
    #[schema(example = "2026-11-30T17:40:16Z")]
    current: String,
    /// The id of the key that signs after the next rotation.
    next: String,
    /// When the current key began to sign.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When the next key becomes the current one.
    #[schema(value_type = Option<String>, format = DateTime)]
    rotates_at: Option<Timestamp>,
}

/// The master key.
#[derive(Serialize, ToSchema)]
#[schema(as = MasterKey)]
pub(crate) struct MasterKeyJson {
    /// The id of the new master key.
    master_key: String,
}

/// Shows the public keys that verify signed events, as a JWK Set (RFC 7517): previous, current and next
/// of each algorithm.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "show_jwks", tag = "keys", security(()), responses((status = OK, body = Object, description = "A JWK Set")))]
pub(crate) async fn jwks(State(api): State<Api>) -> Result<impl IntoResponse, ApiError> {
    let (keys, now) = (api.keys, api.clock.now());
    // The server generates these keys after its first start. A receiver must not get a set without them, and
    // the set must not tell which algorithms somebody's subscriptions use.
    let signing = keys.signing();
    for algorithm in SigningAlgorithm::ALL {
        if signing.current(algorithm).is_none() {
            let keys = Arc::clone(&keys);
            run_blocking(move || keys.ensure(algorithm, now)).await?;
        }
    }
    let published = signing.jwk_set();
    let published = published.map_err(|error| ApiError::bug(&error))?;
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, JWKS_CACHE),
    ];
    Ok((headers, published.to_json()))
}

/// Lists the keys of the server, without their secrets.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "keys", responses((status = OK, body = KeyListJson)))]
pub(crate) async fn list(State(api): State<Api>) -> Result<Json<KeyListJson>, ApiError> {
    let keys = api.keys;
    let due_times = keys.due_times();
    let kid = |key: &Arc<PrivateKey>| key.kid().to_owned();
    let signing = keys.signing().sets();
    let signing = signing.into_iter().map(|(algorithm, set)| SigningKeyJson {
        algorithm: algorithm.as_str(),
        previous: set.previous.as_ref().map(kid),
        current: kid(&set.current),
        next: kid(&set.next),
        since: set.since,
        rotates_at: due_times.get(&algorithm).copied(),
    });
    let signing = signing.collect();
    let master_key = run_blocking(move || keys.store().master_key_id()).await?;
    Ok(Json(KeyListJson {
        master_key,
        signing,
    }))
}

/// Makes the next signing key of an algorithm the current one. The previous key stays published until the
/// rotation after this one.
#[utoipa::path(post, path = "/v1/keys/signing/{algorithm}/rotate", operation_id = "rotate_signing_key", tag = "keys", params(("algorithm" = String, Path)), responses((status = OK, body = KeyListJson), (status = NOT_FOUND, description = "`no_such_algorithm`")))]
pub(crate) async fn rotate_signing(
    State(api): State<Api>,
    Path(algorithm): Path<String>,
) -> Result<(Extension<AuditNote>, Json<KeyListJson>), ApiError> {
    let parsed = algorithm.parse::<SigningAlgorithm>();
    let algorithm = parsed.map_err(|error| {
        ApiError::not_found("no_such_algorithm", format!("{error}, not {algorithm:?}."))
    })?;
    let (keys, now) = (Arc::clone(&api.keys), api.clock.now());
    let rotated = run_blocking(move || keys.rotate(algorithm, now)).await?;
    let note = AuditNote::default().with("kid", rotated.current.kid());
    Ok((Extension(note), list(State(api)).await?))
}

/// Replaces the master key in its file, and seals all secrets again. Deliveries continue meanwhile.
#[utoipa::path(post, path = "/v1/keys/master/rotate", operation_id = "rotate_master_key", tag = "keys", responses((status = OK, body = MasterKeyJson), (status = CONFLICT, description = "`master_key_not_in_file`")))]
pub(crate) async fn rotate_master(
    State(api): State<Api>,
) -> Result<(Extension<AuditNote>, Json<MasterKeyJson>), ApiError> {
    let (keys, now) = (api.keys, api.clock.now());
    let rotate = move || keys.rotate_master_key(now);
    let master_key = run_blocking(rotate).await?;
    info!(master_key, "all secrets sealed again");
    let note = AuditNote::of_object(master_key.clone());
    Ok((Extension(note), Json(MasterKeyJson { master_key })))
}

impl From<KeyStoreError> for ApiError {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::NotInFile => {
                Self::conflict("master_key_not_in_file", format!("Failed to {error}."))
            }
            error => Self::storage("keys_unavailable", &error),
        }
    }
}
