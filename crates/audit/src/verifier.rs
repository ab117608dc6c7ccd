//! Checks the chain, entry by entry.
//!
//! Each entry has the MAC of the one before it, and its own MAC covers this and all its values. The head file
//! says where the chain ends. So the check finds what was changed, removed, exchanged, added or cut
//! off, and where. It cannot find that all files were replaced by older copies of the same moment.

use crate::audit_entry::AuditEntry;
use crate::audit_head::{AuditHead, FoundHead};
use crate::chain_fault::{ChainFault, ChainFaultKind, Verification};
use crate::chain_key::ChainKey;
use crate::stored_entry::{StoredEntry, mac_of};
use crate::suspects::Suspects;
use crate::{ChainPoint, EntryMac};

/// The action of the entry that retention writes when it removes entries.
pub(crate) const TRIM: &str = "audit.trim";
/// The action of the entry that a start writes if the audit is damaged.
pub(crate) const FAULT: &str = "audit.fault";

/// A check that goes through all entries in order.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    key: &'a ChainKey,
    head: FoundHead,
    /// The number of the next entry; `None` before the first one if it is not known.
    next_number: Option<i64>,
    previous: Option<Previous>,
    first: Option<StoredEntry>,
    /// The last entry that retention removed, as the newest entry of retention says.
    trimmed: Option<ChainPoint>,
    suspects: Suspects,
    faults: Vec<ChainFault>,
    entry_count: u64,
    expected: Option<ChainPoint>,
    expected_found: bool,
    is_partial: bool,
}

/// The entry before the next one.
#[derive(Debug)]
struct Previous {
    number: i64,
    commit_first: i64,
    mac: Vec<u8>,
    at: Option<jiff::Timestamp>,
}

impl<'a> Verifier<'a> {
    /// Creates a check of all entries.
    pub(crate) fn new(key: &'a ChainKey, head: FoundHead) -> Self {
        let next_number = match &head {
            FoundHead::Authentic(head) => Some(to_signed(head.anchor.number) + 1),
            FoundHead::Missing | FoundHead::Changed => None,
        };
        Self {
            key,
            head,
            next_number,
            previous: None,
            first: None,
            trimmed: None,
            suspects: Suspects::default(),
            faults: Vec::new(),
            entry_count: 0,
            expected: None,
            expected_found: false,
            is_partial: false,
        }
    }

    /// Creates a check of the entries from the newest one of the head on.
    pub(crate) fn from_newest(key: &'a ChainKey, head: &AuditHead) -> Self {
        let mut verifier = Self::new(key, FoundHead::Authentic(*head));
        verifier.next_number = Some(to_signed(head.newest.number));
        verifier.is_partial = true;
        verifier
    }

    /// Also checks that the audit has this entry.
    #[must_use]
    pub(crate) fn expecting(self, expected: Option<ChainPoint>) -> Self {
        Self { expected, ..self }
    }

    /// Checks the next entry. The entries must be in the order of their numbers.
    pub(crate) fn check(&mut self, row: StoredEntry) {
        self.entry_count += 1;
        let number = row.number;
        let computed = row.computed_mac(self.key, number);
        let is_authentic = mac_of(&row.mac) == Some(computed);
        self.check_number(&row);
        let follows = self
            .previous
            .as_ref()
            .filter(|previous| previous.number + 1 == number);
        if let Some(previous) = follows {
            if self.suspects.ends_with(previous.number) {
                if is_authentic {
                    self.suspects.note_mac(previous.number, &row.previous);
                }
            } else if is_authentic && previous.mac != row.previous {
                let fault = ChainFault::new(ChainFaultKind::OutOfOrder, number, number, row.time());
                self.faults.push(fault);
            }
        }
        if self.expected.is_some_and(|expected| {
            to_signed(expected.number) == number && mac_of(&row.mac) == Some(expected.mac)
        }) {
            self.expected_found = true;
        }
        self.check_newest(&row, is_authentic);
        if is_authentic {
            self.note_entry(&row);
        }
        self.previous = Some(Previous {
            number,
            commit_first: row.commit_first,
            mac: row.mac.clone(),
            at: row.time(),
        });
        self.next_number = Some(number.saturating_add(1));
        if self.first.is_none() {
            self.first = Some(row.clone());
        }
        if !is_authentic {
            self.suspects.add(self.key, row, computed);
            if let FoundHead::Authentic(head) = &self.head
                && to_signed(head.newest.number) == number
            {
                self.suspects.note_mac(number, head.newest.mac.as_bytes());
            }
        }
    }

    /// Notes that the file cannot be read after the last checked entry.
    pub(crate) fn unreadable(&mut self, reason: &str) {
        let last = self.previous.as_ref().map_or(0, |previous| previous.number);
        let fault = ChainFault::new(ChainFaultKind::Unreadable, last, last, None);
        self.faults.push(fault.with_detail(reason));
    }

