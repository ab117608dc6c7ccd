//! `/v1/catalog`: all event types, as data and as schemas.

use axum::Json;
use axum::extract::State;
use easel_catalog::EventType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::api_error::ApiError;
use crate::request::{Path, Query};

/// The event types of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Catalog)]
pub(crate) struct CatalogJson {
    /// The version of the built-in data, or the version that the operator's own files name.
    version: String,
    /// A summary of each event type, by name.
    event_types: Vec<Value>,
    /// The fields that metadata can have.
    metadata: Value,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogQuery {
    /// Only event types whose name matches this pattern: `*` is any text, `?` is one character.
    event: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Format)]
#[serde(rename_all = "kebab-case")]
enum SchemaFormat {
    Canvas,
    Caliper,
    CaliperStrict,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaQuery {
    /// The format of the events. The default is `canvas`.
    format: Option<SchemaFormat>,
}

/// Lists the event types.
#[utoipa::path(get, path = "/v1/catalog", operation_id = "list_event_types", tag = "catalog", params(CatalogQuery), responses((status = OK, body = CatalogJson)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Query(CatalogQuery { event }): Query<CatalogQuery>,
) -> Json<CatalogJson> {
    let matching = api.catalog.matching(event.as_deref().unwrap_or("*"));
    Json(CatalogJson {
        version: api.catalog.version().to_owned(),
        event_types: matching.map(EventType::summary).collect(),
        metadata: api.catalog.describe_metadata(),
    })
}

/// Shows an event type with all its fields.
#[utoipa::path(get, path = "/v1/catalog/{event}", operation_id = "show_event_type", tag = "catalog", params(("event" = String, Path)), responses((status = OK, body = Object), (status = NOT_FOUND, description = "`no_such_event_type`")))]
pub(crate) async fn show(
    State(api): State<Api>,
    Path(event): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let event_type = find(&api, &event)?;
    Ok(Json(api.catalog.describe(event_type, api.clock.now())))
}

/// Shows the JSON Schema of an event type, draft 2020-12.
#[utoipa::path(get, path = "/v1/catalog/{event}/schema", operation_id = "show_event_schema", tag = "catalog", params(("event" = String, Path), SchemaQuery), responses((status = OK, body = Object), (status = NOT_FOUND, description = "`no_such_event_type`, or `no_such_form`")))]
pub(crate) async fn schema(
    State(api): State<Api>,
    Path(event): Path<String>,
    Query(SchemaQuery { format }): Query<SchemaQuery>,
) -> Result<Json<Value>, ApiError> {
    let event_type = find(&api, &event)?;
    let no_form = || {
        let detail = format!("{} has no Caliper form.", event_type.name);
        ApiError::not_found("no_such_form", detail)
    };
    let caliper = || event_type.caliper.ok_or_else(no_form);
    let catalog = &api.catalog;
    Ok(Json(match format {
        None | Some(SchemaFormat::Canvas) => catalog.json_schema(event_type),
        Some(SchemaFormat::Caliper) => {
            catalog.caliper_schema(event_type, "caliper", &caliper()?.compatible)
        }
        Some(SchemaFormat::CaliperStrict) => {
            catalog.caliper_schema(event_type, "caliper-strict", &caliper()?.strict)
        }
    }))
}

/// Shows the AsyncAPI document of all events that subscribers get.
#[utoipa::path(get, path = "/v1/asyncapi.json", operation_id = "show_asyncapi", tag = "catalog", responses((status = OK, body = Object)))]
pub(crate) async fn async_api(State(api): State<Api>) -> Json<Value> {
    Json(api.catalog.async_api())
}

fn find<'a>(api: &'a Api, event: &str) -> Result<&'a EventType, ApiError> {
    api.catalog.get(event).ok_or_else(|| {
        let detail = format!("The catalogue has no event type {event:?}.");
        ApiError::not_found("no_such_event_type", detail)
    })
}
