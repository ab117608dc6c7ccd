//! Compares the index with a check of every single filter.

use std::collections::BTreeSet;
use std::sync::Arc;

use easel_catalog::{Catalog, EventDetails, EventOrigin, Facts, FilterFacts, Reach, ReachRules};
use easel_log::{Offset, Provenance, Record};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{Index, MAX_TYPES};
use crate::definition::Definition;
use crate::state_store::{Revision, StoredSubscription};
use crate::{
    Conditions, FilterVerdict, GuardState, Journal, MatchContext, Origin, Spec, State,
    Subscription, SubscriptionId,
};

fn subscription(id: i64, globs: &[&str], conditions: Conditions) -> Arc<Subscription> {
    subscription_by_origin(id, [globs, &[], &[]], conditions)
}

fn subscription_by_origin(
    id: i64,
    globs: [&[&str]; 3],
    conditions: Conditions,
) -> Arc<Subscription> {
    confined_subscription(
        id,
        globs,
        conditions,
        (Reach::Everything, ReachRules::default()),
    )
}

fn confined_subscription(
    id: i64,
    globs: [&[&str]; 3],
    conditions: Conditions,
    (reach, reach_rules): (Reach, ReachRules),
) -> Arc<Subscription> {
    let [events, user_events, system_events] =
        globs.map(|globs| globs.iter().map(|glob| glob.parse().unwrap()).collect());
    let json = format!(r#"{{"name":"s{id}","webhook":{{"url":"http://localhost"}}}}"#);
    let spec = Spec {
        events,
        user_events,
        system_events,
        conditions,
        ..serde_json::from_str(&json).unwrap()
    };
    let entry = StoredSubscription {
        id: SubscriptionId::new(id),
        revision: Revision::FIRST,
        definition: Definition {
            reach,
            spec,
            origin: Origin::Api,
            state: State::Active,
            guard: GuardState::Enforced,
            owner: None,
        },
        created_at: Timestamp::UNIX_EPOCH,
        start: Offset::ZERO,
        journal: Journal::new(Offset::ZERO),
        parked: Vec::new(),
        replays: Vec::new(),
    };
    let context = MatchContext {
        catalog: Arc::new(Catalog::built_in()),
        reach_rules,
    };
    Arc::new(Subscription::from_stored(entry, &context))
}

fn visited(index: &mut Index, event_type: &str, facts: &FilterFacts<'_>) -> Vec<i64> {
    visited_by(index, &record(event_type, None, None), facts)
}

/// Returns the ids of the subscriptions that want a record.
fn visited_by(index: &mut Index, record: &Record, facts: &FilterFacts<'_>) -> Vec<i64> {
    let mut ids = Vec::new();
    index.visit(record, facts, |subscription, verdict| {
        assert_eq!(verdict, FilterVerdict::Wanted);
        ids.push(subscription.id.get());
    });
    ids.sort_unstable();
    ids
}

/// Returns a record that names this root account.
fn record(event_type: &str, id: Option<&str>, uuid: Option<&str>) -> Record {
    Record {
        offset: Offset::ZERO,
        id: uuid::Uuid::nil(),
        event_type: event_type.into(),
        occurred_at: Timestamp::UNIX_EPOCH,
        appended_at: Timestamp::UNIX_EPOCH,
        provenance: Arc::new(Provenance {
            root_account_id: id.map(Into::into),
            root_account_uuid: uuid.map(Into::into),
            ..Provenance::default()
        }),
        arrival: None,
        bytes: bytes::Bytes::new(),
    }
}

fn values() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[1-3]", 0..3)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let values = || prop_oneof![2 => Just(Vec::new()), 1 => values()];
    (
        values(),
        values(),
        values(),
        values(),
        proptest::collection::vec(assignment(), 0..2),
        values(),
    )
        .prop_map(
            |(root_account, account, course, user, assignment, associated_integration)| {
                Conditions {
                    root_account,
                    account,
                    course,
                    user,
                    assignment,
                    associated_integration,
                    ..Conditions::default()
                }
            },
        )
}

/// Local and global ids, and an id that is no number.
fn assignment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("1"),
        Just("2"),
        Just("70000000000001"),
        Just("80000000000001"),
        Just("70000000000002"),
        Just("x"),
    ]
    .prop_map(str::to_owned)
}

