//! The doors there are, and the routes they listen on.

use std::sync::Arc;

use axum::Router;
use easel_access::Gate;
use utoipa::openapi::OpenApi;

use crate::{Intake, Kinesis, kinesis, native};

/// A way in. Its name labels metrics and quarantined records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Native,
    Kinesis,
}

impl Door {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Kinesis => "kinesis",
        }
    }
}

/// The routes of all doors: `POST /v1/events`, and `POST /` for the Kinesis protocol.
pub fn routes(intake: Arc<Intake>, gate: Gate, kinesis: Kinesis) -> Router {
    native::routes(Arc::clone(&intake), gate).merge(kinesis::routes(intake, kinesis))
}

/// Describes the doors that the OpenAPI document covers: the native one.
pub fn document() -> OpenApi {
    <native::Document as utoipa::OpenApi>::openapi()
}
