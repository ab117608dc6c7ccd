//! Finds the subscriptions that want an event. Subscriptions that do not want the event cost nothing.
//!
//! The index looks up the event type first: globs are matched once per type, not per event. Then it looks
//! up the value of one condition: a subscription to one course is only checked for events of that course. An
//! event's body is read only if a subscription to its type has a condition on the body or on the origin.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use easel_catalog::FilterFacts;
use easel_log::Record;

use crate::filter::ConditionField;
use crate::{FilterVerdict, Subscription, SubscriptionId};

/// The most event types in the index. Senders choose the names of event types, so there may be any number
/// of names. A full index forgets all types.
const MAX_TYPES: usize = 1024;

/// The subscriptions that every new event is matched against.
#[derive(Debug, Default)]
pub struct Index {
    members: BTreeMap<SubscriptionId, Arc<Subscription>>,
    by_type: HashMap<Arc<str>, TypeEntry>,
}

/// The subscriptions to events of one type.
#[derive(Debug, Default)]
struct TypeEntry {
    unconditional: Vec<Arc<Subscription>>,
    /// The subscriptions that are confined to a root account, by its id or UUID.
    by_root_account: HashMap<String, Vec<Arc<Subscription>>>,
    by_condition: BTreeMap<ConditionField, HashMap<String, Vec<Arc<Subscription>>>>,
}

impl Index {
    /// Adds a subscription. Replaces one with the same id.
    pub fn insert(&mut self, subscription: &Arc<Subscription>) {
        self.remove(subscription.id);
        self.members
            .insert(subscription.id, Arc::clone(subscription));
        for (event_type, entry) in &mut self.by_type {
            entry.add(event_type, subscription);
        }
    }

    /// Removes a subscription, if the index contains it.
    pub fn remove(&mut self, id: SubscriptionId) {
        if self.members.remove(&id).is_some() {
            self.by_type.values_mut().for_each(|entry| entry.remove(id));
        }
    }

    /// Iterates over all subscriptions in the index.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.members.values()
    }

    /// Calls `visit` once for every subscription that wants this event, with [`FilterVerdict::Wanted`] or
    /// [`FilterVerdict::NoForm`].
    pub fn visit(
        &mut self,
        record: &Record,
        facts: &FilterFacts<'_>,
        mut visit: impl FnMut(&Arc<Subscription>, FilterVerdict),
    ) {
        let event_type = &record.event_type;
        if !self.by_type.contains_key(event_type) {
            self.add_type(event_type);
        }
        let Some(entry) = self.by_type.get(event_type) else {
            return;
        };
        for subscription in &entry.unconditional {
            visit(subscription, subscription.filter.form_verdict(record));
        }
        entry.confined(record, |subscription| {
            judge(subscription, record, facts, &mut visit);
        });
        for (field, by_value) in &entry.by_condition {
            let values = field.values(facts);
            let [first, second] = values.each_ref().map(|value| value.as_deref());
            let second = second.filter(|_| second != first);
            // A subscription may list both values of an event. It is visited for the first value only.
            for value in [first, second].into_iter().flatten() {
                for subscription in by_value.get(value).into_iter().flatten() {
                    let listed_before = Some(value) == second
                        && first.is_some_and(|first| {
                            by_value.get(first).is_some_and(|members| {
                                members.iter().any(|member| member.id == subscription.id)
                            })
                        });
                    if !listed_before {
                        judge(subscription, record, facts, &mut visit);
                    }
                }
            }
        }
    }

    fn add_type(&mut self, event_type: &Arc<str>) {
        if self.by_type.len() >= MAX_TYPES {
            self.by_type.clear();
        }
        let mut entry = TypeEntry::default();
        for subscription in self.members.values() {
            entry.add(event_type, subscription);
        }
        self.by_type.insert(Arc::clone(event_type), entry);
    }
}

impl TypeEntry {
    fn add(&mut self, event_type: &str, subscription: &Arc<Subscription>) {
        if !subscription.filter.wants_type(event_type) {
            return;
        }
        let condition = subscription.filter.index_condition(event_type);
        let account = subscription.reach.root_account();
        // A condition on the root account selects no fewer events than the reach.
        let selective = condition
            .filter(|(field, _)| account.is_none() || *field < ConditionField::RootAccount);
        let (field, values) = match (selective, account) {
            (Some(condition), _) => condition,
            (None, Some(account)) => {
                let members = self.by_root_account.entry(account.to_string());
                members.or_default().push(Arc::clone(subscription));
                return;
            }
            (None, None) => {
                self.unconditional.push(Arc::clone(subscription));
                return;
            }
        };
        let by_value = self.by_condition.entry(field).or_default();
        for value in values {
            by_value
                .entry(value.to_owned())
                .or_default()
                .push(Arc::clone(subscription));
        }
    }

    /// Calls `visit` for the confined subscriptions whose root account the record names, or for all of them if the
    /// record names none.
    fn confined(&self, record: &Record, mut visit: impl FnMut(&Arc<Subscription>)) {
        if self.by_root_account.is_empty() {
            return;
        }
        let id = record.provenance.root_account_id.as_deref();
        let uuid = record.provenance.root_account_uuid.as_deref();
        if id.is_none() && uuid.is_none() {
            // The rules are the same for all, so the first one ends the search unless the operator allows such events.
            let all = self.by_root_account.values().flatten();
            all.take_while(|member| member.filter.takes_events_without_root_account())
                .for_each(visit);
            return;
        }
        // An id and a UUID are never the same text, because a reach takes a text of digits as an id.
        let second = uuid.filter(|uuid| id != Some(uuid));
        for account in [id, second].into_iter().flatten() {
            let members = self.by_root_account.get(account).into_iter().flatten();
            members.for_each(&mut visit);
        }
    }

    fn remove(&mut self, id: SubscriptionId) {
        self.unconditional.retain(|member| member.id != id);
        self.by_root_account.retain(|_, members| {
            members.retain(|member| member.id != id);
            !members.is_empty()
        });
        for by_value in self.by_condition.values_mut() {
            by_value.retain(|_, members| {
                members.retain(|member| member.id != id);
                !members.is_empty()
            });
        }
        self.by_condition.retain(|_, by_value| !by_value.is_empty());
    }
}

/// Calls `visit` if the subscription wants the event.
fn judge(
    subscription: &Arc<Subscription>,
    record: &Record,
    facts: &FilterFacts<'_>,
    visit: &mut impl FnMut(&Arc<Subscription>, FilterVerdict),
) {
    match subscription.filter.judge(record, facts) {
        FilterVerdict::OutOfReach | FilterVerdict::Unwanted => (),
        verdict @ (FilterVerdict::NoForm | FilterVerdict::Wanted) => visit(subscription, verdict),
    }
}

#[cfg(test)]
mod tests;
