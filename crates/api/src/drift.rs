//! `/v1/drift`: what arrives and is unknown to the catalogue.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use easel_access::Caller;
use easel_audit::AuditNote;
use easel_catalog::RootAccount;
use easel_drift::DriftRecord;
use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use wildmatch::WildMatch;

use crate::Api;
use crate::api_error::ApiError;
use crate::quarantine::RemovedJson;
use crate::request::Query;

/// A drift finding: something in an event that is unknown to the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Sighting)]
struct DriftRecordJson {
    /// The kind of drift: `unknown_event_type`, `unknown_field`, `type_change`, `unlisted_value`,
    /// `no_value` or `longer_text`.
    drift: &'static str,
    event: String,
    /// The JSON pointer to the place, with `*` for every index. Empty for the event itself.
    path: String,
    /// The global id of the root account, or else its UUID, if the events have one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    root_account: Option<String>,
    /// What the catalogue declares for the field, if it has the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<String>,
    /// What arrived: a kind of value, or the unlisted value.
    found: String,
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// How many times this drift arrived.
    count: u64,
    example: ExampleJson,
}

/// Where a finding was first seen.
#[derive(Serialize, ToSchema)]
#[schema(as = Example)]
struct ExampleJson {
    #[schema(value_type = u64)]
    offset: Offset,
    #[schema(value_type = String)]
    id: Uuid,
    /// The value with letters and digits masked; for an unknown event type, the event.
    value: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Drift)]
pub(crate) struct DriftJson {
    /// All drift findings, latest first.
    sightings: Vec<DriftRecordJson>,
    /// All events before this offset were scanned.
    #[schema(value_type = u64)]
    cursor: Offset,
    /// Events that were not scanned, because they were gone from the log or could not be read. Absent for a
    /// caller that is confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
    /// The number of findings that are not listed because the list is full, by kind of drift. Absent for a
    /// caller that is confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    untold: Option<BTreeMap<&'static str, u64>>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftQuery {
    /// Only event types whose name matches this pattern: `*` is any text, `?` is one character.
    event: Option<String>,
    /// Only findings from the root account with this global id, or with this UUID if its events have no id.
    root_account: Option<String>,
}

/// Lists the drift findings: what arrived and is unknown to the catalogue.
#[utoipa::path(get, path = "/v1/drift", operation_id = "list_drift", tag = "drift", params(DriftQuery), responses((status = OK, body = DriftJson)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<DriftQuery>,
) -> Json<DriftJson> {
    let report = api.drift.report();
    let own = caller.reach.root_account().map(RootAccount::as_str);
    let glob = WildMatch::new(query.event.as_deref().unwrap_or("*"));
    let account = query.root_account.as_deref();
    let records = report.records.into_iter().filter(|record| {
        let is_of = |account: Option<&str>| account.is_none() || record.root_account() == account;
        glob.matches(record.event_type()) && is_of(account) && is_of(own)
    });
    Json(DriftJson {
        sightings: records.map(DriftRecordJson::from).collect(),
        cursor: report.cursor,
        missed: own.is_none().then_some(report.missed),
        untold: own.is_none().then(|| {
            let dropped = report.dropped.into_iter();
            dropped
                .map(|(drift, count)| (drift.code(), count))
                .collect()
        }),
    })
}

/// Clears the drift findings that the caller can see. Drift that arrives again is listed again.
#[utoipa::path(delete, path = "/v1/drift", operation_id = "clear_drift", tag = "drift", responses((status = OK, body = RemovedJson)))]
pub(crate) async fn clear(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<(Extension<AuditNote>, Json<RemovedJson>), ApiError> {
    let removed = match caller.reach.root_account() {
        None => api.drift.clear().await?,
        Some(account) => api.drift.clear_of(account.as_str()).await?,
    };
    let note = AuditNote::default().with("removed", removed);
    Ok((Extension(note), Json(RemovedJson::new(removed))))
}

impl From<DriftRecord> for DriftRecordJson {
    fn from(record: DriftRecord) -> Self {
        Self {
            drift: record.drift().code(),
            event: record.event_type().to_owned(),
            path: record.path().to_owned(),
            root_account: record.root_account().map(str::to_owned),
            declared: record.declared,
            found: record.found,
            first_seen: record.first_seen,
            last_seen: record.last_seen,
            count: record.count,
            example: ExampleJson {
                offset: record.example.offset,
                id: record.example.id,
                value: record.example.value,
            },
        }
    }
}
