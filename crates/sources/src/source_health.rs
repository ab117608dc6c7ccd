//! What came from a source, and what failed, during the last 24 hours.
//!
//! Counts are in buckets of five minutes, so that they leave the window one by one. The health is saved now
//! and then; a crash loses the counts since the last save. The counts have no part in the balance.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The length of a bucket in seconds.
const BUCKET_SECONDS: i64 = 5 * 60;
/// The number of buckets in the window.
const BUCKETS: i64 = 24 * 60 * 60 / BUCKET_SECONDS;
/// The most characters of a stored failure.
const MAX_FAILURE_CHARS: usize = 500;

/// What became of something that a source sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceOutcome {
    /// The event is in the log.
    Accepted,
    /// The event was in the log already.
    Duplicate,
    /// It is authentic, but no event that the source may send. It is in quarantine.
    Quarantined,
    /// The request was answered with an error, or the message was left in its queue.
    Failed,
    /// The sender closed the connection before the answer.
    TimedOut,
}

impl SourceOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Quarantined,
        Self::Failed,
        Self::TimedOut,
    ];

    /// Returns the name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The counts of one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Events that are in the log.
    pub accepted: u64,
    /// Events that were in the log already.
    pub duplicate: u64,
    /// What is in quarantine.
    pub quarantined: u64,
    /// Requests that were answered with an error.
    pub failed: u64,
    /// Requests whose sender did not wait for the answer.
    pub timed_out: u64,
}

impl SourceCounts {
    fn count_mut(&mut self, outcome: SourceOutcome) -> &mut u64 {
        match outcome {
            SourceOutcome::Accepted => &mut self.accepted,
            SourceOutcome::Duplicate => &mut self.duplicate,
            SourceOutcome::Quarantined => &mut self.quarantined,
            SourceOutcome::Failed => &mut self.failed,
            SourceOutcome::TimedOut => &mut self.timed_out,
        }
    }

    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.quarantined += other.quarantined;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
    }
}

/// A failure of a source, or of the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFailure {
    /// When it happened.
    pub at: Timestamp,
    /// What failed. The text has no payload and no secret.
    pub reason: String,
}

/// The health of a source, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthReport {
    /// When the latest event arrived, duplicates included.
    pub last_event_at: Option<Timestamp>,
    /// The latest failure.
    pub last_failure: Option<SourceFailure>,
    /// Why the source cannot be reached now. Always `None` for a source that sends requests itself.
    pub unreachable: Option<SourceFailure>,
    /// Events a minute over the last five minutes, duplicates included.
    pub events_per_minute: f64,
    /// The counts of the last 24 hours.
    pub last_day: SourceCounts,
}

/// Counts what comes from a source.
#[derive(Debug, Default)]
pub struct SourceHealth {
    state: Mutex<HealthState>,
}

/// The form in which health is saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct HealthState {
    last_event_at: Option<Timestamp>,
    last_failure: Option<SourceFailure>,
    #[serde(skip)]
    unreachable: Option<SourceFailure>,
    /// Buckets by number, in ascending order. The number is the time divided by the length.
    buckets: Vec<(i64, SourceCounts)>,
}

impl SourceHealth {
    /// Counts what became of `count` things that arrived at `now`.
    pub fn count(&self, outcome: SourceOutcome, count: u64, now: Timestamp) {
        if count == 0 {
            return;
        }
        let mut state = self.state();
        *state.bucket(now).count_mut(outcome) += count;
        match outcome {
            SourceOutcome::Accepted | SourceOutcome::Duplicate => {
                state.last_event_at = std::cmp::max(state.last_event_at, Some(now));
                state.unreachable = None;
            }
            SourceOutcome::Quarantined | SourceOutcome::Failed | SourceOutcome::TimedOut => (),
        }
    }

    /// Stores why something failed.
    pub fn note_failure(&self, reason: &str, now: Timestamp) {
        let mut state = self.state();
        state.last_failure = Some(failure(reason, now));
    }

    /// Stores that the source cannot be reached, since `now` if it could be reached before.
    pub fn set_unreachable(&self, reason: &str, now: Timestamp) {
        let mut state = self.state();
        state.last_failure = Some(failure(reason, now));
        let since = state.unreachable.as_ref().map_or(now, |earlier| earlier.at);
        state.unreachable = Some(failure(reason, since));
    }

    /// Stores that the source can be reached.
    pub fn set_reachable(&self) {
        self.state().unreachable = None;
    }

    /// Returns the health at `now`.
    pub fn report(&self, now: Timestamp) -> HealthReport {
        let mut state = self.state();
        state.forget_old(now);
        let mut last_day = SourceCounts::default();
        for (_number, counts) in &state.buckets {
            last_day.add(counts);
        }
        // The current bucket is not full, so the one before it counts in proportion.
        let number = bucket_number(now);
        let elapsed = now.as_second() - number * BUCKET_SECONDS;
        let events_of = |wanted: i64| {
            let mut buckets = state.buckets.iter();
            let found = buckets.find(|(number, _counts)| *number == wanted);
            found.map_or(0, |(_number, counts)| counts.accepted + counts.duplicate)
        };
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let events = events_of(number) as f64
            + events_of(number - 1) as f64 * (BUCKET_SECONDS - elapsed) as f64
                / BUCKET_SECONDS as f64;
        HealthReport {
            last_event_at: state.last_event_at,
            last_failure: state.last_failure.clone(),
            unreachable: state.unreachable.clone(),
            events_per_minute: events / 5.0,
            last_day,
        }
    }

    /// Restores the health from its saved form. Invalid text gives an empty health.
    pub(crate) fn from_saved(text: &str) -> Self {
        let state = serde_json::from_str(text).unwrap_or_default();
        Self {
            state: Mutex::new(state),
        }
    }

    /// Returns the form to save.
    pub(crate) fn to_saved(&self, now: Timestamp) -> Result<String, serde_json::Error> {
        let mut state = self.state();
        state.forget_old(now);
        serde_json::to_string(&*state)
    }

    // A panic under this lock leaves valid counts, so a poisoned lock is ignored.
    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HealthState {
    fn bucket(&mut self, now: Timestamp) -> &mut SourceCounts {
        self.forget_old(now);
        let number = bucket_number(now);
        let place = match self
            .buckets
            .binary_search_by_key(&number, |(number, _)| *number)
        {
            Ok(place) => place,
            Err(place) => {
                self.buckets
                    .insert(place, (number, SourceCounts::default()));
                place
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just before")]
        &mut self.buckets[place].1
    }

    fn forget_old(&mut self, now: Timestamp) {
        let oldest = bucket_number(now) - BUCKETS;
        self.buckets.retain(|(number, _counts)| *number > oldest);
    }
}

fn bucket_number(now: Timestamp) -> i64 {
    now.as_second().div_euclid(BUCKET_SECONDS)
}

fn failure(reason: &str, at: Timestamp) -> SourceFailure {
    SourceFailure {
        at,
        reason: reason.chars().take(MAX_FAILURE_CHARS).collect(),
    }
}

#[cfg(test)]
mod tests;
