//! Counts the events within the reaches of all confined subscriptions.

use std::collections::{BTreeSet, HashMap};

use easel_catalog::{FilterFacts, ReachRules, RootAccount};
use easel_log::Record;

use crate::event_account::event_account;

/// The number of events within each confined reach that a subscription has.
///
/// An event costs two look-ups, however many reaches there are.
#[derive(Debug)]
pub struct ReachTally {
    rules: ReachRules,
    /// The events that are within every reach.
    everybody: u64,
    /// The other events, by the root account of the reach.
    by_account: HashMap<String, u64>,
    /// The root accounts whose count changed since the latest publication.
    changed: BTreeSet<String>,
}

impl ReachTally {
    /// Creates a tally that counts no reach yet.
    pub fn new(rules: ReachRules) -> Self {
        Self {
            rules,
            everybody: 0,
            by_account: HashMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Counts the reach of this root account from now on.
    pub fn count_reach(&mut self, account: &RootAccount) {
        if !self.by_account.contains_key(account.as_str()) {
            self.by_account.insert(account.to_string(), 0);
        }
    }

    /// Forgets the reaches that `is_used` does not select.
    pub fn retain_reaches(&mut self, is_used: impl Fn(&str) -> bool) {
        self.by_account.retain(|account, _| is_used(account));
        self.changed.retain(|account| is_used(account));
    }

    /// Counts an event.
    pub fn add(&mut self, record: &Record, facts: &FilterFacts<'_>) {
        if self.by_account.is_empty() {
            return;
        }
        let owner = event_account(record);
        if self.rules.is_for_everybody(owner) {
            self.everybody += u64::from(self.rules.may_be_confined(facts));
            return;
        }
        // A text of digits is always an id, and any other text is always a UUID.
        let is_id = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let id = owner.id.filter(is_id);
        let uuid = owner.uuid.filter(|uuid| !is_id(uuid));
        for account in [id, uuid].into_iter().flatten() {
            let Some(count) = self.by_account.get_mut(account) else {
                continue;
            };
            if self.rules.may_be_confined(facts) {
                *count += 1;
                if !self.changed.contains(account) {
                    self.changed.insert(account.to_owned());
                }
            }
        }
    }

    /// Returns the number of events within the reach of a root account.
    pub fn count(&self, account: &RootAccount) -> u64 {
        self.everybody + self.by_account.get(account.as_str()).copied().unwrap_or(0)
    }

    /// Returns the number of events within every reach.
    pub(super) const fn everybody_count(&self) -> u64 {
        self.everybody
    }

    /// Calls `work` for each root account whose count changed, with the events that are not within every reach.
    pub(super) fn for_each_changed(&mut self, mut work: impl FnMut(&str, u64)) {
        for account in std::mem::take(&mut self.changed) {
            if let Some(count) = self.by_account.get(&account) {
                work(&account, *count);
            }
        }
    }
}
