//! The routes, and who may use them.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use easel_access::{Authorizer, Caller, Problem, Scope, Tokens, require_scope};
use easel_catalog::Catalog;
use easel_drift::DriftScanner;
use easel_log::{Clock, SharedLog};
use easel_quarantine::Quarantine;
use easel_subscriptions::Subscriptions;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::document::{self, finish};
use crate::{
    SendTest, ServerFacts, attempts, balance, caliper, catalog, dead_letters, deliveries, drift,
    events, parked, quarantine, replays, status, subscriptions, tail, test_delivery, tokens,
};

/// The rooms behind the API.
#[derive(Clone)]
pub struct Api {
    /// The accepted events.
    pub log: SharedLog,
    /// What doors took in that is no event.
    pub quarantine: Quarantine,
    /// The standing orders.
    pub subscriptions: Arc<Subscriptions>,
    /// Every event type there is.
    pub catalog: Arc<Catalog>,
    /// What arrives that the catalogue does not know.
    pub drift: Arc<DriftScanner>,
    /// The tokens.
    pub tokens: Arc<Tokens>,
    /// Sends a test to an endpoint.
    pub send_test: SendTest,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The server and its machine.
    pub host: ServerFacts,
    /// Ends answers that would otherwise go on for ever.
    pub stop: CancellationToken,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// Waits for what ends even an answer that could go on for ever: the server stops, or the
    /// token it was asked for with is removed.
    pub(crate) async fn end(&self, caller: &Caller) {
        let removed = async {
            match &caller.token_id {
                Some(id) => self.tokens.removed(id).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => (),
            () = removed => (),
        }
    }
}

/// The routes under `/v1`, with the document that describes them, and the doors too, at
/// `/v1/openapi.json`.
pub fn routes(api: Api, gate: &Authorizer, doors: OpenApi) -> Router {
    let (router, document) = described(gate).split_for_parts();
    let document = Arc::new(finish(document, doors));
    let public = Router::new()
        .route("/v1/openapi.json", get(document::show))
        .with_state(document);
    router.with_state(api).merge(public)
}

/// The OpenAPI document of [`routes()`].
pub fn document(doors: OpenApi) -> OpenApi {
    finish(described(&Authorizer::open()).into_openapi(), doors)
}

/// Has `router` refuse with problems what no route of it takes. Applied last: of two routers that
/// both do, neither can be merged into the other.
pub fn fallbacks(router: Router) -> Router {
    router
        .fallback(async |uri: Uri| {
            let detail = format!("There is nothing at {}.", uri.path());
            Problem::new(StatusCode::NOT_FOUND, "no_such_route", detail)
        })
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            let detail = format!(
                "{} is not asked with {method}; `Allow` says how.",
                uri.path()
            );
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
}

fn described(gate: &Authorizer) -> OpenApiRouter<Api> {
    let may = |scope| from_fn_with_state((gate.clone(), scope), require_scope);
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
        .layer(may(Scope::Read));
    let manage = OpenApiRouter::new()
        .routes(routes!(subscriptions::create))
        .routes(routes!(subscriptions::replace))
        .routes(routes!(subscriptions::change))
        .routes(routes!(subscriptions::remove))
        .routes(routes!(subscriptions::pause))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(dead_letters::redeliver))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(replays::start))
        .routes(routes!(replays::cancel))
        .routes(routes!(deliveries::pause))
        .routes(routes!(deliveries::resume))
        .routes(routes!(test_delivery::send))
        .routes(routes!(quarantine::empty))
        .routes(routes!(drift::clear))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::create))
        .routes(routes!(tokens::remove))
        .layer(may(Scope::Manage));
    read.merge(manage)
}
