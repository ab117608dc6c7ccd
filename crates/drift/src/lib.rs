//! What arrives that the catalogue does not know, counted and kept.
//!
//! The [`Lookout`] reads the log behind everybody's back, holds each event once against the
//! catalogue, and keeps what is new as [`Sighting`]s: one for each new event type, field, kind of
//! value or listed value, not one for each event. It is on nobody's way: an event is acknowledged
//! and delivered whether or not it was looked at.

mod lookout;
mod new_findings;
mod sighting;
mod sightings;
mod store;

mod metrics;

pub use lookout::{DriftError, Lookout, Report};
pub use sighting::{Example, Sighting};
pub use store::{DRIFT_LAYOUT, StoreError};
