//! New event types and fields that no operator event has reported yet.
//!
//! The first report is sent immediately, and later reports at most once a minute. Findings that arrive
//! between two reports are collected.

use std::time::Duration;

use easel_catalog::{FoundDrift, OperatorEvent};
use tokio::time::Instant;

/// The minimum time between two reports.
const REPORT_EVERY: Duration = Duration::from_mins(1);
/// The maximum number of findings that one operator event lists. It counts all.
const MAX_LISTED: usize = 100;

/// New event types and fields since the last report.
#[derive(Debug, Default)]
pub(crate) struct NewFindings {
    /// The first findings, at most [`MAX_LISTED`].
    found: Vec<FoundDrift>,
    found_count: u64,
    reported_at: Option<Instant>,
}

impl NewFindings {
    /// Adds a new event type or field.
    pub(crate) fn add(&mut self, found: FoundDrift) {
        self.found_count += 1;
        if self.found.len() < MAX_LISTED {
            self.found.push(found);
        }
    }

    /// Returns the event to send at `now`; `None` if there is nothing to report, or if the last report is
    /// less than a minute old.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<OperatorEvent> {
        let is_early = self
            .reported_at
            .is_some_and(|reported_at| now.duration_since(reported_at) < REPORT_EVERY);
        if is_early { None } else { self.take(now) }
    }

    /// Returns the event to send at shutdown, even if the last report is less than a minute old. `None` if
    /// there is nothing to report.
    pub(crate) fn take(&mut self, now: Instant) -> Option<OperatorEvent> {
        if self.found_count == 0 {
            return None;
        }
        self.reported_at = Some(now);
        Some(OperatorEvent::DriftFound {
            found: std::mem::take(&mut self.found),
            found_count: std::mem::take(&mut self.found_count),
        })
    }
}
