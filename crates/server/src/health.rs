//! `/healthz`, `/readyz` and `/metrics`: for probes and scrapers, which have no token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use easel_log::SharedLog;
use easel_subscriptions::Subscriptions;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::watch;

/// What health is told by.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) log: SharedLog,
    pub(crate) quarantine: SharedLog,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) lane_count: watch::Receiver<Option<usize>>,
    pub(crate) metrics: PrometheusHandle,
}

#[derive(Serialize)]
struct ReadinessJson {
    ready: bool,
    log: &'static str,
    lanes: usize,
    holding: usize,
}

pub(crate) fn routes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Ready: events can be stored, and whoever is to be served is.
async fn readiness(State(health): State<Health>) -> (StatusCode, Json<ReadinessJson>) {
    let refusing = health.log.stats().refusing || health.quarantine.stats().refusing;
    let subscriptions = health.subscriptions.list();
    let holding = subscriptions
        .iter()
        .filter(|it| it.live.hold().is_some())
        .count();
    let lanes = *health.lane_count.borrow();
    let ready = !refusing && lanes.is_some() && health.subscriptions.is_healthy();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let readiness = ReadinessJson {
        ready,
        log: if refusing { "refusing" } else { "writable" },
        lanes: lanes.unwrap_or(0),
        holding,
    };
    (status, Json(readiness))
}

async fn metrics(State(health): State<Health>) -> String {
    health.metrics.render()
}
