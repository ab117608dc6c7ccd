//! Entries whose MAC is wrong, and what was probably done to them.
//!
//! An entry alone only shows that something is wrong. The entry after it has the MAC that it had at first, so
//! both together show whether its values were changed or its MAC was replaced too. An exchanged or moved
//! entry has a MAC that is right for another number.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::EntryMac;
use crate::chain_fault::{ChainFault, ChainFaultKind};
use crate::chain_key::ChainKey;
use crate::stored_entry::{StoredEntry, mac_of};

/// The most suspects whose whole row stays in memory, to search for exchanged entries.
const MAX_ROWS: usize = 64;
/// The most suspects that are described.
const MAX_SUSPECTS: usize = 100_000;
/// The largest distance by which entries are recognised as moved.
const MAX_SHIFT: i64 = 64;

/// An entry whose MAC is wrong.
#[derive(Debug)]
struct Suspect {
    number: i64,
    at: Option<Timestamp>,
    mac: Vec<u8>,
    computed: EntryMac,
    /// The number for which the MAC is right, if it was found.
    original: Option<i64>,
    /// The MAC that the entry had, as the authentic entry after it or the head says.
    known_mac: Option<Vec<u8>>,
}

/// All entries of a check whose MAC is wrong.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    all: Vec<Suspect>,
    rows: BTreeMap<i64, StoredEntry>,
    /// The distance of the latest moved entry to its original number.
    shift: i64,
    /// The last suspect that is not described.
    overflow: Option<i64>,
}

impl Suspects {
    /// Adds an entry whose MAC is not `computed`.
    pub(crate) fn add(&mut self, key: &ChainKey, row: StoredEntry, computed: EntryMac) {
        if self.all.len() == MAX_SUSPECTS {
            self.overflow = Some(row.number);
            return;
        }
        let original = self.find_shift(key, &row).map(|shift| row.number + shift);
        self.all.push(Suspect {
            number: row.number,
            at: row.time(),
            mac: row.mac.clone(),
            computed,
            original,
            known_mac: None,
        });
        if self.rows.len() < MAX_ROWS {
            self.rows.insert(row.number, row);
        }
    }

    /// Notes the MAC that entry `number` had.
    pub(crate) fn note_mac(&mut self, number: i64, mac: &[u8]) {
        if let Some(last) = self.all.last_mut().filter(|last| last.number == number) {
            last.known_mac = Some(mac.to_vec());
        }
    }

    /// Returns true if entry `number` is a suspect. Only for the latest ones.
    pub(crate) fn ends_with(&self, number: i64) -> bool {
        self.overflow == Some(number) || self.all.last().is_some_and(|last| last.number == number)
    }

    /// Returns the faults. `head` is the number of the newest entry, if it is known.
    pub(crate) fn faults(mut self, key: &ChainKey, head: Option<i64>) -> Vec<ChainFault> {
        self.find_exchanged(key);
        let mut faults = Vec::new();
        let originals: BTreeMap<_, _> = self
            .all
            .iter()
            .filter_map(|suspect| Some((suspect.number, suspect.original?)))
            .collect();
        let mut exchanged = BTreeSet::new();
        for (number, original) in &originals {
            if originals.get(original) == Some(number) {
                exchanged.insert(*number);
                if number < original {
                    let at = self.time_of(*number);
                    faults.push(ChainFault::new(
                        ChainFaultKind::Exchanged,
                        *number,
                        *original,
                        at,
                    ));
                }
            }
        }
        self.all
            .retain(|suspect| !exchanged.contains(&suspect.number));
        let mut rest = self.all.as_slice();
        while let Some(first) = rest.first() {
            let is_run = |(index, suspect): &(usize, &Suspect)| {
                let distance = i64::try_from(*index).unwrap_or(i64::MAX);
                let shift = |suspect: &Suspect| suspect.original.map(|to| to - suspect.number);
                suspect.number == first.number.saturating_add(distance)
                    && shift(suspect) == shift(first)
            };
            let length = rest.iter().enumerate().take_while(is_run).count();
            let (run, others) = rest.split_at(length);
            rest = others;
            faults.extend(run_fault(run, head));
        }
        if let (Some(overflow), Some(last)) = (self.overflow, faults.last_mut()) {
            last.last = Some(overflow.unsigned_abs());
        }
        faults
    }

    fn time_of(&self, number: i64) -> Option<Timestamp> {
        let found = self.all.iter().find(|suspect| suspect.number == number);
        found.and_then(|suspect| suspect.at)
    }

    /// Returns the distance to the number for which the MAC of the row is right, if it is near.
    fn find_shift(&mut self, key: &ChainKey, row: &StoredEntry) -> Option<i64> {
        let is_right = |shift: i64| {
            let number = row.number.checked_add(shift);
            number.is_some_and(|number| is_original(key, row, number))
        };
        if self.shift != 0 && is_right(self.shift) {
            return Some(self.shift);
        }
        if self.all.len() >= MAX_ROWS {
            return None;
        }
        let near = (1..=MAX_SHIFT).flat_map(|distance| [distance, -distance]);
        let found = near.into_iter().find(|shift| is_right(*shift))?;
        self.shift = found;
        Some(found)
    }

    /// Searches for entries that have each other's place, however far away.
    fn find_exchanged(&mut self, key: &ChainKey) {
        let numbers: Vec<_> = self.rows.keys().copied().collect();
        for suspect in &mut self.all {
            if let (None, Some(row)) = (suspect.original, self.rows.get(&suspect.number)) {
                let mut candidates = numbers.iter().copied();
                suspect.original = candidates.find(|number| is_original(key, row, *number));
            }
        }
    }
}

fn is_original(key: &ChainKey, row: &StoredEntry, number: i64) -> bool {
    Some(row.computed_mac(key, number)) == mac_of(&row.mac)
}

/// Returns the fault of consecutive suspects.
fn run_fault(run: &[Suspect], head: Option<i64>) -> Option<ChainFault> {
    let (first, last) = (run.first()?, run.last()?);
    let fault = |kind| ChainFault::new(kind, first.number, last.number, first.at);
    if let Some(original) = first.original {
        let detail = format!("entry {} was entry {original} at first", first.number);
        return Some(fault(ChainFaultKind::Moved).with_detail(detail));
    }
    let is_added = head.is_some_and(|head| last.number > head);
    let is_forged = match &last.known_mac {
        Some(known) => known.as_slice() != last.mac && known.as_slice() != last.computed.as_bytes(),
        None => is_added || run.len() > 1,
    };
    Some(fault(if is_forged {
        ChainFaultKind::Forged
    } else {
        ChainFaultKind::Changed
    }))
}
