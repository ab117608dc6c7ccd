//! A delivery that was given up.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::Attempt;

/// A delivery that was given up. It can be redelivered as long as the log has its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's identity.
    pub event_id: Uuid,
    /// Its event type.
    pub event_type: Arc<str>,
    /// Why it was given up.
    pub reason: String,
    /// The latest attempts, the oldest first.
    pub attempts: Vec<Attempt>,
    /// How many attempts were made in all.
    pub attempt_count: u32,
    /// The first 4 KiB of the body that the endpoint answered to the last attempt.
    pub answer: Option<Bytes>,
    /// When it was given up.
    pub died_at: Timestamp,
    /// True once an operator has said that it is not to be redelivered.
    pub is_discarded: bool,
}
