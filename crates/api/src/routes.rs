//! The routes under `/v1`, and the scope that each route requires.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use easel_access::{Authorizer, Problem, Scope, require_everything, require_scope};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::document::{self, finish};
use crate::{
    Api, attempts, audit, balance, caliper, catalog, dead_letters, deliveries, drift, events, keys,
    parked, quarantine, replays, sources, status, subscriptions, tables, tail, test_delivery,
    tokens,
};

/// Returns the routes under `/v1`. The route `/v1/openapi.json` answers with the document that
/// describes them and the doors.
pub fn routes(api: Api, authorizer: &Authorizer, doors: OpenApi) -> Router {
    let (router, document) = described_routes(authorizer).split_for_parts();
    let document = Arc::new(finish(document, doors));
    let public = Router::new()
        .route("/v1/openapi.json", get(document::show))
        .with_state(document);
    router.with_state(api).merge(public)
}

/// Returns the OpenAPI document of [`routes()`].
pub fn document(doors: OpenApi) -> OpenApi {
    finish(
        described_routes(&Authorizer::without_tokens()).into_openapi(),
        doors,
    )
}

/// Makes `router` answer unknown paths and methods with problems. It must be applied last, because
/// axum cannot merge two routers that both have a fallback.
pub fn fallbacks(router: Router) -> Router {
    router
        .fallback(async |uri: Uri| {
            let detail = format!("The path {} does not exist.", uri.path());
            Problem::new(StatusCode::NOT_FOUND, "no_such_route", detail)
        })
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            let detail = format!(
                "{method} is not supported for {}; see the `Allow` header.",
                uri.path()
            );
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
}

fn described_routes(authorizer: &Authorizer) -> OpenApiRouter<Api> {
    let require = |scope| from_fn_with_state((authorizer.clone(), scope), require_scope);
    // The routes that concern the whole server. A caller that is confined to one root account is refused,
    // whatever exists.
    let read_server = OpenApiRouter::new()
        .routes(routes!(keys::list))
        .routes(routes!(sources::list))
        .routes(routes!(sources::show))
        .layer(from_fn(require_everything));
    let manage_server = OpenApiRouter::new()
        .routes(routes!(deliveries::pause))
        .routes(routes!(deliveries::resume))
        .routes(routes!(quarantine::empty))
        .routes(routes!(keys::rotate_signing))
        .routes(routes!(keys::rotate_master))
        .routes(routes!(sources::create))
        .routes(routes!(sources::replace))
        .routes(routes!(sources::remove))
        .routes(routes!(sources::pause))
        .routes(routes!(sources::resume))
        .routes(routes!(audit::verify))
        .layer(from_fn(require_everything));
    let read = OpenApiRouter::new()
        .routes(routes!(subscriptions::list))
        .routes(routes!(subscriptions::show))
        .routes(routes!(attempts::list))
        .routes(routes!(parked::list))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::show))
        .routes(routes!(replays::list))
        .routes(routes!(replays::show))
        .routes(routes!(deliveries::show))
        .routes(routes!(balance::all))
        .routes(routes!(balance::one))
        .routes(routes!(events::list))
        .routes(routes!(tail::stream))
        .routes(routes!(events::show))
        .routes(routes!(quarantine::list))
        .routes(routes!(catalog::list))
        .routes(routes!(catalog::show))
        .routes(routes!(catalog::schema))
        .routes(routes!(catalog::async_api))
        .routes(routes!(caliper::check_envelope))
        .routes(routes!(drift::list))
        .routes(routes!(status::show))
        .routes(routes!(tables::show))
        .routes(routes!(tables::plan))
        .routes(routes!(tables::show_rebuild))
        .merge(read_server)
        .layer(require(Scope::Read));
    let manage = OpenApiRouter::new()
        .routes(routes!(subscriptions::create))
        .routes(routes!(subscriptions::replace))
        .routes(routes!(subscriptions::change))
        .routes(routes!(subscriptions::remove))
        .routes(routes!(subscriptions::pause))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(subscriptions::enforce_guard))
        .routes(routes!(dead_letters::redeliver))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(replays::start))
        .routes(routes!(replays::cancel))
        .routes(routes!(test_delivery::send))
        .routes(routes!(tables::apply))
        .routes(routes!(tables::promote))
        .routes(routes!(tables::start_rebuild))
        .routes(routes!(tables::cancel_rebuild))
        .routes(routes!(drift::clear))
        .routes(routes!(audit::list))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::create))
        .routes(routes!(tokens::change))
        .routes(routes!(tokens::rotate))
        .routes(routes!(tokens::remove))
        .merge(manage_server)
        .layer(require(Scope::Manage));
    let public = OpenApiRouter::new().routes(routes!(keys::jwks));
    read.merge(manage).merge(public)
}
