//! The latest attempts of one lane, for people who want to see how it does.
//!
//! It is in memory and no part of the balance. Now and then it is saved, a part of 500 attempts at a
//! time, so that a restart forgets at most what the last seconds have brought. What was saved before
//! this start is read when somebody asks for it first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::LaneId;

/// Attempts that are saved together.
const PART: u64 = 500;

/// One attempt, and what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// Attempts of one lane that are saved together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptPart {
    /// Whose they are.
    pub lane: LaneId,
    /// The number of the part among those of this start of the server.
    pub number: u64,
    /// The attempts, the oldest first.
    pub attempts: Vec<LoggedAttempt>,
    /// Parts with a smaller number are to be forgotten, and with [`Self::replaces_older`] those of
    /// earlier starts too.
    pub first_number: u64,
    /// True once this start has as many attempts as are kept.
    pub replaces_older: bool,
}

/// The latest attempts of one lane.
#[derive(Debug, Default)]
pub struct AttemptLog {
    /// Those of this start, the oldest first.
    attempts: VecDeque<LoggedAttempt>,
    /// How many this start has had.
    count: u64,
    /// How many of them are saved.
    saved_count: u64,
    /// Those of earlier starts, the oldest first; `None` until they were read.
    older: Option<Vec<LoggedAttempt>>,
}

impl AttemptLog {
    /// Attempts that are kept.
    pub const MAX: usize = 10_000;

    /// Adds an attempt that has ended.
    pub fn push(&mut self, attempt: LoggedAttempt) {
        if self.attempts.len() >= Self::MAX {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
        self.count += 1;
    }

    /// The latest attempts, the newest first.
    pub fn latest(&self) -> impl Iterator<Item = &LoggedAttempt> {
        let older = self.older.iter().flatten().rev();
        self.attempts.iter().rev().chain(older).take(Self::MAX)
    }

    /// The attempts that began at this time or later, the newest first.
    pub fn since(&self, time: Timestamp) -> impl Iterator<Item = &LoggedAttempt> {
        let millis = time.as_millisecond();
        self.latest()
            .filter(move |attempt| attempt.at_millis >= millis)
    }

    /// Whether the attempts of earlier starts were read.
    pub(crate) const fn is_restored(&self) -> bool {
        self.older.is_some()
    }

    /// Adds the attempts of earlier starts, the oldest first.
    pub(crate) fn restore(&mut self, older: Vec<LoggedAttempt>) {
        self.older.get_or_insert(older);
    }

    /// The parts that have changed since the latest save.
    pub(crate) fn unsaved(&self, lane: LaneId) -> Vec<AttemptPart> {
        if self.saved_count == self.count {
            return Vec::new();
        }
        let first = self.count - self.attempts.len() as u64;
        let first_number = first / PART;
        let from = std::cmp::max(self.saved_count / PART, first_number);
        let parts = (from..=(self.count - 1) / PART).map(|number| {
            let begin = std::cmp::max(number * PART, first) - first;
            let end = std::cmp::min((number + 1) * PART, self.count) - first;
            let skip = usize::try_from(begin).unwrap_or(usize::MAX);
            let take = usize::try_from(end - begin).unwrap_or(usize::MAX);
            AttemptPart {
                lane,
                number,
                attempts: self
                    .attempts
                    .iter()
                    .skip(skip)
                    .take(take)
                    .copied()
                    .collect(),
                first_number,
                replaces_older: self.attempts.len() >= Self::MAX,
            }
        });
        parts.collect()
    }

    /// How many attempts this start has had.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Records that the first so many attempts of this start are saved.
    pub(crate) const fn saved(&mut self, count: u64) {
        self.saved_count = count;
    }
}

/// An attempt as it is stored.
#[derive(Deserialize)]
struct StoredAttempt {
    offset: Offset,
    item_count: u32,
    number: u32,
    at_millis: i64,
    took_millis: u32,
    status: Option<u16>,
    outcome: String,
}

impl<'de> Deserialize<'de> for LoggedAttempt {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let stored = StoredAttempt::deserialize(from)?;
        Ok(Self {
            offset: stored.offset,
            item_count: stored.item_count,
            number: stored.number,
            at_millis: stored.at_millis,
            took_millis: stored.took_millis,
            status: stored.status,
            outcome: shared(stored.outcome),
        })
    }
}

/// The same text, kept for ever: outcomes are a closed set. A file that has more of them is not one of
/// ours.
fn shared(outcome: String) -> &'static str {
    static KNOWN: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
    const MAX_KNOWN: usize = 64;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(outcome) = known.get(outcome.as_str()) {
        return outcome;
    }
    if known.len() >= MAX_KNOWN {
        return "unknown";
    }
    let outcome: &'static str = Box::leak(outcome.into_boxed_str());
    known.insert(outcome);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SubscriptionId;

    fn attempt(number: u64) -> LoggedAttempt {
        LoggedAttempt {
            offset: Offset::new(number),
            item_count: 1,
            number: 1,
            at_millis: i64::try_from(number).unwrap(),
            took_millis: 3,
            status: Some(200),
            outcome: "delivered",
        }
    }

    /// The offsets of what a store has after these parts were saved one after another.
    fn stored(parts: &[AttemptPart]) -> Vec<u64> {
        let mut stored = std::collections::BTreeMap::new();
        for part in parts {
            stored.insert(part.number, part.attempts.clone());
            stored.retain(|number, _| *number >= part.first_number);
        }
        let attempts = stored.into_values().flatten();
        attempts.map(|it| it.offset.get()).collect()
    }

    #[test]
    fn parts_that_are_saved_now_and_then_have_the_latest_attempts() {
        let lane = LaneId::live(SubscriptionId::new(1));
        let (mut log, mut parts) = (AttemptLog::default(), Vec::new());
        let mut random = 7_u64;
        for number in 0..25_000 {
            log.push(attempt(number));
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if random >> 56 == 0 || number == 24_999 {
                let unsaved = log.unsaved(lane);
                assert!(!unsaved.is_empty());
                parts.extend(unsaved);
                log.saved(log.count());
                assert!(log.unsaved(lane).is_empty());
            }
        }
        let stored = stored(&parts);
        assert!(stored.len() >= AttemptLog::MAX && stored.len() < AttemptLog::MAX + 500);
        assert_eq!(stored.last(), Some(&24_999));
        let is_dense = stored.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(is_dense);
    }

    #[test]
    fn what_was_read_of_earlier_starts_comes_after_what_is_new() {
        let mut log = AttemptLog::default();
        log.push(attempt(7));
        let written = serde_json::to_string(&[attempt(5), attempt(6)]).unwrap();
        log.restore(serde_json::from_str(&written).unwrap());
        log.restore(vec![attempt(99)]);
        let latest: Vec<_> = log.latest().map(|it| it.offset.get()).collect();
        assert_eq!(latest, [7, 6, 5]);
    }
}
