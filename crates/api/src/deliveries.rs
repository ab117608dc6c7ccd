//! `/v1/deliveries`: pauses and resumes the deliveries of all subscriptions.
//!
//! The pause is not saved. After a restart, the option of `serve` decides again.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;

use crate::Api;

/// The state of all deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub(crate) struct DeliveriesJson {
    /// Whether deliveries are paused for all subscriptions.
    paused: bool,
}

/// Shows whether deliveries are paused.
#[utoipa::path(get, path = "/v1/deliveries", operation_id = "show_deliveries", tag = "deliveries", responses((status = OK, body = DeliveriesJson)))]
pub(crate) async fn show(State(api): State<Api>) -> Json<DeliveriesJson> {
    answer(&api)
}

/// Pauses all deliveries. The server still accepts events, and every subscription keeps its cursor.
#[utoipa::path(post, path = "/v1/deliveries/pause", operation_id = "pause_deliveries", tag = "deliveries", responses((status = OK, body = DeliveriesJson)))]
pub(crate) async fn pause(State(api): State<Api>) -> Json<DeliveriesJson> {
    api.subscriptions.pause_deliveries();
    info!("deliveries paused");
    answer(&api)
}

/// Resumes all deliveries, each from its cursor.
#[utoipa::path(post, path = "/v1/deliveries/resume", operation_id = "resume_deliveries", tag = "deliveries", responses((status = OK, body = DeliveriesJson)))]
pub(crate) async fn resume(State(api): State<Api>) -> Json<DeliveriesJson> {
    api.subscriptions.resume_deliveries();
    info!("deliveries resumed");
    answer(&api)
}

fn answer(api: &Api) -> Json<DeliveriesJson> {
    let paused = api.subscriptions.deliveries_are_paused();
    Json(DeliveriesJson { paused })
}
