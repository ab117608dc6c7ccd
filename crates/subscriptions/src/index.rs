//! Which of many subscriptions want an event, at a cost that does not grow with those that do not.
//!
//! By event type first: the globs are tried once per type, not per event. Then by one condition's
//! value: a subscription for one course is only looked at when an event of that course comes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use easel_catalog::Facts;

use crate::filter::ConditionField;
use crate::{Subscription, SubscriptionId};

/// Event types remembered at most. Names come from outside, so there can be any number of them.
const MAX_TYPES: usize = 1024;

/// The subscriptions that are to be asked about every new event.
#[derive(Debug, Default)]
pub struct Index {
    members: BTreeMap<SubscriptionId, Arc<Subscription>>,
    by_type: HashMap<Arc<str>, Wanting>,
}

/// Who wants events of one type.
#[derive(Debug, Default)]
struct Wanting {
    unconditional: Vec<Arc<Subscription>>,
    by_value: BTreeMap<ConditionField, HashMap<String, Vec<Arc<Subscription>>>>,
}

impl Index {
    /// Adds a subscription, in place of one with the same id.
    pub fn insert(&mut self, subscription: &Arc<Subscription>) {
        self.remove(subscription.id);
        self.members
            .insert(subscription.id, Arc::clone(subscription));
        for (event_type, wanting) in &mut self.by_type {
            wanting.add(event_type, subscription);
        }
    }

    /// Takes a subscription out; nothing happens when it is not in.
    pub fn remove(&mut self, id: SubscriptionId) {
        if self.members.remove(&id).is_some() {
            self.by_type
                .values_mut()
                .for_each(|wanting| wanting.remove(id));
        }
    }

    /// All that are in.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.members.values()
    }

    /// Calls `visit` with every subscription that wants this event, each once.
    pub fn visit<'a>(
        &mut self,
        event_type: &Arc<str>,
        facts: impl FnOnce() -> Facts<'a>,
        mut visit: impl FnMut(&Arc<Subscription>),
    ) {
        if !self.by_type.contains_key(event_type) {
            self.learn(event_type);
        }
        let Some(wanting) = self.by_type.get(event_type) else {
            return;
        };
        wanting.unconditional.iter().for_each(&mut visit);
        if wanting.by_value.is_empty() {
            return;
        }
        let facts = facts();
        for (field, by_value) in &wanting.by_value {
            let [one, other] = field.values(&facts);
            let other = other.filter(|_| other != one);
            // A subscription may list both of an event's values; it is visited for the first.
            for value in [one, other].into_iter().flatten() {
                for subscription in by_value.get(value).into_iter().flatten() {
                    let listed_before = Some(value) == other
                        && one.is_some_and(|one| {
                            by_value.get(one).is_some_and(|known| {
                                known.iter().any(|it| it.id == subscription.id)
                            })
                        });
                    if !listed_before && subscription.filter.holds(&facts) {
                        visit(subscription);
                    }
                }
            }
        }
    }

    fn learn(&mut self, event_type: &Arc<str>) {
        if self.by_type.len() >= MAX_TYPES {
            self.by_type.clear();
        }
        let mut wanting = Wanting::default();
        for subscription in self.members.values() {
            wanting.add(event_type, subscription);
        }
        self.by_type.insert(Arc::clone(event_type), wanting);
    }
}

impl Wanting {
    fn add(&mut self, event_type: &str, subscription: &Arc<Subscription>) {
        if !subscription.filter.wants_type(event_type) {
            return;
        }
        let Some((field, values)) = subscription.filter.key() else {
            self.unconditional.push(Arc::clone(subscription));
            return;
        };
        let by_value = self.by_value.entry(field).or_default();
        for value in values {
            by_value
                .entry(value.to_owned())
                .or_default()
                .push(Arc::clone(subscription));
        }
    }

    fn remove(&mut self, id: SubscriptionId) {
        self.unconditional.retain(|it| it.id != id);
        for by_value in self.by_value.values_mut() {
            by_value.retain(|_, them| {
                them.retain(|it| it.id != id);
                !them.is_empty()
            });
        }
        self.by_value.retain(|_, by_value| !by_value.is_empty());
    }
}

#[cfg(test)]
mod tests;