    /// Ends the check.
    pub(crate) fn finish(mut self) -> Verification {
        let last = self.previous.take();
        let last_number = last.as_ref().map_or(0, |last| last.number);
        let head = match &self.head {
            FoundHead::Authentic(head) => Some(*head),
            FoundHead::Missing | FoundHead::Changed => None,
        };
        match (&self.head, &last) {
            (FoundHead::Missing, None) => (),
            (FoundHead::Missing, Some(_)) => {
                self.faults
                    .push(ChainFault::of_head(ChainFaultKind::HeadMissing));
            }
            (FoundHead::Changed, _) => {
                self.faults
                    .push(ChainFault::of_head(ChainFaultKind::HeadChanged));
            }
            (FoundHead::Authentic(head), last) => {
                let newest = to_signed(head.newest.number);
                let is_unreadable = |fault: &ChainFault| fault.kind == ChainFaultKind::Unreadable;
                if last_number < newest && !self.faults.iter().any(is_unreadable) {
                    let first = std::cmp::max(last_number, to_signed(head.anchor.number)) + 1;
                    let at = last.as_ref().and_then(|last| last.at);
                    self.faults
                        .push(ChainFault::new(ChainFaultKind::CutOff, first, newest, at));
                }
                // A crash comes at most between one commit and its head.
                if let Some(last) = last
                    && last.commit_first > newest + 1
                    && !self.suspects.ends_with(last.number)
                {
                    let fault =
                        ChainFault::new(ChainFaultKind::HeadOlder, newest, last.number, last.at);
                    self.faults.push(fault);
                }
            }
        }
        let anchor = self.check_begin(head.as_ref());
        self.check_expected(&anchor, last_number);
        let suspects = std::mem::take(&mut self.suspects);
        let newest = head.map(|head| to_signed(head.newest.number));
        self.faults.extend(suspects.faults(self.key, newest));
        self.faults.sort_by_key(|fault| (fault.first, fault.last));
        self.faults.truncate(Verification::MAX_FAULTS);
        let newest = last.as_ref().map(|last| ChainPoint {
            number: last.number.unsigned_abs(),
            mac: mac_of(&last.mac).unwrap_or(EntryMac::NONE),
        });
        Verification {
            entry_count: self.entry_count,
            newest: newest.unwrap_or(anchor),
            anchor,
            faults: self.faults,
        }
    }

    /// Notes the entries that are missing before this one. Those before the first one are noted at the end.
    fn check_number(&mut self, row: &StoredEntry) {
        let Some(next) = self.next_number else {
            return;
        };
        let is_known = self.is_partial || self.previous.is_some();
        if is_known && row.number > next {
            let at = self.previous.as_ref().and_then(|previous| previous.at);
            let fault = ChainFault::new(ChainFaultKind::Missing, next, row.number - 1, at);
            self.faults.push(fault);
        }
    }

    /// Compares an entry with the newest one that the head names.
    fn check_newest(&mut self, row: &StoredEntry, is_authentic: bool) {
        let FoundHead::Authentic(AuditHead { newest, .. }) = &self.head else {
            return;
        };
        let is_newest = to_signed(newest.number) == row.number;
        if is_newest && is_authentic && mac_of(&row.mac) != Some(newest.mac) {
            let fault = ChainFault::new(
                ChainFaultKind::OutOfOrder,
                row.number,
                row.number,
                row.time(),
            );
            self.faults
                .push(fault.with_detail("the head file names another entry with this number"));
        }
    }

    /// Notes what entries of the audit say about the audit itself.
    fn note_entry(&mut self, row: &StoredEntry) {
        let AuditEntry {
            action, details, ..
        } = row.to_entry();
        if action == TRIM {
            let number = details.get("last").and_then(serde_json::Value::as_u64);
            let mac = details.get("mac").and_then(serde_json::Value::as_str);
            let mac = mac.and_then(|mac| mac.parse().ok());
            if let (Some(number), Some(mac)) = (number, mac) {
                self.trimmed = Some(ChainPoint { number, mac });
            }
        }
        if action == FAULT && !self.is_partial {
            let found = details.get("found").and_then(serde_json::Value::as_array);
            let found = found
                .into_iter()
                .flatten()
                .filter_map(serde_json::Value::as_str);
            let found: Vec<_> = found.collect();
            let fault = ChainFault::new(
                ChainFaultKind::FoundAtStart,
                row.number,
                row.number,
                row.time(),
            );
            self.faults.push(fault.with_detail(found.join("; ")));
        }
    }

    /// Checks that the entries begin after the last one that retention removed. Returns that one.
    fn check_begin(&mut self, head: Option<&AuditHead>) -> ChainPoint {
        let from_head = head.map(|head| head.anchor);
        // After a crash, the head can be behind the entry of retention.
        let newest = from_head.iter().chain(self.trimmed.as_ref());
        let anchor = newest.max_by_key(|point| point.number).copied();
        let anchor = anchor.unwrap_or(ChainPoint::START);
        let Some(first) = self.first.as_ref().filter(|_| !self.is_partial) else {
            return anchor;
        };
        let wanted = to_signed(anchor.number) + 1;
        if first.number > wanted {
            self.faults.push(ChainFault::new(
                ChainFaultKind::Missing,
                wanted,
                first.number - 1,
                first.time(),
            ));
        } else if first.number < wanted {
            let fault = ChainFault::new(
                ChainFaultKind::OutOfOrder,
                first.number,
                wanted - 1,
                first.time(),
            );
            let detail = "retention has removed entries with these numbers";
            self.faults.push(fault.with_detail(detail));
        } else if first.previous != anchor.mac.as_bytes()
            && mac_of(&first.mac) == Some(first.computed_mac(self.key, first.number))
        {
            let fault = ChainFault::new(
                ChainFaultKind::OutOfOrder,
                first.number,
                first.number,
                first.time(),
            );
            self.faults.push(fault);
        }
        anchor
    }

    fn check_expected(&mut self, anchor: &ChainPoint, last_number: i64) {
        let Some(expected) = self.expected else {
            return;
        };
        if self.expected_found || expected == *anchor {
            return;
        }
        let number = to_signed(expected.number);
        let detail = if number > last_number {
            format!("the audit ends at entry {last_number}")
        } else if expected.number < anchor.number {
            "retention has removed it, so it cannot be compared".to_owned()
        } else {
            "its MAC is another one".to_owned()
        };
        let fault = ChainFault::new(ChainFaultKind::NotExpected, number, number, None);
        self.faults.push(fault.with_detail(detail));
    }
}

fn to_signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX - 1)
}
