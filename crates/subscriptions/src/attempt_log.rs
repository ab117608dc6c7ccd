//! The latest attempts of one lane, for operators.
//!
//! The log is in memory and not part of the balance. It is saved every few seconds, in parts of 500
//! attempts, so a restart loses at most the attempts of the last seconds. The attempts of earlier
//! starts are loaded on first use.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::LaneId;

/// The number of attempts in one part.
const PART: u64 = 500;

/// One attempt to send a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedAttempt {
    /// The offset of the first event of the batch.
    pub offset: Offset,
    /// The number of events in the batch.
    pub item_count: u32,
    /// The number of the attempt for this batch, from 1.
    pub number: u32,
    /// When the attempt began, in milliseconds since 1970.
    pub at_millis: i64,
    /// How many milliseconds the attempt took.
    pub took_millis: u32,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// [`Attempt::DELIVERED`](crate::Attempt::DELIVERED), or the name of the failure.
    pub outcome: &'static str,
}

/// Attempts of one lane that are saved together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptPart {
    /// The lane that made the attempts.
    pub lane: LaneId,
    /// The number of the part, counted from the start of the server.
    pub number: u64,
    /// The attempts, the oldest first.
    pub attempts: Vec<LoggedAttempt>,
    /// The store must delete parts with a smaller number. With [`Self::replaces_older`], it must also
    /// delete the parts of earlier starts.
    pub first_number: u64,
    /// True once this start alone fills the attempt log.
    pub replaces_older: bool,
}

/// The latest attempts of one lane.
#[derive(Debug, Default)]
pub struct AttemptLog {
    /// The attempts of this start, the oldest first.
    attempts: VecDeque<LoggedAttempt>,
    /// The number of attempts since this start.
    count: u64,
    /// The number of saved attempts since this start.
    saved_count: u64,
    /// The attempts of earlier starts, the oldest first; `None` until they are loaded.
    older: Option<Vec<LoggedAttempt>>,
}

impl AttemptLog {
    /// The most attempts in the log.
    pub const MAX: usize = 10_000;

    /// Adds a finished attempt.
    pub fn push(&mut self, attempt: LoggedAttempt) {
        if self.attempts.len() >= Self::MAX {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
        self.count += 1;
    }

    /// Iterates over the latest attempts, the newest first.
    pub fn latest(&self) -> impl Iterator<Item = &LoggedAttempt> {
        let older = self.older.iter().flatten().rev();
        self.attempts.iter().rev().chain(older).take(Self::MAX)
    }

    /// Iterates over the attempts that began at `time` or later, the newest first.
    pub fn since(&self, time: Timestamp) -> impl Iterator<Item = &LoggedAttempt> {
        let millis = time.as_millisecond();
        self.latest()
            .filter(move |attempt| attempt.at_millis >= millis)
    }

    /// Returns true if the attempts of earlier starts are loaded.
    pub(crate) const fn is_restored(&self) -> bool {
        self.older.is_some()
    }

    /// Adds the attempts of earlier starts, the oldest first.
    pub(crate) fn restore(&mut self, older: Vec<LoggedAttempt>) {
        self.older.get_or_insert(older);
    }

    /// Returns the parts that changed since the latest save.
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

    /// Returns the number of attempts since this start.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Records that the first `count` attempts since this start are saved.
    pub(crate) const fn mark_saved(&mut self, count: u64) {
        self.saved_count = count;
    }
}

/// The stored form of an attempt.
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
            outcome: intern(stored.outcome),
        })
    }
}

/// Returns an equal text that is leaked once. Easel writes only a few outcomes; a file with more than
/// 64 of them was not written by Easel.
fn intern(outcome: String) -> &'static str {
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

    /// Returns the offsets in a store after these parts were saved in order.
    fn stored(parts: &[AttemptPart]) -> Vec<u64> {
        let mut stored = std::collections::BTreeMap::new();
        for part in parts {
            stored.insert(part.number, part.attempts.clone());
            stored.retain(|number, _| *number >= part.first_number);
        }
        let attempts = stored.into_values().flatten();
        attempts.map(|attempt| attempt.offset.get()).collect()
    }

    #[test]
    fn the_saved_parts_contain_the_latest_attempts() {
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
                log.mark_saved(log.count());
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
    fn attempts_of_earlier_starts_follow_the_new_ones() {
        let mut log = AttemptLog::default();
        log.push(attempt(7));
        let written = serde_json::to_string(&[attempt(5), attempt(6)]).unwrap();
        log.restore(serde_json::from_str(&written).unwrap());
        log.restore(vec![attempt(99)]);
        let latest = log.latest().map(|attempt| attempt.offset.get());
        let latest: Vec<_> = latest.collect();
        assert_eq!(latest, [7, 6, 5]);
    }
}
