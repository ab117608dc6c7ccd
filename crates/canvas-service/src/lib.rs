//! The subscription service of Canvas: the seven calls of Canvas's own client.
//!
//! A self-hosted Canvas manages subscriptions by calling a service whose code is closed. This room answers
//! these calls as Canvas reads them: status 200 exactly on success, JSON always, keys in `PascalCase`. A
//! subscription that Canvas creates is one of Easel's own, with Canvas as its owner.
//!
//! The wire is HTTP. The subscriptions are in `subscriptions`, and the token is verified in `keys`.
//! Not here: sending events, and what operators see of the subscriptions.

mod caller;
mod canvas_service;
mod document;
mod event_types;
mod listing;
mod mapping;
mod routes;
mod service_error;
mod shown;
mod transport;

pub use caller::{CanvasAccount, CanvasCaller};
pub use canvas_service::CanvasService;
pub use routes::routes;
pub use service_error::ServiceError;
