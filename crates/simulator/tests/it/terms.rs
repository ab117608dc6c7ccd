//! Tests with terms of different sizes. The triggers accept every change. Every event type of the published
//! payloads occurs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use easel_caliper::{Dialect, Level, TranslationOptions, Translator, check};
use easel_catalog::{Catalog, Event, EventOrigin};
use easel_simulator::{Campus, TermOptions};
use easel_triggers::{Change, Operation, Row, Subject, TriggerOptions, Triggers};
use jiff::Timestamp;
use serde_json::Value;

/// The event types of the 37 published seed payloads.
const SEEDS: [&str; 37] = [
    "assignment_created",
    "assignment_override_created",
    "assignment_override_updated",
    "assignment_updated",
    "attachment_created",
    "attachment_deleted",
    "attachment_updated",
    "course_created",
    "course_grade_change",
    "course_updated",
    "enrollment_created",
    "enrollment_state_created",
    "enrollment_state_updated",
    "enrollment_updated",
    "grade_change",
    "grade_override",
    "group_category_created",
    "group_created",
    "group_membership_created",
    "learning_outcome_created",
    "learning_outcome_group_created",
    "learning_outcome_group_updated",
    "learning_outcome_link_created",
    "learning_outcome_link_updated",
    "learning_outcome_result_created",
    "learning_outcome_result_updated",
    "learning_outcome_updated",
    "outcome_proficiency_created",
    "outcome_proficiency_updated",
    "rubric_assessed",
    "submission_created",
    "submission_updated",
    "syllabus_updated",
    "user_account_association_created",
    "wiki_page_created",
    "wiki_page_deleted",
    "wiki_page_updated",
];

fn term(seed: u64, students: u32, days: u32) -> Vec<Change> {
    let options = TermOptions {
        seed,
        students,
        days,
        ..TermOptions::default()
    };
    Campus::new(options).collect()
}

fn events(changes: &[Change]) -> Vec<Event> {
    let options = TriggerOptions {
        shard: 7,
        ..TriggerOptions::default()
    };
    let triggers = Triggers::new(Arc::new(Catalog::built_in()), options).unwrap();
    let events = changes.iter().flat_map(|change| {
        let outcome = triggers
            .events(change, Timestamp::UNIX_EPOCH)
            .unwrap_or_else(|faults| panic!("{faults}: {:#}", change.to_json()));
        let warnings = outcome.warnings;
        assert!(warnings.is_empty(), "{warnings:?}: {:#}", change.to_json());
        outcome.events
    });
    events.collect()
}

#[test]
fn the_same_seed_gives_the_same_term_and_another_seed_a_different_one() {
    let (first, same, other) = (term(7, 40, 5), term(7, 40, 5), term(8, 40, 5));
    assert!(first == same);
    assert!(first != other);
}

#[test]
fn a_term_of_any_size_has_events() {
    for (students, days) in [(0, 0), (1, 1), (1, 30), (7, 3), (100, 1)] {
        assert!(!events(&term(1, students, days)).is_empty());
    }
}

#[test]
fn every_seed_event_type_occurs_and_every_translation_is_valid() {
    let changes = term(3, 120, 21);
    let events = events(&changes);
    let names: BTreeSet<_> = events.iter().map(|event| &*event.event_type).collect();
    let missing: Vec<_> = SEEDS.iter().filter(|name| !names.contains(*name)).collect();
    assert_eq!(missing, [&""; 0]);

    let translator =
        Translator::new(Arc::new(Catalog::built_in()), TranslationOptions::default()).unwrap();
    let mut broken_rules: BTreeMap<_, u32> = BTreeMap::new();
    for event in &events {
        if !translator.translates(&event.event_type) {
            continue;
        }
        let translated = translator
            .translate(&event.event_type, &event.bytes, event.id, Dialect::Strict)
            .unwrap();
        assert_eq!(translated.unreadable, 0);
        let send_time = event.occurred_at;
        for breach in check(&translated.envelope(send_time)).unwrap() {
            if breach.rule.level() == Level::Must {
                let key = (event.event_type.to_string(), breach.rule.code());
                *broken_rules.entry(key).or_default() += 1;
            }
        }
    }
    assert_eq!(broken_rules, BTreeMap::new());
}

#[test]
fn nobody_enrolls_twice_in_a_course_or_submits_after_leaving() {
    for students in [1, 7, 8, 50, 53, 100, 154, 200] {
        let mut enrolled = BTreeSet::new();
        let mut left = BTreeSet::new();
        for change in term(1, students, if students == 200 { 21 } else { 1 }) {
            let (Subject::Record { kind, .. }, Some(after)) = (&change.subject, &change.after)
            else {
                continue;
            };
            let id = |column: &str| after.value(column).and_then(Value::as_u64);
            if kind == "Enrollment" && change.before.is_none() {
                let key = (id("course_id"), id("user_id"));
                assert!(enrolled.insert(key), "{students} students: {key:?}");
            } else if kind == "Enrollment" && after.text("workflow_state") == Some("deleted") {
                left.insert((id("course_id"), id("user_id")));
            }
            if kind == "Submission" && change.before.is_none() {
                let course = change.related["course"].value("id").and_then(Value::as_u64);
                assert!(
                    !left.contains(&(course, id("user_id"))),
                    "{:#}",
                    change.to_json()
                );
            }
        }
    }
}

/// A row must be inserted before it changes. Its `before` must equal its `after` of the last change.
#[test]
fn each_change_continues_the_last_state_of_its_row_and_times_never_go_back() {
    let mut rows: HashMap<(String, Value), Row> = HashMap::new();
    let mut ids: HashMap<Value, String> = HashMap::new();
    let mut last = Timestamp::MIN;
    for change in term(11, 150, 21) {
        let at = change.occurred_at.unwrap();
        assert!(at >= last, "{:#}", change.to_json());
        last = at;
        let Subject::Record { kind, operation } = &change.subject else {
            continue;
        };
        let row = change.after.as_ref().or(change.before.as_ref()).unwrap();
        let id = row.value("id").or_else(|| row.value("enrollment_id"));
        let id = id.unwrap().clone();
        let key = (kind.clone(), id.clone());
        match operation {
            Operation::Insert => {
                let before = rows.insert(key, change.after.clone().unwrap());
                assert_eq!(before, None);
                if row.value("id").is_some() {
                    assert_eq!(
                        ids.insert(id, kind.clone()),
                        None,
                        "two rows have the same id"
                    );
                }
            }
            Operation::Update => {
                let after = change.after.clone().unwrap();
                let before = rows.insert(key, after);
                assert_eq!(before, change.before, "{kind}");
                assert_ne!(change.before, change.after, "{kind}");
            }
            Operation::Delete => assert_eq!(rows.remove(&key), change.before, "{kind}"),
            Operation::Act => unreachable!(),
        }
    }
}

/// The first change of each session must be its login, even if the session crosses midnight.
#[test]
fn the_first_change_of_every_session_is_its_login() {
    let mut sessions = BTreeMap::new();
    for change in term(5, 30, 4) {
        if change.origin != EventOrigin::Request {
            continue;
        }
        let user = change.context.value("user_id").unwrap().clone();
        let session = change.context.text("session_id").unwrap().to_owned();
        let is_login = change.subject
            == Subject::Action {
                name: "logged_in".to_owned(),
            };
        match sessions.insert(session, user.clone()) {
            None => assert!(is_login, "{:#}", change.to_json()),
            Some(known) => assert_eq!((known, is_login), (user, false)),
        }
    }
}
