//! Sums up looks at payloads, so that a program that polls does not flood the audit.
//!
//! The first look of an actor at an object is an entry at once. Further ones within a minute are summed
//! up in one entry. A stream is summed up every minute while it runs.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::audit_entry::{AuditActor, NewAuditEntry};
use crate::shown_events::{ShownEvents, StreamTally};

/// The time over which looks are summed up.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// The most sums in memory. A further look is an entry of its own.
const MAX_SUMS: usize = 10_000;

/// Who looks at what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuditLook {
    /// Who looks.
    pub actor: AuditActor,
    /// The action, such as `events.read`.
    pub action: String,
    /// The object: a name, an id, or empty.
    pub object: String,
}

/// The looks that are not in an entry yet.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    sums: HashMap<AuditLook, LookSum>,
    streams: Vec<(AuditLook, Arc<StreamTally>, Timestamp)>,
    /// Entries of sums whose minute is over.
    ready: Vec<NewAuditEntry>,
}

#[derive(Debug)]
struct LookSum {
    since: Timestamp,
    /// Whether the first look is on disk.
    is_recorded: bool,
    requests: u64,
    shown: ShownEvents,
}

impl AuditLook {
    /// Returns the entry for one look.
    pub(crate) fn entry(self, shown: &ShownEvents, at: Timestamp) -> NewAuditEntry {
        let mut details = Map::new();
        shown.write(&mut details);
        self.with_details(details, at)
    }

    fn with_details(self, details: Map<String, Value>, at: Timestamp) -> NewAuditEntry {
        NewAuditEntry {
            at,
            actor: self.actor,
            action: self.action,
            object: self.object,
            details,
        }
    }
}

impl Looks {
    /// Adds a look to the sum of its minute. Returns false if the look must be an entry at once.
    pub(crate) fn add(&mut self, look: &AuditLook, shown: &ShownEvents, now: Timestamp) -> bool {
        match self.sums.get_mut(look) {
            Some(sum) if sum.is_recorded && now.duration_since(sum.since) < WINDOW => {
                sum.requests += 1;
                sum.shown.add(shown);
                true
            }
            Some(sum) if sum.is_recorded => {
                // The minute is over. Its sum is an entry, and this look begins the next minute.
                let over = std::mem::replace(sum, LookSum::new(now));
                self.ready.extend(over.entry(look, now));
                false
            }
            // The first look is on its way to the disk.
            Some(_) => false,
            None => {
                if self.sums.len() < MAX_SUMS {
                    self.sums.insert(look.clone(), LookSum::new(now));
                }
                false
            }
        }
    }

    /// Notes whether the entry of the first look is on disk.
    pub(crate) fn opened(&mut self, look: &AuditLook, is_recorded: Recorded) {
        match is_recorded {
            Recorded::Yes => {
                if let Some(sum) = self.sums.get_mut(look) {
                    sum.is_recorded = true;
                }
            }
            Recorded::No => {
                self.sums.remove(look);
            }
        }
    }

    pub(crate) fn add_stream(&mut self, look: AuditLook, tally: Arc<StreamTally>, now: Timestamp) {
        self.streams.push((look, tally, now));
    }

    /// Returns the entries of the sums whose minute is over at `now`, and of streams that have ended.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<NewAuditEntry> {
        self.take(now, |since| now.duration_since(since) >= WINDOW)
    }

    /// Returns the entries of all sums.
    pub(crate) fn all(&mut self, now: Timestamp) -> Vec<NewAuditEntry> {
        self.take(now, |_since| true)
    }

    fn take(&mut self, now: Timestamp, is_due: impl Fn(Timestamp) -> bool) -> Vec<NewAuditEntry> {
        let mut entries = std::mem::take(&mut self.ready);
        self.sums.retain(|look, sum| {
            if !sum.is_recorded || !is_due(sum.since) {
                return true;
            }
            entries.extend(sum.entry(look, now));
            false
        });
        self.streams.retain_mut(|(look, tally, since)| {
            // This list has one reference, and the stream has the other one.
            let has_ended = Arc::strong_count(tally) == 1;
            if !has_ended && !is_due(*since) {
                return true;
            }
            let shown = tally.take();
            if has_ended || shown.count > 0 {
                let mut details = Map::new();
                let state = if has_ended { "ended" } else { "running" };
                details.insert("stream".to_owned(), state.into());
                shown.write(&mut details);
                details.insert("since".to_owned(), since.to_string().into());
                entries.push(look.clone().with_details(details, now));
            }
            *since = now;
            !has_ended
        });
        entries
    }
}

impl LookSum {
    fn new(since: Timestamp) -> Self {
        Self {
            since,
            is_recorded: false,
            requests: 0,
            shown: ShownEvents::default(),
        }
    }

    /// Returns the entry of the sum; `None` if nothing came after the first look.
    fn entry(&self, look: &AuditLook, now: Timestamp) -> Option<NewAuditEntry> {
        if self.requests == 0 {
            return None;
        }
        let mut details = Map::new();
        details.insert("requests".to_owned(), self.requests.into());
        self.shown.write(&mut details);
        details.insert("since".to_owned(), self.since.to_string().into());
        Some(look.clone().with_details(details, now))
    }
}

/// Whether an entry is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Yes,
    No,
}
