//! The trait every way of sending implements, what it is given and what it may answer.
//!
//! A sink makes one attempt and reports how it ended. It keeps nothing between attempts but its
//! connections, and what a failure leads to is decided here, in [`SendError::next`], alone.

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;
use uuid::Uuid;

/// A way of sending.
///
/// Dropping the future gives the attempt up; the subscriber may have received it or not.
#[async_trait]
pub trait Sink: Debug + Send + Sync + 'static {
    /// Makes one attempt; `Ok` means the subscriber has taken the event over.
    async fn send(&self, parcel: Parcel) -> Result<(), SendError>;
}

/// What a sink is given for one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The event's identity, the same at every attempt; of several events together, made of
    /// theirs.
    pub id: Uuid,
    /// The event type; of several events, those of all, in order, with commas between.
    pub event_name: Arc<str>,
    /// When it happened, in the spelling the event itself has; of several, as with the types.
    pub event_time: String,
    /// The subscription this delivery is for.
    pub subscription: Arc<str>,
    /// Which attempt this is, from 1.
    pub attempt: NonZeroU32,
    /// The version of the mapping that made the body, if one did.
    pub mapper_version: Option<&'static str>,
    /// The bytes to deliver.
    pub body: Bytes,
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The endpoint says that it is gone for good.
    #[error("send: the endpoint is gone (410)")]
    Gone,
    /// The endpoint answered, and did not take the event.
    #[error("send: the endpoint answered {status}")]
    Refused {
        /// Its answer.
        status: u16,
    },
    /// The endpoint asks for less, or for later.
    #[error("send: the endpoint is busy ({status})")]
    Busy {
        /// Its answer.
        status: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// There was no answer in time; the endpoint may have taken the event.
    #[error("send: no answer in time")]
    TimedOut,
    /// The network failed on the way there or back; the endpoint may have taken the event.
    #[error("send: {reason}")]
    Unreachable {
        /// What failed, with its causes; never a header value or a URL.
        reason: String,
    },
}

impl SendError {
    /// What this failure leads to: the one place where that is decided.
    pub const fn next(&self) -> Next {
        match self {
            Self::Gone => Next::Pause,
            Self::Busy { retry_after, .. } => Next::Retry(*retry_after),
            Self::Refused { .. } | Self::TimedOut | Self::Unreachable { .. } => Next::Retry(None),
        }
    }

    /// The names of all failures: what [`Self::outcome`] may say.
    pub const OUTCOMES: [&'static str; 5] = ["gone", "refused", "busy", "timed_out", "unreachable"];

    /// The failure's name among [`Self::OUTCOMES`]: a closed set, fit for a metric's label.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Refused { .. } => "refused",
            Self::Busy { .. } => "busy",
            Self::TimedOut => "timed_out",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}

/// What a failed attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Stop sending to this subscription until somebody resumes it.
    Pause,
    /// Try again, not before this much time has passed if the endpoint named one.
    Retry(Option<Duration>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_among_the_outcomes_and_every_outcome_is_a_failures() {
        let failures = [
            SendError::Gone,
            SendError::Refused { status: 500 },
            SendError::Busy {
                status: 503,
                retry_after: None,
            },
            SendError::TimedOut,
            SendError::Unreachable {
                reason: String::new(),
            },
        ];
        let outcomes = failures.map(|failure| failure.outcome());
        assert_eq!(outcomes, SendError::OUTCOMES);
    }
}
