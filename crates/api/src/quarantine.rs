//! `/v1/quarantine`: records that doors accepted although they are not valid events.

use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use easel_access::Caller;
use easel_audit::{AuditNote, ShownEvents};
use easel_log::Offset;
use easel_quarantine::Quarantined;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::request::Query;

/// The maximum number of records in one answer.
const MAX_LIMIT: usize = 1000;
/// The default number of records in one answer.
const DEFAULT_LIMIT: usize = 100;

/// A record that a door accepted although it is not a valid event.
#[derive(Serialize, ToSchema)]
#[schema(as = Quarantined)]
struct QuarantinedJson {
    /// The place of the record in quarantine.
    #[schema(value_type = u64)]
    offset: Offset,
    /// The door that accepted the record.
    door: String,
    /// Why the record is not an event, for programs.
    code: String,
    /// Why the record is not an event, for people.
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// The name of the source, if the record came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// What the sender may send, if the sender is confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    reach: Option<String>,
    /// The bytes of the record, if they are text.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The bytes of the record in base64, if they are not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuarantineList)]
pub(crate) struct QuarantineListJson {
    records: Vec<QuarantinedJson>,
    /// The value for `from` in the next request.
    #[schema(value_type = u64)]
    next: Offset,
    /// The number of records in quarantine. Absent for a caller that is confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// The number of records that were removed, or dropped because of a limit. Absent for a caller that is
    /// confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Removed)]
pub(crate) struct RemovedJson {
    /// The number of removed records.
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
    /// The place to begin at. The default is the oldest record.
    from: Option<u64>,
    /// The maximum number of records: 1 to 1,000. The default is 100. A page of large records has fewer.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmptyQuery {
    /// Only records before this place. The default is all. Records that were stored together are removed together.
    before: Option<u64>,
}

/// Lists the records in quarantine, oldest first. A caller that is confined to one root account sees what
/// senders with its reach sent. A page can be empty although later pages are not.
#[utoipa::path(get, path = "/v1/quarantine", operation_id = "list_quarantine", tag = "quarantine", params(QuarantineQuery), responses((status = OK, body = QuarantineListJson), (status = UNPROCESSABLE_ENTITY, description = "`invalid_range`")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<QuarantineQuery>,
) -> Result<(Extension<AuditNote>, Json<QuarantineListJson>), ApiError> {
    let from = Offset::new(query.from.unwrap_or(0));
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("`limit` must be 1 to {MAX_LIMIT}, not {limit}.");
        return Err(ApiError::invalid("invalid_range", detail));
    }
    let own = caller
        .reach
        .root_account()
        .map(|_| caller.reach.to_string());
    let page = api.quarantine.page(from, limit, own.as_deref()).await?;
    let offsets = page.records.iter().map(|record| record.offset.get());
    let note = AuditNote::of_shown(ShownEvents::of_offsets(offsets));
    let records = page.records.into_iter().map(QuarantinedJson::from);
    let page = QuarantineListJson {
        records: records.collect(),
        next: page.next,
        count: own.is_none().then(|| api.quarantine.count()),
        gone: own.is_none().then(|| api.quarantine.dropped_count()),
    };
    Ok((Extension(note), Json(page)))
}

/// Removes records from quarantine.
#[utoipa::path(delete, path = "/v1/quarantine", operation_id = "empty_quarantine", tag = "quarantine", params(EmptyQuery), responses((status = OK, body = RemovedJson)))]
pub(crate) async fn empty(
    State(api): State<Api>,
    Query(EmptyQuery { before }): Query<EmptyQuery>,
) -> Result<(Extension<AuditNote>, Json<RemovedJson>), ApiError> {
    let removed = api
        .quarantine
        .empty(Offset::new(before.unwrap_or(u64::MAX)))
        .await?;
    let note = AuditNote::default()
        .with("before", before)
        .with("removed", removed);
    Ok((Extension(note), Json(RemovedJson::new(removed))))
}

impl From<Quarantined> for QuarantinedJson {
    fn from(quarantined: Quarantined) -> Self {
        let (data, data_base64) = match String::from_utf8(quarantined.bytes.into()) {
            Ok(text) => (Some(text), None),
            Err(binary) => (None, Some(BASE64_STANDARD.encode(binary.as_bytes()))),
        };
        Self {
            offset: quarantined.offset,
            door: quarantined.door.to_string(),
            code: quarantined.code,
            detail: quarantined.detail,
            received_at: quarantined.received_at,
            source: quarantined.source.as_deref().map(str::to_owned),
            reach: quarantined.reach.as_deref().map(str::to_owned),
            data,
            data_base64,
        }
    }
}
