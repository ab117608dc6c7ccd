//! Compares the index with a check of every single filter.

use std::collections::BTreeSet;
use std::sync::Arc;

use easel_catalog::{Catalog, Facts, Reach};
use easel_log::Offset;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{Index, MAX_TYPES};
use crate::definition::Definition;
use crate::state_store::{Revision, StoredSubscription};
use crate::{Conditions, GuardState, Journal, Origin, Spec, State, Subscription, SubscriptionId};

fn subscription(id: i64, globs: &[&str], conditions: Conditions) -> Arc<Subscription> {
    let json = format!(r#"{{"name":"s{id}","webhook":{{"url":"http://localhost"}}}}"#);
    let spec = Spec {
        events: globs.iter().map(|glob| glob.parse().unwrap()).collect(),
        conditions,
        ..serde_json::from_str(&json).unwrap()
    };
    let entry = StoredSubscription {
        id: SubscriptionId::new(id),
        revision: Revision::FIRST,
        definition: Definition {
            reach: Reach::Everything,
            spec,
            origin: Origin::Api,
            state: State::Active,
            guard: GuardState::Enforced,
        },
        created_at: Timestamp::UNIX_EPOCH,
        start: Offset::ZERO,
        journal: Journal::new(Offset::ZERO),
        parked: Vec::new(),
        replays: Vec::new(),
    };
    Arc::new(Subscription::from_stored(
        entry,
        &Arc::new(Catalog::built_in()),
    ))
}

fn visited(index: &mut Index, event_type: &str, facts: &Facts<'_>) -> Vec<i64> {
    let mut ids = Vec::new();
    index.visit(
        &Arc::from(event_type),
        || facts.clone(),
        |subscription| ids.push(subscription.id.get()),
    );
    ids.sort_unstable();
    ids
}

fn values() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[1-3]", 0..3)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (values(), values(), values(), values()).prop_map(|(root_account, account, course, user)| {
        Conditions {
            root_account,
            account,
            course,
            user,
            ..Conditions::default()
        }
    })
}

fn facts() -> impl Strategy<Value = Facts<'static>> {
    let value = || proptest::option::of("[1-4]");
    let kind = proptest::option::of(prop_oneof!["Course", "Account", "User"]);
    (value(), value(), value(), value(), value(), kind).prop_map(
        |(root, uuid, account, context, user, kind)| Facts {
            root_account_id: root.map(Into::into),
            root_account_uuid: uuid.map(Into::into),
            context_account_id: account.map(Into::into),
            context_id: context.map(Into::into),
            user_id: user.map(Into::into),
            context_type: kind.map(Into::into),
            ..Facts::default()
        },
    )
}

const GLOBS: [&[&str]; 5] = [
    &["*"],
    &["grade_*"],
    &["course_created"],
    &["*_created", "*_c*"],
    &["x"],
];
const TYPES: [&str; 4] = [
    "grade_change",
    "course_created",
    "group_created",
    "user_updated",
];

proptest! {
    #[test]
    fn the_index_visits_exactly_the_subscriptions_whose_filter_matches(
        members in proptest::collection::vec((0..GLOBS.len(), conditions()), 1..12),
        removed in proptest::collection::btree_set(0..12_i64, 0..4),
        first_late in 0..12_i64,
        events in proptest::collection::vec((0..TYPES.len(), facts()), 1..12),
    ) {
        let all: Vec<_> = (0..).zip(&members)
            .map(|(id, (globs, conditions))| subscription(id, GLOBS[*globs], conditions.clone()))
            .collect();
        let mut index = Index::default();
        let early_members = all.iter().filter(|member| member.id.get() < first_late);
        early_members.for_each(|member| index.insert(member));
        for (event_type, facts) in &events {
            // The index gets these types before members are added and removed.
            visited(&mut index, TYPES[*event_type], facts);
        }
        let late_members = all.iter().filter(|member| member.id.get() >= first_late);
        late_members.for_each(|member| index.insert(member));
        for id in &removed {
            index.remove(SubscriptionId::new(*id));
        }

        for (event_type, facts) in &events {
            let event_type = TYPES[*event_type];
            let wanted: Vec<_> = all.iter()
                .filter(|member| !removed.contains(&member.id.get()))
                .filter(|member| member.filter.wants_type(event_type))
                .filter(|member| member.filter.wants(|| facts.clone()))
                .map(|member| member.id.get())
                .collect();
            prop_assert_eq!(visited(&mut index, event_type, facts), wanted);
        }
    }
}

#[test]
fn unknown_event_types_use_limited_memory() {
    let mut index = Index::default();
    index.insert(&subscription(1, &["*"], Conditions::default()));
    let facts = Facts::default();
    let types: BTreeSet<_> = (0..MAX_TYPES * 2).map(|n| format!("type_{n}")).collect();
    for event_type in &types {
        assert_eq!(visited(&mut index, event_type, &facts), [1]);
    }
    assert!(index.by_type.len() <= MAX_TYPES);
}

#[test]
fn only_a_glob_that_begins_with_easel_matches_operator_events() {
    let without_prefix = ["*", "?asel.*", "easel*", "*.low"];
    let mut index = Index::default();
    index.insert(&subscription(1, &without_prefix, Conditions::default()));
    index.insert(&subscription(2, &["easel.disk.*"], Conditions::default()));
    index.insert(&subscription(3, &["*", "easel.*"], Conditions::default()));
    let facts = Facts::default();
    assert_eq!(visited(&mut index, "easel.disk.low", &facts), [2, 3]);
    assert_eq!(visited(&mut index, "easel.drift.found", &facts), [3]);
    assert_eq!(visited(&mut index, "grade_change", &facts), [1, 3]);
    assert_eq!(visited(&mut index, "easels", &facts), [1, 3]);
    let wants_operator_events: Vec<_> = index
        .members()
        .map(|member| member.spec.wants_operator_events())
        .collect();
    assert_eq!(wants_operator_events, [false, true, true]);
}
