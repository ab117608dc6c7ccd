//! All sightings, in memory: bounded, and aware of what is not on disk yet.

use std::collections::HashMap;

use easel_catalog::{Catalog, Drift, Finding, FoundDrift, GlobalId};
use easel_log::{Block, Offset, Record};

use crate::drift_record::{DriftKey, DriftRecord};
use crate::new_findings::NewFindings;

/// The most sightings kept.
pub(crate) const MAX_SIGHTINGS: usize = 8192;
/// The most sightings kept of one root account, so that one alone cannot take the place of all
/// others.
pub(crate) const MAX_OF_ACCOUNT: usize = 1024;

/// All sightings, as far as the log was looked at.
///
/// Invariant: what it counts is what lies before `cursor`, each finding once. Both are saved
/// together, so whatever is looked at again after a crash is counted from where it was.
#[derive(Debug, Default)]
pub(crate) struct DriftRecords {
    pub(crate) all: HashMap<DriftKey, DriftRecord>,
    of_account: HashMap<String, usize>,
    pub(crate) progress: ScanProgress,
    /// What the next operator event reports.
    pub(crate) new_findings: NewFindings,
    is_unsaved: bool,
}

/// How far the log was looked at, and what was not kept of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanProgress {
    /// Everything before this was looked at.
    pub(crate) cursor: Offset,
    /// Events that were gone, or could not be read, before they were looked at.
    pub(crate) missed: u64,
    /// Findings that were not kept since there were too many sightings, by kind of drift.
    pub(crate) untold: Untold,
}

/// A count for each kind of drift, in the order of [`Drift::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Untold([u64; Drift::ALL.len()]);

/// What is to be saved.
#[derive(Debug)]
pub(crate) struct Unsaved {
    pub(crate) sightings: Vec<DriftRecord>,
    pub(crate) progress: ScanProgress,
}

impl DriftRecords {
    pub(crate) fn new(all: Vec<DriftRecord>, progress: ScanProgress) -> Self {
        let mut sightings = Self {
            progress,
            ..Self::default()
        };
        for it in all {
            sightings.count_account(&it.key.root_account);
            sightings.all.insert(it.key.clone(), it);
        }
        sightings
    }

    /// Looks at the records of a block that were not looked at yet; says how many findings of
    /// each kind were drift.
    pub(crate) fn look_at(&mut self, block: &Block, catalog: &Catalog) -> Untold {
        let from = self.progress.cursor;
        self.miss(block.first());
        let mut found = Untold::default();
        for record in block.records().filter(|record| record.offset >= from) {
            self.look_at_one(&record, catalog, &mut found);
        }
        self.move_to(block.next());
        found
    }

    fn look_at_one(&mut self, record: &Record, catalog: &Catalog, found: &mut Untold) {
        let mut root_account = None;
        catalog.check(&record.event_type, &record.bytes, |finding| {
            let root_account = root_account.get_or_insert_with(|| root_account_of(record));
            if let Some(key) = DriftKey::of(finding, record, root_account) {
                found.add(key.drift);
                self.count(key, finding, record);
            }
        });
    }

    fn count(&mut self, key: DriftKey, finding: &Finding<'_>, record: &Record) {
        self.is_unsaved = true;
        if let Some(known) = self.all.get_mut(&key) {
            known.again(finding, record);
        } else if self.has_room(&key.root_account) {
            self.note_new(&key);
            self.count_account(&key.root_account);
            let first = DriftRecord::first(key.clone(), finding, record);
            self.all.insert(key, first);
        } else {
            self.progress.untold.add(key.drift);
        }
    }

    /// Notes an event type or a field for operators if no root account sent it before.
    fn note_new(&mut self, key: &DriftKey) {
        let is_new = match key.drift {
            Drift::UnknownEventType | Drift::UnknownField => {
                !self.all.keys().any(|known| known.is_of_same_name(key))
            }
            Drift::TypeChange | Drift::UnlistedValue | Drift::NoValue | Drift::LongerText => false,
        };
        if is_new {
            self.new_findings.add(FoundDrift {
                drift: key.drift,
                event_type: key.event_type.clone(),
                path: key.path.clone(),
            });
        }
    }

    /// Whether there is room for another sighting of this account.
    fn has_room(&self, root_account: &str) -> bool {
        let of_account = self.of_account.get(root_account).copied().unwrap_or(0);
        self.all.len() < MAX_SIGHTINGS && of_account < MAX_OF_ACCOUNT
    }

    fn count_account(&mut self, root_account: &str) {
        match self.of_account.get_mut(root_account) {
            Some(count) => *count += 1,
            None => drop(self.of_account.insert(root_account.to_owned(), 1)),
        }
    }

    /// Notes that what lies before `to`, and was not looked at, cannot be looked at any more.
    pub(crate) fn miss(&mut self, to: Offset) {
        if to > self.progress.cursor {
            self.progress.missed += to.since(self.progress.cursor);
            self.move_to(to);
        }
    }

    fn move_to(&mut self, to: Offset) {
        if to > self.progress.cursor {
            self.progress.cursor = to;
            self.is_unsaved = true;
        }
    }

    pub(crate) const fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }

    /// Hands over what is not saved, and takes it for saved from here on.
    pub(crate) fn take_unsaved(&mut self) -> Unsaved {
        self.is_unsaved = false;
        let unsaved = self.all.values_mut().filter(|it| it.is_unsaved);
        let sightings = unsaved.map(|it| {
            it.is_unsaved = false;
            it.clone()
        });
        Unsaved {
            sightings: sightings.collect(),
            progress: self.progress,
        }
    }

    /// Takes back what could not be saved.
    pub(crate) fn give_back(&mut self, unsaved: &Unsaved) {
        self.is_unsaved = true;
        for it in &unsaved.sightings {
            if let Some(known) = self.all.get_mut(&it.key) {
                known.is_unsaved = true;
            }
        }
    }

    /// How far the log was looked at, should everything that was found be forgotten.
    pub(crate) fn cleared(&self) -> ScanProgress {
        ScanProgress {
            untold: Untold::default(),
            ..self.progress
        }
    }

    /// Forgets every sighting, and what was not kept, and says how many there were.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.all.len() as u64;
        self.progress = self.cleared();
        self.all.clear();
        self.of_account.clear();
        count
    }
}

/// The root account that a record tells, if it is a global id: nothing else is kept.
fn root_account_of(record: &Record) -> String {
    let account = record.provenance.root_account_id.as_deref();
    match account.unwrap_or_default().parse::<GlobalId>() {
        Ok(id) => id.to_string(),
        Err(_none) => String::new(),
    }
}

impl Untold {
    pub(crate) fn add(&mut self, drift: Drift) {
        self.add_many(drift, 1);
    }

    pub(crate) fn add_many(&mut self, drift: Drift, count: u64) {
        let counts = Drift::ALL.iter().zip(&mut self.0);
        counts
            .filter(|(it, _)| **it == drift)
            .for_each(|(_, sum)| *sum += count);
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (Drift, u64)> {
        Drift::ALL.iter().copied().zip(self.0)
    }
}

#[cfg(test)]
mod tests;
