//! How an attempt ended, and who is to blame.

use std::time::Duration;

use thiserror::Error;

use crate::EndpointAnswer;

/// The result of an item without an answer.
const UNANSWERED: Result<(), SendError> = Err(SendError::TimedOut);

/// How an attempt to send a batch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What became of the items.
    pub results: Results,
    /// What the endpoint answered, if it answers at all.
    pub answer: Option<EndpointAnswer>,
    /// Why the subscription is to be paused, if the endpoint asks for that, whatever became of the
    /// items.
    pub closes: Option<String>,
}

/// What became of the items of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Results {
    /// The same for all items.
    All(Result<(), SendError>),
    /// One for each item, in the order of the batch.
    Each(Vec<Result<(), SendError>>),
}

impl Outcome {
    /// One result for all items, without an answer.
    pub const fn all(result: Result<(), SendError>) -> Self {
        Self {
            results: Results::All(result),
            answer: None,
            closes: None,
        }
    }

    /// A result for each item, in the order of the batch, without an answer.
    pub const fn each(results: Vec<Result<(), SendError>>) -> Self {
        Self {
            results: Results::Each(results),
            answer: None,
            closes: None,
        }
    }

    /// The result of the item at `place` in the batch. An item without an answer has failed.
    pub fn result(&self, place: usize) -> Result<(), &SendError> {
        let result = match &self.results {
            Results::All(result) => result,
            Results::Each(results) => results.get(place).unwrap_or(&UNANSWERED),
        };
        result.as_ref().copied()
    }

    /// The first failure, if there is one, for a batch of so many items.
    pub fn first_failure(&self, item_count: usize) -> Option<&SendError> {
        (0..item_count).find_map(|place| self.result(place).err())
    }
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The endpoint says that it is gone for good.
    #[error("send: {reason}")]
    Gone {
        /// What it said.
        reason: String,
    },
    /// The endpoint answered that it will never take this event.
    #[error("send: {reason}")]
    Rejected {
        /// What it said.
        reason: String,
    },
    /// The endpoint asked in so many words not to be sent this batch again.
    #[error("send: {reason}")]
    Aborted {
        /// What it said.
        reason: String,
    },
    /// The endpoint answered, and did not take the event.
    #[error("send: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The endpoint could not take this batch now.
    #[error("send: {reason}")]
    Busy {
        /// What it said.
        reason: String,
        /// How long it asks to wait before this batch is sent again.
        retry_after: Option<Duration>,
    },
    /// The endpoint asks to be sent less.
    #[error("send: {reason}")]
    Throttled {
        /// What it said.
        reason: String,
        /// How long it asks to be sent nothing at all.
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
    /// No connection to the host was made: its name, its port or TLS failed. Nothing was sent.
    #[error("send: {reason}")]
    Unconnected {
        /// What failed, with its causes; never a header value or a URL.
        reason: String,
    },
}

/// Who is to blame for a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The event: this endpoint will never take it.
    Event,
    /// The event, as the endpoint itself has said: nobody needs to find out which one of a batch.
    Batch,
    /// The endpoint: another attempt may succeed, not before `retry_after` has passed if it named
    /// that.
    Endpoint {
        /// How long it asks to wait before the same batch is sent again.
        retry_after: Option<Duration>,
    },
    /// The endpoint, which is well but asks for a pause: nothing is to be sent before it has passed.
    Pause {
        /// How long it asks to be sent nothing.
        retry_after: Option<Duration>,
    },
    /// The host, with all endpoints on it.
    Host,
    /// Nobody: the endpoint is gone, until somebody resumes the subscription.
    Gone,
}

impl SendError {
    /// Who is to blame: the one place where that is decided.
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
            Self::Refused { .. } | Self::TimedOut | Self::Unreachable { .. } => {
                Blame::Endpoint { retry_after: None }
            }
            Self::Unconnected { .. } => Blame::Host,
        }
    }

    /// The names of all failures: what [`Self::name`] may say.
    pub const NAMES: [&'static str; 9] = [
        "gone",
        "rejected",
        "aborted",
        "refused",
        "busy",
        "throttled",
        "timed_out",
        "unreachable",
        "unconnected",
    ];

    /// The failure's name among [`Self::NAMES`]: a closed set, fit for a metric's label.
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
            Self::Unconnected { .. } => "unconnected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_among_the_names_and_every_name_is_a_failures() {
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
            SendError::Unconnected { reason: reason() },
        ];
        let names = failures.map(|failure| failure.name());
        assert_eq!(names, SendError::NAMES);
    }

    #[test]
    fn an_item_without_an_answer_has_failed() {
        let outcome = Outcome::each(vec![Ok(())]);
        assert_eq!(outcome.result(0), Ok(()));
        assert_eq!(outcome.result(1), Err(&SendError::TimedOut));
        assert_eq!(outcome.first_failure(1), None);
        assert_eq!(outcome.first_failure(2), Some(&SendError::TimedOut));
    }
}
