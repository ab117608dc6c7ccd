//! What the doors took in that is no event.
//!
//! It is kept in a log of its own, with all a log promises, until someone has looked at it and
//! empties it. None of its records ever reaches a lane.

mod mark;
mod quarantine;
mod quarantined;

pub use quarantine::Quarantine;
pub use quarantined::{NewQuarantined, Quarantined};
