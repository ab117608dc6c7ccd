//! A delivery that was given up.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::Attempt;

/// A delivery that was given up. It can be redelivered while the log has its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's id.
    pub event_id: Uuid,
    /// The event's type.
    pub event_type: Arc<str>,
    /// Why the delivery was given up.
    pub reason: String,
    /// The latest attempts, the oldest first.
    pub attempts: Vec<Attempt>,
    /// The number of all attempts.
    pub attempt_count: u32,
    /// The first 4 KiB of the endpoint's answer body to the last attempt.
    pub answer: Option<Bytes>,
    /// When the delivery was given up.
    pub died_at: Timestamp,
    /// True once an operator has discarded the dead letter. A discarded letter is never redelivered.
    pub is_discarded: bool,
}
