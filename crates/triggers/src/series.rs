//! Changes that are sent together.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::change::Change;
use crate::fault::ChangeFaults;
use crate::triggers::{ChangeOutcome, Triggers};

/// Changes that are sent together, one after another.
///
/// An event that would be the same as one before it, but for its place, is sent a millisecond later
/// than that. So it has an id of its own, and is not taken for a repetition.
#[derive(Debug)]
pub struct Series<'t> {
    triggers: &'t Triggers,
    now: Timestamp,
    ids: HashSet<[u8; 16]>,
    latest: Timestamp,
}

impl<'t> Series<'t> {
    /// Changes of which the first is sent `now`.
    pub fn new(triggers: &'t Triggers, now: Timestamp) -> Self {
        Self {
            triggers,
            now,
            ids: HashSet::new(),
            latest: Timestamp::MIN,
        }
    }

    /// What the next change means; see [`Triggers::events`].
    pub fn events(&mut self, change: &Change) -> Result<ChangeOutcome, ChangeFaults> {
        let mut outcome = self.triggers.events(change, self.now)?;
        let mut events = outcome.events.iter();
        let is_seen = events.any(|event| self.ids.contains(event.id.as_bytes()));
        if change.occurred_at.is_none() && is_seen {
            // Nothing of this series is later than that.
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
