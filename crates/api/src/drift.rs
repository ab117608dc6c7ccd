//! `/v1/drift`: what arrives that the catalogue does not know.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
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

/// Something that the catalogue does not know.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftRecord)]
struct SightingJson {
    /// `unknown_event_type`, `unknown_field`, `type_change`, `unlisted_value`, `no_value` or
    /// `longer_text`.
    drift: &'static str,
    event: String,
    /// The JSON pointer to it, with `*` for every index; empty for the event itself.
    path: String,
    /// The global id of the root account that it came from, if the events tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    root_account: Option<String>,
    /// What the catalogue says of the field, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<String>,
    /// What came: a kind of value, or the value that is not listed.
    found: String,
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// How many times it came.
    count: u64,
    example: ExampleJson,
}

/// Where something was first seen.
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
    /// What was seen, the latest first.
    sightings: Vec<SightingJson>,
    /// Everything before this offset was looked at.
    #[schema(value_type = u64)]
    cursor: Offset,
    /// Events that were gone from the log, or could not be read, before they were looked at.
    missed: u64,
    /// How often something came that is not told, since too many things are, by kind of drift.
    untold: BTreeMap<&'static str, u64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftQuery {
    /// Only event types whose name matches: `*` stands for any text, `?` for a character.
    event: Option<String>,
    /// Only what came from the root account with this global id.
    root_account: Option<String>,
}

/// Lists what came that the catalogue does not know.
#[utoipa::path(get, path = "/v1/drift", operation_id = "list_drift", tag = "drift", params(DriftQuery), responses((status = OK, body = DriftJson)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Query(which): Query<DriftQuery>,
) -> Json<DriftJson> {
    let report = api.drift.report();
    let glob = WildMatch::new(which.event.as_deref().unwrap_or("*"));
    let account = which.root_account.as_deref();
    let sightings = report.sightings.into_iter().filter(|it| {
        glob.matches(it.event_type()) && (account.is_none() || it.root_account() == account)
    });
    Json(DriftJson {
        sightings: sightings.map(SightingJson::from).collect(),
        cursor: report.cursor,
        missed: report.missed,
        untold: report
            .untold
            .into_iter()
            .map(|(drift, count)| (drift.code(), count))
            .collect(),
    })
}

/// Forgets what was seen; what comes again is listed again.
#[utoipa::path(delete, path = "/v1/drift", operation_id = "clear_drift", tag = "drift", responses((status = OK, body = RemovedJson)))]
pub(crate) async fn clear(State(api): State<Api>) -> Result<Json<RemovedJson>, ApiError> {
    let removed = api.drift.clear().await?;
    Ok(Json(RemovedJson::new(removed)))
}

impl From<DriftRecord> for SightingJson {
    fn from(it: DriftRecord) -> Self {
        Self {
            drift: it.drift().code(),
            event: it.event_type().to_owned(),
            path: it.path().to_owned(),
            root_account: it.root_account().map(str::to_owned),
            declared: it.declared,
            found: it.found,
            first_seen: it.first_seen,
            last_seen: it.last_seen,
            count: it.count,
            example: ExampleJson {
                offset: it.example.offset,
                id: it.example.id,
                value: it.example.value,
            },
        }
    }
}
