//! The doors there are, and the routes they listen on.

use std::sync::Arc;

use axum::Router;
use easel_access::Authorizer;
use easel_triggers::Triggers;
use utoipa::openapi::OpenApi;

use crate::{Intake, Kinesis, changes, kinesis, native, retry};

/// A way in. Its name labels metrics and quarantined records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Native,
    Kinesis,
    Changes,
    /// What is admitted after it was in quarantine.
    Quarantine,
}

impl Door {
    /// All doors.
    pub(crate) const ALL: [Self; 4] =
        [Self::Native, Self::Kinesis, Self::Changes, Self::Quarantine];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Kinesis => "kinesis",
            Self::Changes => "changes",
            Self::Quarantine => "quarantine",
        }
    }
}

/// The routes of all doors: `POST /v1/events`, `POST /v1/changes` through the triggers, `POST /` for
/// the Kinesis protocol, and `POST /v1/quarantine/retry`.
pub fn routes(
    intake: Arc<Intake>,
    gate: Authorizer,
    kinesis: Kinesis,
    triggers: Arc<Triggers>,
) -> Router {
    native::routes(Arc::clone(&intake), gate.clone())
        .merge(changes::routes(Arc::clone(&intake), gate.clone(), triggers))
        .merge(retry::routes(Arc::clone(&intake), gate))
        .merge(kinesis::routes(intake, kinesis))
}

/// Describes the doors that the OpenAPI document covers: all but that of the Kinesis protocol, with a
/// schema of the changes that these triggers take.
pub fn document(triggers: &Triggers) -> OpenApi {
    let mut document = <native::NativeApi as utoipa::OpenApi>::openapi();
    document.merge(changes::document(triggers));
    document.merge(<retry::RetryApi as utoipa::OpenApi>::openapi());
    document
}
