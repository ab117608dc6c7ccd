//! Management over HTTP: wire shapes, answers, the OpenAPI document.
//!
//! This crate has all routes under `/v1` except the doors. Handlers translate between HTTP and the
//! other rooms. The only thing they decide is the wording of a refusal.
//!
//! ```
//! use utoipa::openapi::OpenApi;
//!
//! // A server passes the description of its doors. Without doors, it is empty.
//! let document = easel_api::document(OpenApi::default());
//! let json = serde_json::to_value(&document)?;
//!
//! let status = &json["paths"]["/v1/status"]["get"];
//! assert_eq!(status["operationId"], "show_status");
//! // Every route requires a token, except the route of the document itself.
//! assert!(status["responses"]["401"].is_object());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api;
mod audited;
mod document;
mod manage_tables;
mod operations;
mod routes;
mod send_test;
mod server_facts;

mod attempts;
mod audit;
mod balance;
mod caliper;
mod catalog;
mod dead_letters;
mod deliveries;
mod drift;
mod events;
mod keys;
mod parked;
mod quarantine;
mod replays;
mod sources;
mod status;
mod subscriptions;
mod tables;
mod tail;
mod test_delivery;
mod tokens;

mod api_error;
mod caller_name;
mod changed_members;
mod lane_name;
mod request;

pub use api::Api;
pub use audited::audited;
pub use manage_tables::{
    ManageTables, PromotedField, RebuildReport, RebuildState, TableChange, TableReport,
    TablesFault, TablesReport,
};
pub use operations::{AUDIT_RULES, AuditRule};
pub use routes::{document, fallbacks, routes};
pub use send_test::{SendTest, TestReport};
pub use server_facts::{DiskSpace, ReadDiskSpace, ReadTlsProblem, ServerFacts};
