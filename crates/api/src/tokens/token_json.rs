//! The JSON of tokens.

use std::num::{NonZeroU32, NonZeroU64};

use easel_access::{Amendment, Scope, Token};
use easel_keys::{Secret, serialize_exposed};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::invalid;
use crate::api_error::ApiError;

/// The largest limit of requests each second.
const MAX_REQUESTS: u64 = 1_000_000;
/// The largest limit of bytes each second: 1 TiB.
const MAX_BYTES: u64 = 1 << 40;

/// A token without its secrets.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenJson {
    id: String,
    name: String,
    #[schema(value_type = Vec<ScopeJson>)]
    scopes: Vec<&'static str>,
    /// What the token may see and change: `*` for everything, or `root_account:` and an id or a UUID.
    #[schema(example = "root_account:21070000000000001")]
    reach: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on the token is refused. `null`: the token does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When the token was last used, to the second. `null`: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Until when an older secret of the token works, too. `null`: only the newest secret works.
    #[schema(value_type = Option<String>, format = DateTime)]
    overlap_ends_at: Option<Timestamp>,
    /// The most requests each second. `null`: no limit.
    #[schema(value_type = Option<u32>)]
    max_requests_per_second: Option<NonZeroU32>,
    /// The most bytes of request bodies each second, as they are sent. `null`: no limit.
    #[schema(value_type = Option<u64>)]
    max_bytes_per_second: Option<NonZeroU64>,
}

/// What a token may do.
#[derive(ToSchema)]
#[schema(as = Scope, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum ScopeJson {
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
    pub(super) tokens: Vec<TokenJson>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenJson {
    /// The name of the token, for people.
    #[schema(example = "canvas", min_length = 1, max_length = 200)]
    pub(super) name: String,
    #[schema(value_type = Vec<ScopeJson>, example = json!(["ingest"]), min_items = 1)]
    pub(super) scopes: Vec<String>,
    /// What the token may see and change. By default that of the caller.
    #[schema(example = "*")]
    pub(super) reach: Option<String>,
    /// From when on the token is refused. By default it does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) expires_at: Option<Timestamp>,
    /// The most requests each second. By default there is no limit.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub(super) max_requests_per_second: Option<u64>,
    /// The most bytes of request bodies each second, as they are sent. By default there is no limit.
    #[schema(minimum = 1, maximum = 1_099_511_627_776_u64)]
    pub(super) max_bytes_per_second: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TokenPatch)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenPatchJson {
    /// The new name.
    #[schema(min_length = 1, max_length = 200)]
    pub(super) name: Option<String>,
    /// The new expiry; `null` removes it.
    #[serde(default, deserialize_with = "amendment")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) expires_at: Amendment<Timestamp>,
    /// The new limit; `null` removes it.
    #[serde(default, deserialize_with = "amendment")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000)]
    pub(super) max_requests_per_second: Amendment<u64>,
    /// The new limit; `null` removes it.
    #[serde(default, deserialize_with = "amendment")]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 1_099_511_627_776_u64)]
    pub(super) max_bytes_per_second: Amendment<u64>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RotateToken)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateTokenJson {
    /// How long the old secret works, at most `90d`. By default `24h`; with `0s` it is refused at once.
    #[schema(example = "24h")]
    pub(super) overlap: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = MadeToken)]
pub(crate) struct MadeTokenJson {
    #[serde(flatten)]
    pub(super) details: TokenJson,
    /// The token itself. It is shown only once, because the server stores only a hash.
    #[schema(value_type = String)]
    #[serde(serialize_with = "serialize_exposed")]
    pub(super) token: Secret<String>,
}

/// Reads a member that is there, so that `null` is not the same as a missing member.
fn amendment<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Amendment<T>, D::Error> {
    let value = Option::deserialize(from)?;
    Ok(value.map_or(Amendment::Remove, Amendment::Set))
}

pub(super) fn request_limit(limit: u64) -> Result<NonZeroU32, ApiError> {
    let usable = u32::try_from(limit).ok().filter(|_| limit <= MAX_REQUESTS);
    usable.and_then(NonZeroU32::new).ok_or_else(|| {
        invalid(format!(
            "`max_requests_per_second` must be 1 to {MAX_REQUESTS}, not {limit}."
        ))
    })
}

pub(super) fn byte_limit(limit: u64) -> Result<NonZeroU64, ApiError> {
    let usable = NonZeroU64::new(limit).filter(|limit| limit.get() <= MAX_BYTES);
    usable.ok_or_else(|| {
        invalid(format!(
            "`max_bytes_per_second` must be 1 to {MAX_BYTES}, not {limit}."
        ))
    })
}

impl From<Token> for TokenJson {
    fn from(token: Token) -> Self {
        let settings = token.settings;
        Self {
            id: token.id,
            name: settings.name,
            scopes: settings.scopes.iter().map(Scope::as_str).collect(),
            reach: settings.reach.to_string(),
            created_at: token.created_at,
            expires_at: settings.expires_at,
            last_used_at: token.last_used_at,
            overlap_ends_at: token.overlap_ends_at,
            max_requests_per_second: settings.limits.max_requests_per_second,
            max_bytes_per_second: settings.limits.max_bytes_per_second,
        }
    }
}
