//! The latest attempts of one lane, for people who want to see how it does.

use std::collections::VecDeque;

use easel_log::Offset;
use jiff::Timestamp;

/// One attempt, and what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedAttempt {
    /// The offset of the first event of the batch.
    pub offset: Offset,
    /// Events in the batch.
    pub item_count: u32,
    /// Which attempt of this batch it was, from 1.
    pub number: u32,
    /// When it began, in milliseconds since 1970.
    pub at_millis: i64,
    /// How many milliseconds it took.
    pub took_millis: u32,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// [`Attempt::DELIVERED`](crate::Attempt::DELIVERED), or the name of the failure.
    pub outcome: &'static str,
}

/// The latest attempts of one lane. It is in memory only, and no part of the balance.
#[derive(Debug, Default)]
pub struct AttemptLog(VecDeque<LoggedAttempt>);

impl AttemptLog {
    /// Attempts that are kept.
    pub const MAX: usize = 10_000;

    /// Adds an attempt that has ended.
    pub fn push(&mut self, attempt: LoggedAttempt) {
        if self.0.len() >= Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(attempt);
    }

    /// The latest attempts, the newest first.
    pub fn latest(&self) -> impl Iterator<Item = &LoggedAttempt> {
        self.0.iter().rev()
    }

    /// The attempts that began at this time or later, the newest first.
    pub fn since(&self, time: Timestamp) -> impl Iterator<Item = &LoggedAttempt> {
        let millis = time.as_millisecond();
        self.latest()
            .filter(move |attempt| attempt.at_millis >= millis)
    }
}
