//! `/healthz`, `/readyz` and `/metrics`: for probes and scrapers.
//!
//! On the main listener, `/healthz` and `/readyz` answer without a token, because the probes of a load balancer
//! have none. Such an answer of `/readyz` has no counts and no names. `/metrics` needs a token, and a token that
//! is confined to one root account sees only the series of its own subscriptions. The second listener, of the
//! setting `metrics.listen`, answers everything without a token.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use easel_access::{Authorizer, Caller, Problem, Scope, require_scope};
use easel_audit::Audit;
use easel_catalog::Reach;
use easel_log::SharedLog;
use easel_subscriptions::{State as SubscriptionState, Subscriptions};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::{OpenApi, ToSchema};

use crate::Auth;
use crate::metrics_page::only_series_of;

/// The state from which health is read.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) log: SharedLog,
    pub(crate) quarantine: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) lane_count: watch::Receiver<Option<usize>>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) metrics: PrometheusHandle,
}

/// The state of the routes on the main listener.
#[derive(Clone)]
struct GuardedHealth {
    health: Health,
    auth: Auth,
    authorizer: Authorizer,
}

/// Whether the server is ready, and the reasons.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
struct ReadinessJson {
    ready: bool,
    log: &'static str,
    audit: &'static str,
    deliveries: &'static str,
    /// The number of running lanes. Counts and names are only for a token with the scope `read` that is not
    /// confined to one root account.
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes: Option<usize>,
    /// The number of active subscriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<usize>,
    /// The number of subscriptions on hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    holding: Option<usize>,
    /// Subscriptions whose balance does not add up, so that events are missing from the balance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unbalanced: Vec<String>,
}

/// Returns the routes of the main listener.
pub(crate) fn routes(health: Health, auth: Auth, authorizer: &Authorizer) -> Router {
    let readers = (authorizer.clone(), Scope::Read);
    let page = get(metrics).route_layer(from_fn_with_state(readers, require_scope));
    let guarded = GuardedHealth {
        health,
        auth,
        authorizer: authorizer.clone(),
    };
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(readiness))
        .route("/metrics", page)
        .with_state(guarded)
}

/// Returns the routes of the listener for monitoring. They need no token.
pub(crate) fn open_routes(health: Health) -> Router {
    let readiness = async |State(health): State<Health>| health.readiness().answer();
    let metrics = async |State(health): State<Health>| health.metrics_page(&Reach::Everything);
    let unknown = async || {
        let detail = "This listener has only /metrics, /healthz and /readyz.";
        Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
    };
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .fallback(unknown)
        .with_state(health)
}

/// The OpenAPI document of these routes.
#[derive(OpenApi)]
#[openapi(paths(alive, readiness, metrics))]
struct HealthApi;

/// Returns the OpenAPI document of these routes.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    HealthApi::openapi()
}

/// Shows that the process answers.
#[utoipa::path(get, path = "/healthz", operation_id = "show_health", tag = "health", security(()), responses((status = OK, body = String, content_type = "text/plain; charset=utf-8")))]
async fn alive() -> &'static str {
    "ok"
}

/// Shows whether the server is ready: it can store events and write the audit, every active subscription has a
/// lane, the cursors are saved, and every balance adds up. Counts and names are only for a token with the scope `read`.
#[utoipa::path(get, path = "/readyz", operation_id = "show_readiness", tag = "health", security(()), responses((status = OK, body = ReadinessJson), (status = SERVICE_UNAVAILABLE, description = "The server is not ready.", body = ReadinessJson)))]
async fn readiness(State(guarded): State<GuardedHealth>, head: Parts) -> impl IntoResponse {
    let readiness = guarded.health.readiness();
    if guarded.shows_details(&head).await {
        readiness.answer()
    } else {
        readiness.without_details().answer()
    }
}

/// Shows all metrics in the text format of Prometheus. A token that is confined to one root account sees only
/// the series of its own subscriptions.
#[utoipa::path(get, path = "/metrics", operation_id = "show_metrics", tag = "health", responses((status = OK, body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")))]
async fn metrics(
    State(guarded): State<GuardedHealth>,
    Extension(caller): Extension<Caller>,
) -> impl IntoResponse {
    guarded.health.metrics_page(&caller.reach)
}

impl GuardedHealth {
    /// Returns whether a caller may see counts and names. A probe without a token, or with a wrong one, gets
    /// the answer without them.
    async fn shows_details(&self, head: &Parts) -> bool {
        match self.auth {
            Auth::None => true,
            Auth::Tokens if !head.headers.contains_key(AUTHORIZATION) => false,
            Auth::Tokens => {
                let caller = self.authorizer.authorize(head, Scope::Read).await;
                caller.is_ok_and(|caller| caller.reach == Reach::Everything)
            }
        }
    }
}

impl Health {
    fn readiness(&self) -> ReadinessJson {
        let refusing = self.log.stats().refusing || self.quarantine.stats().refusing;
        let subscriptions = self.subscriptions.list();
        let holding = subscriptions
            .iter()
            .filter(|subscription| subscription.shared.hold().is_some())
            .count();
        let active = subscriptions
            .iter()
            .filter(|subscription| subscription.state == SubscriptionState::Active)
            .count();
        let lanes = *self.lane_count.borrow();
        // A server with paused deliveries is ready: an operator paused them, and doors accept events.
        let paused = self.subscriptions.deliveries_are_paused();
        let served = paused || lanes.is_some_and(|lanes| lanes >= active);
        let unbalanced: Vec<_> = subscriptions
            .iter()
            .filter(|subscription| !self.subscriptions.balance(subscription).adds_up())
            .map(|subscription| subscription.full_name().to_string())
            .collect();
        let audit_failing = self.audit.is_failing();
        let is_healthy = self.subscriptions.is_healthy();
        ReadinessJson {
            ready: !refusing && !audit_failing && served && is_healthy && unbalanced.is_empty(),
            log: if refusing { "refusing" } else { "writable" },
            audit: if audit_failing { "failing" } else { "writable" },
            deliveries: if paused { "paused" } else { "running" },
            lanes: Some(lanes.unwrap_or(0)),
            active: Some(active),
            holding: Some(holding),
            unbalanced,
        }
    }

