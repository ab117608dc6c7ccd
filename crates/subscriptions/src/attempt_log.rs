//! The latest attempts of one lane, for operators.
//!
//! The attempt log is in memory and is not part of the balance. It is saved every few seconds, in parts
//! of 500 attempts, so a crash loses at most the attempts of the last seconds. The attempts of earlier
//! runs of the server are loaded on first use.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use easel_log::Offset;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::LaneId;

/// The number of attempts in one part.
const ATTEMPTS_PER_PART: u64 = 500;

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
    /// The number of the oldest part that the attempt log still needs. The store must delete the parts of
    /// this run with a smaller number.
    pub oldest_needed: u64,
    /// True once the attempts of this run alone fill the attempt log. The store must then also delete the
    /// parts of earlier runs.
    pub replaces_older: bool,
}

/// The latest attempts of one lane.
#[derive(Debug, Default)]
pub struct AttemptLog {
    /// The attempts of this run of the server, the oldest first.
    attempts: VecDeque<LoggedAttempt>,
    /// The number of attempts of this run, including those that the log has dropped.
    count: u64,
    /// The number of saved attempts of this run.
    saved_count: u64,
    /// The attempts of earlier runs, the oldest first; `None` until they are loaded.
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

    /// Returns true if the attempts of earlier runs are loaded.
    pub(crate) const fn is_restored(&self) -> bool {
        self.older.is_some()
    }

    /// Adds the attempts of earlier runs, the oldest first, unless they are loaded already.
    pub(crate) fn restore(&mut self, older: Vec<LoggedAttempt>) {
        self.older.get_or_insert(older);
    }

    /// Returns the parts that changed since the latest save.
    pub(crate) fn unsaved_parts(&self, lane: LaneId) -> Vec<AttemptPart> {
        if self.saved_count == self.count {
            return Vec::new();
        }
        let dropped_count = self.count - self.attempts.len() as u64;
        let oldest_needed = dropped_count / ATTEMPTS_PER_PART;
        let first_unsaved = std::cmp::max(self.saved_count / ATTEMPTS_PER_PART, oldest_needed);
        let parts = (first_unsaved..=(self.count - 1) / ATTEMPTS_PER_PART).map(|number| {
            let begin = std::cmp::max(number * ATTEMPTS_PER_PART, dropped_count) - dropped_count;
            let end = std::cmp::min((number + 1) * ATTEMPTS_PER_PART, self.count) - dropped_count;
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
                oldest_needed,
                replaces_older: self.attempts.len() >= Self::MAX,
            }
        });
        parts.collect()
    }

    /// Returns the number of attempts of this run.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Records that the first `count` attempts of this run are saved.
    pub(crate) const fn mark_saved(&mut self, count: u64) {
        self.saved_count = count;
    }
}

/// An attempt as the store contains it.
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

/// Returns a static text that is equal to `outcome`. Each distinct text is leaked once. Easel writes only
/// a few outcomes. If a file has more than 64, Easel did not write it, and the rest become `unknown`.
fn intern(outcome: String) -> &'static str {
    static LEAKED: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
    const MAX_LEAKED: usize = 64;
    let mut leaked = LEAKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(outcome) = leaked.get(outcome.as_str()) {
        return outcome;
    }
    if leaked.len() >= MAX_LEAKED {
        return "unknown";
    }
    let outcome: &'static str = Box::leak(outcome.into_boxed_str());
    leaked.insert(outcome);
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
            stored.retain(|number, _| *number >= part.oldest_needed);
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
                let unsaved = log.unsaved_parts(lane);
                assert!(!unsaved.is_empty());
                parts.extend(unsaved);
                log.mark_saved(log.count());
                assert!(log.unsaved_parts(lane).is_empty());
            }
        }
        let stored = stored(&parts);
        assert!(stored.len() >= AttemptLog::MAX && stored.len() < AttemptLog::MAX + 500);
        assert_eq!(stored.last(), Some(&24_999));
        let is_dense = stored.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(is_dense);
    }

    #[test]
    fn attempts_of_earlier_runs_follow_the_new_ones() {
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
