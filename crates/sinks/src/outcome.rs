//! How an attempt ended, and who is to blame.

use std::time::Duration;

use thiserror::Error;

/// What an item without an answer gets.
const UNANSWERED: Result<(), SendError> = Err(SendError::TimedOut);

/// How an attempt to send a batch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// For all items alike.
    All(Result<(), SendError>),
    /// For each item, in the order of the batch.
    Each(Vec<Result<(), SendError>>),
}

impl Outcome {
    /// How the item at `place` in the batch ended. An item without an answer has failed.
    pub fn result(&self, place: usize) -> Result<(), &SendError> {
        let result = match self {
            Self::All(result) => result,
            Self::Each(results) => results.get(place).unwrap_or(&UNANSWERED),
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
    /// The endpoint answered, and did not take the event.
    #[error("send: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The endpoint asks for less, or for later.
    #[error("send: {reason}")]
    Busy {
        /// What it said.
        reason: String,
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

/// Who is to blame for a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The event: this endpoint will never take it.
    Event,
    /// The endpoint: another attempt may succeed, not before this much time has passed if the
    /// endpoint named one.
    Endpoint {
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nobody: the endpoint is gone, until somebody resumes the subscription.
    Gone,
}

impl SendError {
    /// Who is to blame: the one place where that is decided.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Gone { .. } => Blame::Gone,
            Self::Rejected { .. } => Blame::Event,
            Self::Busy { retry_after, .. } => Blame::Endpoint {
                retry_after: *retry_after,
            },
            Self::Refused { .. } | Self::TimedOut | Self::Unreachable { .. } => {
                Blame::Endpoint { retry_after: None }
            }
        }
    }

    /// The names of all failures: what [`Self::name`] may say.
    pub const NAMES: [&'static str; 6] = [
        "gone",
        "rejected",
        "refused",
        "busy",
        "timed_out",
        "unreachable",
    ];

    /// The failure's name among [`Self::NAMES`]: a closed set, fit for a metric's label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gone { .. } => "gone",
            Self::Rejected { .. } => "rejected",
            Self::Refused { .. } => "refused",
            Self::Busy { .. } => "busy",
            Self::TimedOut => "timed_out",
            Self::Unreachable { .. } => "unreachable",
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
            SendError::Refused { reason: reason() },
            SendError::Busy {
                reason: reason(),
                retry_after: None,
            },
            SendError::TimedOut,
            SendError::Unreachable { reason: reason() },
        ];
        let names = failures.map(|failure| failure.name());
        assert_eq!(names, SendError::NAMES);
    }

    #[test]
    fn an_item_without_an_answer_has_failed() {
        let outcome = Outcome::Each(vec![Ok(())]);
        assert_eq!(outcome.result(0), Ok(()));
        assert_eq!(outcome.result(1), Err(&SendError::TimedOut));
        assert_eq!(outcome.first_failure(1), None);
        assert_eq!(outcome.first_failure(2), Some(&SendError::TimedOut));
    }
}