    /// Returns the page of metrics that a caller of this reach may see.
    fn metrics_page(&self, reach: &Reach) -> impl IntoResponse + use<> {
        let page = self.metrics.render();
        let page = match reach {
            Reach::Everything => page,
            Reach::RootAccount(_) => {
                let all = self.subscriptions.list();
                let own = all
                    .iter()
                    .filter(|subscription| reach.includes(&subscription.reach));
                let names: HashSet<_> = own
                    .map(|subscription| subscription.full_name().to_string())
                    .collect();
                only_series_of(&page, &names)
            }
        };
        ([(CONTENT_TYPE, METRICS_TYPE)], page)
    }
}

impl ReadinessJson {
    /// Returns the answer for everybody, without counts and names.
    fn without_details(self) -> Self {
        Self {
            lanes: None,
            active: None,
            holding: None,
            unbalanced: Vec::new(),
            ..self
        }
    }

    fn answer(self) -> (StatusCode, Json<Self>) {
        let status = if self.ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, Json(self))
    }
}

/// The content type of the Prometheus text format. Scrapers read the version in it.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::Request;
    use easel_catalog::Reach;
    use easel_log::{Clock, LogOptions, MemoryLog, SystemClock};
    use easel_subscriptions::MemoryStore;
    use tower::ServiceExt;

    use super::*;
    use crate::gauges;

    /// Returns an audit whose folder is removed already. It writes nothing here.
    fn audit() -> Arc<Audit> {
        let folder = tempfile::tempdir().unwrap();
        let sealer = easel_keys::Sealer::ephemeral().unwrap();
        let path = folder.path().join("audit.db");
        let clock = Arc::new(|| SystemClock.now());
        Arc::new(Audit::open(&path, &sealer, None, clock).unwrap())
    }

    /// Returns the answer of `/readyz` with one active subscription and this number of lanes.
    async fn ready(lanes: Option<usize>) -> (StatusCode, String) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log: SharedLog = Arc::new(MemoryLog::new(LogOptions::default(), Arc::clone(&clock)));
        let subscriptions = Subscriptions::open(
            Arc::new(MemoryStore::default()),
            Arc::clone(&log),
            clock,
            Arc::new(()),
            Arc::new(easel_catalog::Catalog::built_in()),
        );
        let subscriptions = Arc::new(subscriptions.await.unwrap());
        let spec = r#"{"name":"all","webhook":{"url":"http://a"}}"#;
        subscriptions
            .create(Reach::Everything, serde_json::from_str(spec).unwrap())
            .await
            .unwrap();
        ask(Health {
            quarantine: Arc::clone(&log),
            log,
            subscriptions,
            lane_count: watch::channel(lanes).1,
            audit: audit(),
            metrics: gauges::recorder().unwrap(),
        })
        .await
    }

    async fn ask(health: Health) -> (StatusCode, String) {
        let request = Request::get("/readyz").body(String::new()).unwrap();
        let answer = open_routes(health).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1024).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn a_server_with_a_wrong_balance_is_not_ready() {
        let store = Arc::new(MemoryStore::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let open = async |log: &SharedLog| {
            let catalog = Arc::new(easel_catalog::Catalog::built_in());
            let check = Arc::new(());
            let (store, log) = (Arc::<MemoryStore>::clone(&store), Arc::clone(log));
            let opened = Subscriptions::open(store, log, Arc::clone(&clock), check, catalog);
            Arc::new(opened.await.unwrap())
        };
        let new_log =
            || -> SharedLog { Arc::new(MemoryLog::new(LogOptions::default(), Arc::clone(&clock))) };
        let log = new_log();
        let subscriptions = open(&log).await;
        let spec = r#"{"name":"all","webhook":{"url":"http://a"}}"#;
        let all = subscriptions.create(Reach::Everything, serde_json::from_str(spec).unwrap());
        let all = all.await.unwrap();
        let record = easel_log::NewRecord::new(uuid::Uuid::nil(), "x", "{}");
        log.append(vec![record]).await.unwrap();
        all.shared.account().match_to(log.bounds().borrow().head);
        subscriptions.save_all().await.unwrap();
        for (log, status) in [
            (log, StatusCode::OK),
            (new_log(), StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let (found, body) = ask(Health {
                subscriptions: open(&log).await,
                quarantine: Arc::clone(&log),
                log,
                lane_count: watch::channel(Some(1)).1,
                audit: audit(),
                metrics: gauges::recorder().unwrap(),
            })
            .await;
            assert_eq!(found, status, "{body}");
            let is_named = body.contains(r#""unbalanced":["all"]"#);
            assert_eq!(is_named, status != StatusCode::OK, "{body}");
        }
    }

    #[tokio::test]
    async fn a_server_with_a_subscription_without_a_lane_is_not_ready() {
        let unready = StatusCode::SERVICE_UNAVAILABLE;
        for (lanes, status) in [
            (None, unready),
            (Some(0), unready),
            (Some(1), StatusCode::OK),
        ] {
            let (found, body) = ready(lanes).await;
            assert_eq!(found, status, "{lanes:?}: {body}");
            assert!(body.contains(r#""active":1"#), "{body}");
        }
    }
}
