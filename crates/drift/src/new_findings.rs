//! Event types and fields that came for the first time, until an operator event reports them.
//!
//! The first report comes at once, the next ones at most once a minute. In between the findings are
//! gathered.

use std::time::Duration;

use easel_catalog::{FoundDrift, OperatorEvent};
use tokio::time::Instant;

/// There is at most one report in this time.
const REPORT_EVERY: Duration = Duration::from_mins(1);
/// The most findings that one event names.
const MAX_NAMES: usize = 100;

/// Event types and fields that came for the first time since the last report.
#[derive(Debug, Default)]
pub(crate) struct NewFindings {
    found: Vec<FoundDrift>,
    found_count: u64,
    reported_at: Option<Instant>,
}

impl NewFindings {
    /// Adds what came for the first time.
    pub(crate) fn add(&mut self, found: FoundDrift) {
        self.found_count += 1;
        if self.found.len() < MAX_NAMES {
            self.found.push(found);
        }
    }

    /// The event to send at `now`; `None` if there is nothing to report, or if the last report is less
    /// than a minute old.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<OperatorEvent> {
        let is_early = self
            .reported_at
            .is_some_and(|reported_at| now.duration_since(reported_at) < REPORT_EVERY);
        if is_early { None } else { self.take(now) }
    }

    /// The event to send at the end, however old the last report is.
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
