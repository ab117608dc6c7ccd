//! The outcome of an attempt, and who is to blame for a failure.

use std::time::Duration;

use thiserror::Error;

use crate::EndpointAnswer;

/// The result of an item for which the sink returned no result.
const UNANSWERED: Result<(), SendError> = Err(SendError::TimedOut);

/// The outcome of an attempt to send a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The results of the items.
    pub results: Results,
    /// The answer of the endpoint, if there was one.
    pub answer: Option<EndpointAnswer>,
    /// The reason to pause the subscription, if the endpoint asks for a pause. An endpoint can ask for it
    /// after a success too.
    pub pause_reason: Option<String>,
}

/// The results of the items of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Results {
    /// The same result for all items.
    All(Result<(), SendError>),
    /// One result per item, in the order of the batch.
    Each(Vec<Result<(), SendError>>),
}

impl Outcome {
    /// Creates an outcome with one result for all items, without an answer.
    pub const fn all(result: Result<(), SendError>) -> Self {
        Self {
            results: Results::All(result),
            answer: None,
            pause_reason: None,
        }
    }

    /// Creates an outcome with one result per item, in the order of the batch, without an answer.
    pub const fn each(results: Vec<Result<(), SendError>>) -> Self {
        Self {
            results: Results::Each(results),
            answer: None,
            pause_reason: None,
        }
    }

    /// Returns the result of the item at `index` in the batch. An item without a result counts as timed
    /// out.
    pub fn result(&self, index: usize) -> Result<(), &SendError> {
        let result = match &self.results {
            Results::All(result) => result,
            Results::Each(results) => results.get(index).unwrap_or(&UNANSWERED),
        };
        result.as_ref().copied()
    }

    /// Returns the first failure of a batch with `item_count` items.
    pub fn first_failure(&self, item_count: usize) -> Option<&SendError> {
        (0..item_count).find_map(|index| self.result(index).err())
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The endpoint answered that it is gone permanently.
    #[error("send: {reason}")]
    Gone {
        /// The reason.
        reason: String,
    },
    /// The endpoint answered that it will never accept this event.
    #[error("send: {reason}")]
    Rejected {
        /// The reason.
        reason: String,
    },
    /// The endpoint explicitly asked not to receive this batch again.
    #[error("send: {reason}")]
    Aborted {
        /// The reason.
        reason: String,
    },
    /// The endpoint answered, and did not accept the event.
    #[error("send: {reason}")]
    Refused {
        /// The reason.
        reason: String,
    },
    /// The endpoint cannot accept this batch now.
    #[error("send: {reason}")]
    Busy {
        /// The reason.
        reason: String,
        /// How long the endpoint asks to wait before this batch is sent again.
        retry_after: Option<Duration>,
    },
    /// The endpoint asks for fewer requests.
    #[error("send: {reason}")]
    Throttled {
        /// The reason.
        reason: String,
        /// How long the endpoint asks to receive no requests at all.
        retry_after: Option<Duration>,
    },
    /// The attempt timed out. The endpoint may have accepted the event.
    #[error("send: no answer in time")]
    TimedOut,
    /// The network failed after the connection was made. The endpoint may have accepted the event.
    #[error("send: {reason}")]
    Unreachable {
        /// The error with its causes. It never contains a header value or a URL.
        reason: String,
    },
    /// This server sent nothing, because the address guard refuses the address, or because it could not sign
    /// or build the request.
    #[error("send: {reason}")]
    NotSent {
        /// The reason.
        reason: String,
    },
    /// No connection was made: DNS, TCP or TLS failed. Nothing was sent.
    #[error("send: {reason}")]
    Unconnected {
        /// The error with its causes. It never contains a header value or a URL.
        reason: String,
    },
}

/// Who is to blame for a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The event: this endpoint will never accept it.
    Event,
    /// The whole batch, because the endpoint said so. The lane must not split it to find a bad event.
    Batch,
    /// The endpoint: another attempt may succeed, after `retry_after` if there is one.
    Endpoint {
        /// How long the endpoint asks to wait before the same batch is sent again.
        retry_after: Option<Duration>,
    },
    /// The endpoint: it works, but asks for a pause. Nothing must be sent during the pause.
    Pause {
        /// The length of the pause.
        retry_after: Option<Duration>,
    },
    /// The host, and so all endpoints on it.
    Host,
    /// Nobody: the endpoint is gone. The subscription is paused until an operator resumes it.
    Gone,
}

impl SendError {
    /// Returns who is to blame. Only this function decides it.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Gone { .. } => Blame::Gone,
            Self::Rejected { .. } => Blame::Event,
            Self::Aborted { .. } => Blame::Batch,
            Self::Busy { retry_after, .. } => Blame::Endpoint {
                retry_after: *retry_after,
            },
            Self::Throttled { retry_after, .. } => Blame::Pause {
                retry_after: *retry_after,
            },
            Self::Refused { .. }
            | Self::TimedOut
            | Self::Unreachable { .. }
            | Self::NotSent { .. } => Blame::Endpoint { retry_after: None },
            Self::Unconnected { .. } => Blame::Host,
        }
    }

    /// All names that [`Self::name`] can return.
    pub const NAMES: [&'static str; 10] = [
        "gone",
        "rejected",
        "aborted",
        "refused",
        "busy",
        "throttled",
        "timed_out",
        "unreachable",
        "not_sent",
        "unconnected",
    ];

    /// Returns the name of the failure, one of [`Self::NAMES`]. The set is closed, so the name can be a
    /// metric label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gone { .. } => "gone",
            Self::Rejected { .. } => "rejected",
            Self::Aborted { .. } => "aborted",
            Self::Refused { .. } => "refused",
            Self::Busy { .. } => "busy",
            Self::Throttled { .. } => "throttled",
            Self::TimedOut => "timed_out",
            Self::Unreachable { .. } => "unreachable",
            Self::NotSent { .. } => "not_sent",
            Self::Unconnected { .. } => "unconnected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_all_failures() {
        let reason = String::new;
        let failures = [
            SendError::Gone { reason: reason() },
            SendError::Rejected { reason: reason() },
            SendError::Aborted { reason: reason() },
            SendError::Refused { reason: reason() },
            SendError::Busy {
                reason: reason(),
                retry_after: None,
            },
            SendError::Throttled {
                reason: reason(),
                retry_after: None,
            },
            SendError::TimedOut,
            SendError::Unreachable { reason: reason() },
            SendError::NotSent { reason: reason() },
            SendError::Unconnected { reason: reason() },
        ];
        let names = failures.map(|failure| failure.name());
        assert_eq!(names, SendError::NAMES);
    }

    #[test]
    fn an_item_without_a_result_has_timed_out() {
        let outcome = Outcome::each(vec![Ok(())]);
        assert_eq!(outcome.result(0), Ok(()));
        assert_eq!(outcome.result(1), Err(&SendError::TimedOut));
        assert_eq!(outcome.first_failure(1), None);
        assert_eq!(outcome.first_failure(2), Some(&SendError::TimedOut));
    }
}
