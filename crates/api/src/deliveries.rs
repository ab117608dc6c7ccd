//! `/v1/deliveries`: whether anything is sent to anybody, for all subscriptions together.
//!
//! The switch belongs to the running server: a restart sets it again as `serve` was asked to.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;

use crate::Api;

/// Whether deliveries run.
#[derive(Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub(crate) struct DeliveriesJson {
    /// Whether nothing is sent to any subscription.
    paused: bool,
}

/// Whether deliveries run.
#[utoipa::path(get, path = "/v1/deliveries", operation_id = "show_deliveries", tag = "deliveries", responses((status = OK, body = DeliveriesJson)))]
pub(crate) async fn show(State(api): State<Api>) -> Json<DeliveriesJson> {
    answer(&api)
}

/// Stops all deliveries. Events still come in, and every subscription keeps its place.
#[utoipa::path(post, path = "/v1/deliveries/pause", operation_id = "pause_deliveries", tag = "deliveries", responses((status = OK, body = DeliveriesJson)))]
pub(crate) async fn pause(State(api): State<Api>) -> Json<DeliveriesJson> {
    api.subscriptions.pause_deliveries();
    info!("deliveries paused");
    answer(&api)
}

/// Starts all deliveries again, each from where it stopped.
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
