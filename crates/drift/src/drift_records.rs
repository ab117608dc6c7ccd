//! All drift records, in memory. Their number is bounded. Each record knows whether it is saved.

use std::collections::HashMap;

use easel_catalog::{
    Catalog, Drift, FilterFacts, Finding, FoundDrift, GlobalId, ReachRules, RootAccount,
};
use easel_log::{Block, Offset, Provenance, Record, Shape};

use crate::drift_record::{DriftKey, DriftRecord};
use crate::new_findings::NewFindings;

/// The maximum number of records.
pub(crate) const MAX_RECORDS: usize = 8192;
/// The maximum number of records of one root account. So one root account cannot use up all records.
pub(crate) const MAX_RECORDS_PER_ROOT_ACCOUNT: usize = 1024;

/// All drift records of the scanned part of the log.
///
/// Invariant: the records and the dropped counts have each finding before `cursor` once, and nothing else.
/// Records and progress are saved in one transaction, so a crash neither loses a finding nor counts it
/// twice.
#[derive(Debug, Default)]
pub(crate) struct DriftRecords {
    pub(crate) all: HashMap<DriftKey, DriftRecord>,
    /// The number of records of each root account.
    root_account_counts: HashMap<String, usize>,
    pub(crate) progress: ScanProgress,
    /// The rules about events whose root account is not certain. A record of such an event has no root account.
    pub(crate) reach_rules: ReachRules,
    /// The findings that the next operator event reports.
    pub(crate) new_findings: NewFindings,
    is_unsaved: bool,
}

/// How far the log was scanned, and what was lost or dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanProgress {
    /// Everything before this offset was scanned.
    pub(crate) cursor: Offset,
    /// Number of events that were trimmed or unreadable before they were scanned.
    pub(crate) missed: u64,
    /// Findings without a record because there were too many records, by kind of drift.
    pub(crate) dropped: DriftCounts,
}

/// What a scan of a block found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanCounts {
    /// The findings by kind of drift.
    pub(crate) findings: DriftCounts,
    /// Events that were not validated, because they came in Caliper.
    pub(crate) unchecked: u64,
}

/// A count for each kind of drift, in the order of [`Drift::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DriftCounts([u64; Drift::ALL.len()]);

/// The changes to save.
#[derive(Debug)]
pub(crate) struct Unsaved {
    pub(crate) records: Vec<DriftRecord>,
    pub(crate) progress: ScanProgress,
}

impl DriftRecords {
    pub(crate) fn new(all: Vec<DriftRecord>, progress: ScanProgress) -> Self {
        let mut records = Self {
            progress,
            ..Self::default()
        };
        for record in all {
            records.count_root_account(&record.key.root_account);
            records.all.insert(record.key.clone(), record);
        }
        records
    }

    /// Scans the log records of a block that were not scanned yet.
    pub(crate) fn scan_block(&mut self, block: &Block, catalog: &Catalog) -> ScanCounts {
        let from = self.progress.cursor;
        self.mark_missed(block.start());
        let mut counts = ScanCounts::default();
        for record in block.records().filter(|record| record.offset >= from) {
            self.scan_record(&record, catalog, &mut counts);
        }
        self.move_to(block.end());
        counts
    }

    fn scan_record(&mut self, record: &Record, catalog: &Catalog, counts: &mut ScanCounts) {
        match record.provenance.shape {
            Shape::Canvas => (),
            Shape::Caliper => {
                // The catalogue describes Canvas events only.
                counts.unchecked += 1;
                return;
            }
        }
        let (reach_rules, mut root_account) = (self.reach_rules, None);
        catalog.check(&record.event_type, &record.bytes, |finding| {
            let root_account =
                root_account.get_or_insert_with(|| root_account_of(record, reach_rules));
            if let Some(key) = DriftKey::new(finding, record, root_account) {
                counts.findings.add(key.drift);
                self.count(key, finding, record);
            }
        });
    }

    fn count(&mut self, key: DriftKey, finding: &Finding<'_>, record: &Record) {
        self.is_unsaved = true;
        if let Some(known) = self.all.get_mut(&key) {
            known.count_again(finding, record);
        } else if self.has_room(&key.root_account) {
            self.note_if_new(&key);
            self.count_root_account(&key.root_account);
            let new = DriftRecord::from_finding(key.clone(), finding, record);
            self.all.insert(key, new);
        } else {
            self.progress.dropped.add(key.drift);
        }
    }

