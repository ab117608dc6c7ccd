//! The routes of all doors.

use std::sync::Arc;

use axum::Router;
use easel_access::Authorizer;
use easel_sources::{Imports, Sources};
use easel_triggers::Triggers;
use utoipa::openapi::OpenApi;

use crate::{Intake, Kinesis, changes, hooks, imports as import_door, kinesis, native, retry};

/// What the doors need.
#[derive(Debug)]
pub struct Doors {
    /// The part that all doors share.
    pub intake: Arc<Intake>,
    /// Who may send events, changes and files.
    pub authorizer: Authorizer,
    /// The Kinesis door.
    pub kinesis: Kinesis,
    /// Which events follow from changes.
    pub triggers: Arc<Triggers>,
    /// The sources, some of which send requests.
    pub sources: Arc<Sources>,
    /// How far files were imported.
    pub imports: Arc<Imports>,
}

/// Returns the routes of all doors: `POST /v1/events`, `POST /v1/changes` through the triggers,
/// `POST /v1/hooks/{source}` for hosted Canvas, `/v1/imports` for files, `POST /` for the Kinesis protocol,
/// and `POST /v1/quarantine/retry`.
pub fn routes(doors: Doors) -> Router {
    let Doors {
        intake,
        authorizer,
        kinesis,
        triggers,
        sources,
        imports,
    } = doors;
    native::routes(Arc::clone(&intake), authorizer.clone())
        .merge(changes::routes(
            Arc::clone(&intake),
            authorizer.clone(),
            triggers,
        ))
        .merge(retry::routes(Arc::clone(&intake), authorizer.clone()))
        .merge(import_door::routes(
            Arc::clone(&intake),
            imports,
            authorizer,
        ))
        .merge(hooks::routes(Arc::clone(&intake), sources))
        .merge(kinesis::routes(intake, kinesis))
}

/// Returns the OpenAPI document of the doors. It has the schemas of the changes that `triggers`
/// accept. It does not have the Kinesis door.
pub fn document(triggers: &Triggers) -> OpenApi {
    let mut document = <native::NativeApi as utoipa::OpenApi>::openapi();
    document.merge(changes::document(triggers));
    document.merge(<hooks::HooksApi as utoipa::OpenApi>::openapi());
    document.merge(<import_door::ImportsApi as utoipa::OpenApi>::openapi());
    document.merge(<retry::RetryApi as utoipa::OpenApi>::openapi());
    document
}
