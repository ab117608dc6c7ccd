//! The routes, who may use them, and the document that describes them.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Json, Router};
use easel_access::{Gate, Scope, Tokens, require_scope};
use easel_log::{Clock, Quarantine, SharedLog};
use easel_subscriptions::Subscriptions;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{balance, events, quarantine, subscriptions, tail, tokens};

/// The rooms behind the API.
#[derive(Clone, Debug)]
pub struct Api {
    /// The accepted events.
    pub log: SharedLog,
    /// What doors took in that is no event.
    pub quarantine: Quarantine,
    /// The standing orders.
    pub subscriptions: Arc<Subscriptions>,
    /// The tokens.
    pub tokens: Arc<Tokens>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Ends answers that would otherwise go on for ever.
    pub stop: CancellationToken,
}

/// The routes under `/v1`, with the document that describes them, and the doors too, at
/// `/v1/openapi.json`.
pub fn routes(api: Api, gate: &Gate, doors: OpenApi) -> Router {
    let (router, document) = described(gate).split_for_parts();
    let document = finish(document, doors);
    router
        .with_state(api)
        .route("/v1/openapi.json", get(|| async move { Json(document) }))
}

/// The OpenAPI document of [`routes()`].
pub fn document(doors: OpenApi) -> OpenApi {
    finish(described(&Gate::open()).into_openapi(), doors)
}

fn described(gate: &Gate) -> OpenApiRouter<Api> {
    let may = |scope| from_fn_with_state((gate.clone(), scope), require_scope);
    let read = OpenApiRouter::new()
        .routes(routes!(subscriptions::list))
        .routes(routes!(subscriptions::show))
        .routes(routes!(balance::all))
        .routes(routes!(balance::one))
        .routes(routes!(events::list))
        .routes(routes!(tail::stream))
        .routes(routes!(events::show))
        .routes(routes!(quarantine::list))
        .layer(may(Scope::Read));
    let manage = OpenApiRouter::new()
        .routes(routes!(subscriptions::create))
        .routes(routes!(subscriptions::replace))
        .routes(routes!(subscriptions::remove))
        .routes(routes!(subscriptions::pause))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(quarantine::empty))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::create))
        .routes(routes!(tokens::remove))
        .layer(may(Scope::Manage));
    read.merge(manage)
}

fn finish(mut described: OpenApi, doors: OpenApi) -> OpenApi {
    described.merge(doors);
    let info = InfoBuilder::new()
        .title("Easel")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Events in and out of the Live Events service, and its management. Refusals are problem details (RFC 9457) \
             whose `code` never changes.",
        ))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = described.components.unwrap_or_default();
    components.add_security_scheme("token", bearer);
    OpenApiBuilder::new()
        .info(info)
        .paths(described.paths)
        .components(Some(components))
        .security(Some([SecurityRequirement::new(
            "token",
            Vec::<String>::new(),
        )]))
        .build()
}