fn facts() -> impl Strategy<Value = FilterFacts<'static>> {
    let value = || proptest::option::of("[1-4]");
    let kind = proptest::option::of(prop_oneof!["Course", "Account", "User"]);
    let metadata = (value(), value(), value(), value(), value(), kind).prop_map(
        |(root, uuid, account, context, user, kind)| Facts {
            root_account_id: root.map(Into::into),
            root_account_uuid: uuid.map(Into::into),
            context_account_id: account.map(Into::into),
            context_id: context.map(Into::into),
            user_id: user.map(Into::into),
            context_type: kind.map(Into::into),
            ..Facts::default()
        },
    );
    let origin = prop_oneof![
        Just(EventOrigin::Request),
        Just(EventOrigin::Job),
        Just(EventOrigin::Neither)
    ];
    let details = (origin, proptest::option::of(assignment()), value()).prop_map(
        |(origin, assignment, integration)| EventDetails {
            origin,
            assignment_id: assignment.map(Into::into),
            associated_integration_id: integration.map(Into::into),
        },
    );
    (metadata, details).prop_map(|(metadata, details)| FilterFacts::from_parts(metadata, details))
}

/// For each subscription: its events, its events of users and its events of the system.
const GLOBS: [[&[&str]; 3]; 8] = [
    [&["*"], &[], &[]],
    [&["grade_*"], &[], &[]],
    [&["course_created"], &[], &[]],
    [&["*_created", "*_c*"], &[], &[]],
    [&["x"], &[], &[]],
    [&[], &["*_created"], &["grade_*"]],
    [&["grade_*"], &["*"], &[]],
    [&[], &["course_*"], &["*"]],
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
            .map(|(id, (globs, conditions))| subscription_by_origin(id, GLOBS[*globs], conditions.clone()))
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
                .filter(|member| member.filter.wants(event_type, facts))
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
    let facts = FilterFacts::new(b"");
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
    let facts = FilterFacts::new(b"");
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

/// Checks which events a subscription wants. `globs` has its events, those of users, and those of the system.
#[track_caller]
fn check(
    globs: [&[&str]; 3],
    conditions: Conditions,
    wanted: &[(&str, &str)],
    unwanted: &[(&str, &str)],
) {
    let subscription = subscription_by_origin(1, globs, conditions);
    let mut index = Index::default();
    index.insert(&subscription);
    let events = wanted.iter().map(|event| (event, true));
    let events = events.chain(unwanted.iter().map(|event| (event, false)));
    for ((event_type, stored), is_wanted) in events {
        let facts = FilterFacts::new(stored.as_bytes());
        let filter = &subscription.filter;
        let matches = filter.wants_type(event_type) && filter.wants(event_type, &facts);
        assert_eq!(matches, is_wanted, "{event_type} {stored}");
        let found = visited(&mut index, event_type, &facts).len();
        assert_eq!(found, usize::from(is_wanted), "{event_type} {stored}");
    }
}

#[test]
fn an_event_is_matched_by_its_origin() {
    let by_request = r#"{"metadata":{"request_id":"7","user_id":"8"},"body":{}}"#;
    let by_job = r#"{"metadata":{"job_id":"7","user_id":"8"},"body":{}}"#;
    let by_nobody = r#"{"metadata":{},"body":{}}"#;
    check(
        [&["course_*"], &["grade_*"], &["user_*"]],
        Conditions::default(),
        &[
            ("course_created", by_request),
            ("course_created", by_job),
            ("grade_change", by_request),
            ("user_updated", by_job),
            ("user_updated", by_nobody),
        ],
        &[
            ("grade_change", by_job),
            ("grade_change", by_nobody),
            ("user_updated", by_request),
            ("group_created", by_job),
        ],
    );
}

#[test]
fn an_assignment_is_found_by_its_global_and_its_local_id() {
    let event = |id: &str| format!(r#"{{"metadata":{{}},"body":{{"assignment_id":{id}}}}}"#);
    let [global, other_shard, local] =
        [r#""70000000000009""#, r#""80000000000009""#, "9"].map(event);
    let other = event(r#""70000000000010""#);
    let condition = |id: &str| Conditions {
        assignment: vec![id.to_owned()],
        ..Conditions::default()
    };
    let check_id = |id: &str, wanted: &[&str], unwanted: &[&str]| {
        let [wanted, unwanted] = [wanted, unwanted].map(|events| {
            events
                .iter()
                .map(|event| ("grade_change", *event))
                .collect::<Vec<_>>()
        });
        check([&["*"], &[], &[]], condition(id), &wanted, &unwanted);
    };
    check_id("9", &[&global, &other_shard, &local], &[&other]);
    check_id(
        "70000000000009",
        &[&global, &local],
        &[&other_shard, &other],
    );
}

#[test]
fn an_event_for_another_tool_is_not_matched() {
    let event =
        |id: &str| format!(r#"{{"metadata":{{}},"body":{{"associated_integration_id":{id}}}}}"#);
    let [own, other, none] = [r#""tool-1""#, r#""tool-2""#, "null"].map(event);
    let conditions = Conditions {
        associated_integration: vec!["tool-1".to_owned()],
        ..Conditions::default()
    };
    check(
        [&["*"], &[], &[]],
        conditions,
        &[("submission_created", &own)],
        &[
            ("submission_created", &other),
            ("submission_created", &none),
        ],
    );
}

const REACHES: [&str; 4] = ["*", "root_account:1", "root_account:2", "root_account:a"];

/// The root account that an event names: by id, by UUID, by both, or not at all.
fn named_account() -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>)> {
    let id = proptest::option::of(prop_oneof![Just("1"), Just("2"), Just("3"), Just("a")]);
    let uuid = proptest::option::of(prop_oneof![Just("a"), Just("b"), Just("1")]);
    (id, uuid)
}

proptest! {
    #[test]
    fn a_confined_subscription_gets_nothing_that_is_outside_of_its_reach(
        members in proptest::collection::vec(
            (0..GLOBS.len(), conditions(), 0..REACHES.len()), 1..12),
        events in proptest::collection::vec((0..TYPES.len(), facts(), named_account()), 1..12),
        job_events in any::<bool>(),
        events_without_root_account in any::<bool>(),
    ) {
        let rules = ReachRules { job_events, events_without_root_account };
        let all: Vec<_> = (0..).zip(&members).map(|(id, (globs, conditions, reach))| {
            let reach = REACHES[*reach].parse().unwrap();
            confined_subscription(id, GLOBS[*globs], conditions.clone(), (reach, rules))
        }).collect();
        let mut index = Index::default();
        for member in &all {
            index.insert(member);
        }
        for (event_type, facts, (account_id, account_uuid)) in &events {
            let event_type = TYPES[*event_type];
            let is_job = facts.details().origin == EventOrigin::Job;
            let is_in_reach = |member: &Subscription| match member.reach.to_string().as_str() {
                "*" => true,
                _ if is_job && !job_events => false,
                _ if account_id.is_none() && account_uuid.is_none() => events_without_root_account,
                "root_account:1" => *account_id == Some("1"),
                "root_account:2" => *account_id == Some("2"),
                _ => *account_uuid == Some("a"),
            };
            let wanted: Vec<_> = all.iter()
                .filter(|member| is_in_reach(member))
                .filter(|member| member.filter.wants_type(event_type))
                .filter(|member| member.filter.wants(event_type, facts))
                .map(|member| member.id.get())
                .collect();
            let record = record(event_type, *account_id, *account_uuid);
            prop_assert_eq!(visited_by(&mut index, &record, facts), wanted);
            for member in &all {
                prop_assert_eq!(member.filter.covers(&record, facts), is_in_reach(member));
            }
        }
    }
}

#[test]
fn an_event_is_judged_only_for_the_confined_subscriptions_of_its_root_account() {
    let judged = |rules: ReachRules, id, uuid| {
        let mut index = Index::default();
        for number in 0..1_000 {
            let reach = format!("root_account:{number}").parse().unwrap();
            let globs: [&[&str]; 3] = [&["*"], &[], &[]];
            let member =
                confined_subscription(number, globs, Conditions::default(), (reach, rules));
            index.insert(&member);
        }
        let record = record("grade_change", id, uuid);
        visited_by(&mut index, &record, &FilterFacts::new(b""));
        let mut count = 0;
        let entry = index.by_type.get("grade_change").unwrap();
        assert!(entry.unconditional.is_empty() && entry.by_condition.is_empty());
        entry.confined(&record, |_| count += 1);
        count
    };
    let open = ReachRules {
        events_without_root_account: true,
        ..ReachRules::default()
    };
    for rules in [ReachRules::default(), open] {
        assert_eq!(judged(rules, Some("7"), Some("x")), 1);
        assert_eq!(judged(rules, Some("5000"), None), 0);
    }
    assert_eq!(judged(ReachRules::default(), None, None), 0);
    assert_eq!(judged(open, None, None), 1_000);
}