    /// Adds an unknown event type or field to the next report, if no root account sent it before.
    fn note_if_new(&mut self, key: &DriftKey) {
        let is_new = match key.drift {
            Drift::UnknownEventType | Drift::UnknownField => {
                !self.all.keys().any(|known| known.is_same_field(key))
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

    /// True if another record of this root account is allowed.
    fn has_room(&self, root_account: &str) -> bool {
        let count = self
            .root_account_counts
            .get(root_account)
            .copied()
            .unwrap_or(0);
        self.all.len() < MAX_RECORDS && count < MAX_RECORDS_PER_ROOT_ACCOUNT
    }

    fn count_root_account(&mut self, root_account: &str) {
        match self.root_account_counts.get_mut(root_account) {
            Some(count) => *count += 1,
            None => drop(self.root_account_counts.insert(root_account.to_owned(), 1)),
        }
    }

    /// Moves the cursor to `to`, and counts the events in between as missed.
    pub(crate) fn mark_missed(&mut self, to: Offset) {
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

    /// Returns the unsaved changes, and marks them as saved.
    pub(crate) fn take_unsaved(&mut self) -> Unsaved {
        self.is_unsaved = false;
        let unsaved = self.all.values_mut().filter(|record| record.is_unsaved);
        let records = unsaved.map(|record| {
            record.is_unsaved = false;
            record.clone()
        });
        Unsaved {
            records: records.collect(),
            progress: self.progress,
        }
    }

    /// Marks these changes as unsaved again, after a failed save.
    pub(crate) fn mark_unsaved(&mut self, unsaved: &Unsaved) {
        self.is_unsaved = true;
        for record in &unsaved.records {
            if let Some(known) = self.all.get_mut(&record.key) {
                known.is_unsaved = true;
            }
        }
    }

    /// Returns the progress as it is after [`clear`](Self::clear).
    pub(crate) fn cleared_progress(&self) -> ScanProgress {
        ScanProgress {
            dropped: DriftCounts::default(),
            ..self.progress
        }
    }

    /// Removes the records of one root account. Returns how many there were.
    pub(crate) fn clear_of(&mut self, root_account: &str) -> u64 {
        let before = self.all.len();
        self.all
            .retain(|key, _record| key.root_account != root_account);
        self.root_account_counts.remove(root_account);
        (before - self.all.len()) as u64
    }

    /// Removes all records and the counts of dropped findings. Returns how many records there were.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.all.len() as u64;
        self.progress = self.cleared_progress();
        self.all.clear();
        self.root_account_counts.clear();
        count
    }
}

/// Returns the record's root account id if it is a global id, else the UUID if it is one, else an empty text. An
/// event that is not certain to belong to the root account has an empty text too.
fn root_account_of(record: &Record, reach_rules: ReachRules) -> String {
    if !reach_rules.may_be_confined(&FilterFacts::new(&record.bytes)) {
        return String::new();
    }
    let Provenance {
        root_account_id,
        root_account_uuid,
        ..
    } = &*record.provenance;
    let id = root_account_id
        .as_deref()
        .and_then(|id| id.parse::<GlobalId>().ok());
    let uuid = root_account_uuid
        .as_deref()
        .and_then(|uuid| uuid.parse::<RootAccount>().ok())
        .filter(|uuid| !uuid.is_id());
    match (id, uuid) {
        (Some(id), _) => id.to_string(),
        (None, Some(uuid)) => uuid.to_string(),
        (None, None) => String::new(),
    }
}

impl DriftCounts {
    pub(crate) fn add(&mut self, drift: Drift) {
        self.add_many(drift, 1);
    }

    pub(crate) fn add_many(&mut self, drift: Drift, count: u64) {
        let counts = Drift::ALL.iter().zip(&mut self.0);
        counts
            .filter(|(kind, _)| **kind == drift)
            .for_each(|(_, total)| *total += count);
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (Drift, u64)> {
        Drift::ALL.iter().copied().zip(self.0)
    }
}

#[cfg(test)]
mod tests;
