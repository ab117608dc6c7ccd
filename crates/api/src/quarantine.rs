//! `/v1/quarantine`: what doors took in that is no event.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_log::Offset;
use easel_quarantine::Quarantined;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::request::Query;

/// Records in one answer at most, and when nothing is said.
const MAX_LIMIT: usize = 1000;
const LIMIT: usize = 100;

/// Something a door took in that is no event.
#[derive(Serialize, ToSchema)]
#[schema(as = Quarantined)]
struct QuarantinedJson {
    /// Its place in the quarantine.
    #[schema(value_type = u64)]
    offset: Offset,
    /// The door it came through.
    door: String,
    /// Why it is no event, for programs.
    code: String,
    /// Why it is no event, for people.
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// What came, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// What came, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuarantineList)]
pub(crate) struct QuarantineListJson {
    records: Vec<QuarantinedJson>,
    /// Where the next answer goes on; `from` of the next request.
    #[schema(value_type = u64)]
    next: Offset,
    /// How many there are in all.
    count: u64,
    /// How many were there once and are gone: emptied, or dropped for want of room.
    gone: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Removed)]
pub(crate) struct RemovedJson {
    /// How many records are gone.
    removed: u64,
}

impl RemovedJson {
    pub(crate) const fn new(removed: u64) -> Self {
        Self { removed }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantineQuery {
    /// The place to begin at; the oldest when left out.
    from: Option<u64>,
    /// How many at most: 1 to 1,000, 100 when left out. Large records make fewer.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    /// Only records before this place; all when left out. What was stored together goes together.
    before: Option<u64>,
}

/// Lists what is in quarantine, oldest first.
#[utoipa::path(get, path = "/v1/quarantine", operation_id = "list_quarantine", tag = "quarantine", params(QuarantineQuery), responses((status = OK, body = QuarantineListJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Query(range): Query<QuarantineQuery>,
) -> Result<Json<QuarantineListJson>, ApiError> {
    let from = Offset::new(range.from.unwrap_or(0));
    let limit = range.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` is 1 to {MAX_LIMIT}; {limit} is not.");
        return Err(ApiError::invalid("invalid_range", detail));
    }
    let records = api.quarantine.list(from, limit).await?;
    let next = records.last().map_or(from, |last| last.offset.next());
    let records = records.into_iter().map(QuarantinedJson::from).collect();
    Ok(Json(QuarantineListJson {
        records,
        next,
        count: api.quarantine.count(),
        gone: api.quarantine.gone_count(),
    }))
}

/// Throws away what is in quarantine.
#[utoipa::path(delete, path = "/v1/quarantine", operation_id = "empty_quarantine", tag = "quarantine", params(Before), responses((status = OK, body = RemovedJson)))]
pub(crate) async fn empty(
    State(api): State<Api>,
    Query(Before { before }): Query<Before>,
) -> Result<Json<RemovedJson>, ApiError> {
    let removed = api
        .quarantine
        .empty(Offset::new(before.unwrap_or(u64::MAX)))
        .await?;
    Ok(Json(RemovedJson::new(removed)))
}

impl From<Quarantined> for QuarantinedJson {
    fn from(it: Quarantined) -> Self {
        let (data, data_base64) = match String::from_utf8(it.bytes.into()) {
            Ok(text) => (Some(text), None),
            Err(binary) => (None, Some(BASE64_STANDARD.encode(binary.as_bytes()))),
        };
        Self {
            offset: it.offset,
            door: it.door.to_string(),
            code: it.code,
            detail: it.detail,
            received_at: it.received_at,
            data,
            data_base64,
        }
    }
}
