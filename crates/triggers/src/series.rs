//! A series of changes that are sent together.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::change::Change;
use crate::fault::ChangeFaults;
use crate::triggers::{ChangeOutcome, Triggers};

/// Makes the events of changes that are sent together.
///
/// If two changes of one series would yield byte-identical events, the second change gets a later time.
/// So each event has an id of its own, and deduplication keeps both.
#[derive(Debug)]
pub struct Series<'t> {
    triggers: &'t Triggers,
    now: Timestamp,
    ids: HashSet<[u8; 16]>,
    latest: Timestamp,
}

impl<'t> Series<'t> {
    /// Creates a series whose first change happened at the time `now`.
    pub fn new(triggers: &'t Triggers, now: Timestamp) -> Self {
        Self {
            triggers,
            now,
            ids: HashSet::new(),
            latest: Timestamp::MIN,
        }
    }

    /// Returns the events of the next change, like [`Triggers::events`].
    pub fn events(&mut self, change: &Change) -> Result<ChangeOutcome, ChangeFaults> {
        let mut outcome = self.triggers.events(change, self.now)?;
        let mut events = outcome.events.iter();
        let is_seen = events.any(|event| self.ids.contains(event.id.as_bytes()));
        if change.occurred_at.is_none() && is_seen {
            // The new time is later than every event of the series.
            self.now = std::cmp::max(self.now, self.latest) + Duration::from_millis(1);
            outcome = self.triggers.events(change, self.now)?;
        }
        for event in &outcome.events {
            self.ids.insert(*event.id.as_bytes());
            self.latest = std::cmp::max(self.latest, event.occurred_at);
        }
        Ok(outcome)
    }
}
