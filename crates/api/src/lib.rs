//! Management over HTTP: wire shapes, answers, the OpenAPI document.
//!
//! Everything under `/v1` but the doors. Handlers translate between HTTP and the rooms behind;
//! what they decide themselves is only how a refusal is worded.

mod api;
mod document;
mod server_facts;

mod attempts;
mod balance;
mod caliper;
mod catalog;
mod dead_letters;
mod deliveries;
mod drift;
mod events;
mod parked;
mod quarantine;
mod replays;
mod status;
mod subscriptions;
mod tail;
mod test_delivery;
mod tokens;

mod api_error;
mod lane_name;
mod request;

pub use api::{Api, document, fallbacks, routes};
pub use server_facts::{DiskSpace, ReadDiskSpace, ServerFacts};
pub use test_delivery::{SendTest, TestReport};
