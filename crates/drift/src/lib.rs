//! What arrives that the catalogue does not know, counted and kept.
//!
//! The [`DriftScanner`] reads the log behind everybody's back, holds each event once against the
//! catalogue, and keeps what is new as [`DriftRecord`]s: one for each new event type, field, kind of
//! value or listed value, not one for each event. It is on nobody's way: an event is acknowledged
//! and delivered whether or not it was looked at.

mod drift_record;
mod drift_records;
mod drift_scanner;
mod new_findings;
mod store;

mod metrics;

pub use drift_record::{DriftRecord, Example};
pub use drift_scanner::{DriftError, DriftScanner, Report};
pub use store::{DRIFT_LAYOUT, DriftStoreError};
