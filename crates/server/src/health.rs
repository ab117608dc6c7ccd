//! `/healthz`, `/readyz` and `/metrics`: for probes and scrapers, without a token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use easel_audit::Audit;
use easel_log::SharedLog;
use easel_subscriptions::{State as SubscriptionState, Subscriptions};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::{OpenApi, ToSchema};

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

/// Whether the server is ready, and the reasons.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
struct ReadinessJson {
    ready: bool,
    log: &'static str,
    audit: &'static str,
    deliveries: &'static str,
    lanes: usize,
    active: usize,
    holding: usize,
    /// Subscriptions whose balance does not add up, so that events are missing from the balance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unbalanced: Vec<String>,
}

pub(crate) fn routes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
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

/// Shows whether the server is ready: it can store events, the audit can be written, every active subscription has a lane, the
/// cursors are saved, and every balance adds up.
#[utoipa::path(get, path = "/readyz", operation_id = "show_readiness", tag = "health", security(()), responses((status = OK, body = ReadinessJson), (status = SERVICE_UNAVAILABLE, description = "The server is not ready.", body = ReadinessJson)))]
async fn readiness(State(health): State<Health>) -> (StatusCode, Json<ReadinessJson>) {
    let refusing = health.log.stats().refusing || health.quarantine.stats().refusing;
    let subscriptions = health.subscriptions.list();
    let holding = subscriptions
        .iter()
        .filter(|subscription| subscription.shared.hold().is_some())
        .count();
    let active = subscriptions
        .iter()
        .filter(|subscription| subscription.state == SubscriptionState::Active)
        .count();
    let lanes = *health.lane_count.borrow();
    // A server with paused deliveries is ready: an operator paused them, and doors accept events.
    let paused = health.subscriptions.deliveries_are_paused();
    let served = paused || lanes.is_some_and(|lanes| lanes >= active);
    let unbalanced: Vec<_> = subscriptions
        .iter()
        .filter(|subscription| !health.subscriptions.balance(subscription).adds_up())
        .map(|subscription| subscription.spec.name.to_string())
        .collect();
    let audit_failing = health.audit.is_failing();
    let ready = !refusing
        && !audit_failing
        && served
        && health.subscriptions.is_healthy()
        && unbalanced.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let readiness = ReadinessJson {
        ready,
        log: if refusing { "refusing" } else { "writable" },
        audit: if audit_failing { "failing" } else { "writable" },
        deliveries: if paused { "paused" } else { "running" },
        lanes: lanes.unwrap_or(0),
        active,
        holding,
        unbalanced,
    };
    (status, Json(readiness))
}

/// The content type of the Prometheus text format. Scrapers read the version in it.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Shows all metrics in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "show_metrics", tag = "health", security(()), responses((status = OK, body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")))]
async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    ([(CONTENT_TYPE, METRICS_TYPE)], health.metrics.render())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::Request;
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
            .create(serde_json::from_str(spec).unwrap())
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
        let answer = routes(health).oneshot(request).await.unwrap();
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
        let all = subscriptions.create(serde_json::from_str(spec).unwrap());
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
