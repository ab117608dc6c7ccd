//! The results of a lane's latest attempts.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The window covers `STEPS` steps of this length.
const STEP: Duration = Duration::from_secs(3);
const STEPS: u32 = 10;

/// With fewer attempts than this, the window gives no verdict.
const MIN_ATTEMPTS: u32 = 20;

/// The attempts of the last 30 s, counted by result.
#[derive(Debug, Default)]
pub(super) struct AttemptWindow(VecDeque<AttemptCounts>);

/// The attempts of one step.
#[derive(Clone, Copy, Debug)]
struct AttemptCounts {
    since: Instant,
    succeeded: u32,
    failed: u32,
    rejected: u32,
}

impl AttemptWindow {
    pub(super) fn succeed(&mut self) {
        self.current_step().succeeded += 1;
    }

    /// Counts an attempt that failed because of the endpoint.
    pub(super) fn fail(&mut self) {
        self.current_step().failed += 1;
    }

    /// Counts an attempt that was rejected because of its event.
    pub(super) fn reject(&mut self) {
        self.current_step().rejected += 1;
    }

    /// True if at least half of the attempts failed because of the endpoint.
    pub(super) fn is_endpoint_at_fault(&self) -> bool {
        let (all, failed) = self.sum(|counts| counts.failed);
        all >= MIN_ATTEMPTS && failed * 2 >= all
    }

    /// True if more than half of the attempts were rejected because of their event.
    pub(super) fn is_mostly_rejected(&self) -> bool {
        let (all, rejected) = self.sum(|counts| counts.rejected);
        all >= MIN_ATTEMPTS && rejected * 2 > all
    }

    /// Returns the number of all attempts, and of those with one result.
    fn sum(&self, kind: fn(&AttemptCounts) -> u32) -> (u32, u32) {
        let all = self.0.iter();
        all.fold((0, 0), |(all, some), counts| {
            let AttemptCounts {
                succeeded,
                failed,
                rejected,
                ..
            } = counts;
            (all + succeeded + failed + rejected, some + kind(counts))
        })
    }

    /// Returns the counts of the current step, and drops steps that are too old.
    fn current_step(&mut self) -> &mut AttemptCounts {
        let now = Instant::now();
        while self
            .0
            .pop_front_if(|counts| now.duration_since(counts.since) >= STEP * STEPS)
            .is_some()
        {}
        let is_over = |counts: &AttemptCounts| now.duration_since(counts.since) >= STEP;
        if self.0.back().is_none_or(is_over) {
            self.0.push_back(AttemptCounts {
                since: now,
                succeeded: 0,
                failed: 0,
                rejected: 0,
            });
        }
        let last = self.0.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "the list is not empty")]
        &mut self.0[last]
    }
}
