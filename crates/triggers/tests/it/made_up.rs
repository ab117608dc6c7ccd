//! Changes that nobody made: whatever they hold, what comes of them keeps to a few rules.

use std::sync::LazyLock;

use easel_catalog::{Catalog, Rule};
use easel_triggers::{Change, Operation, Subject};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::changes::{Fixture, OptionsJson, fixtures};

static FIXTURES: LazyLock<Vec<(String, Fixture)>> = LazyLock::new(fixtures);
static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

/// A value that a column may or may not have.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..1 << 60).prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[1-9][0-9]{0,19}".prop_map(Value::from),
        Just(json!("2026-02-11T08:15:42.123456+02:00")),
        Just(json!("2026-02-11")),
        Just(json!("x ".repeat(5000))),
        Just(json!("deleted")),
        Just(json!({ "id": 7, "a": [1] })),
        Just(json!([{ "id": 7 }, 8])),
    ]
}

/// A change of a fixture with some of its columns set to something else, or left out.
fn change() -> impl Strategy<Value = (u64, Value)> {
    let columns = |row: &Value| -> Vec<String> {
        let row = row.as_object();
        row.into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let pick = select(
        FIXTURES
            .iter()
            .map(|(_, it)| it.change.clone())
            .collect::<Vec<_>>(),
    );
    pick.prop_flat_map(move |change| {
        let mut places: Vec<(String, String)> = Vec::new();
        for row in ["before", "after", "with"] {
            places.extend(
                columns(&change[row])
                    .into_iter()
                    .map(|it| (format!("/{row}"), it)),
            );
        }
        for related in columns(&change["related"]) {
            let row = format!("/related/{related}");
            places.extend(
                columns(&change["related"][&related])
                    .into_iter()
                    .map(|it| (row.clone(), it)),
            );
        }
        let most = std::cmp::min(4, places.len());
        let edits = subsequence(places, 0..=most);
        let values = prop::collection::vec(prop::option::weighted(0.8, value()), 4);
        (select(vec![0_u64, 7]), Just(change), edits, values)
    })
    .prop_map(|(shard, mut change, edits, values)| {
        for ((row, column), value) in edits.into_iter().zip(values) {
            let row = change
                .pointer_mut(&row)
                .and_then(Value::as_object_mut)
                .unwrap();
            match value {
                Some(value) => drop(row.insert(column, value)),
                None => drop(row.remove(&column)),
            }
        }
        (shard, change)
    })
}

fn options(shard: u64, nulls: &str) -> OptionsJson {
    serde_json::from_value(json!({ "shard": shard, "nulls": nulls })).unwrap()
}

/// Whether nothing was changed of a fixture.
fn is_a_fixture(json: &Value) -> bool {
    FIXTURES.iter().any(|(_, it)| it.change == *json)
}

/// The same change as an update that changes nothing.
fn idle(change: &Change) -> Option<Change> {
    let Subject::Record { kind, .. } = &change.subject else {
        return None;
    };
    let row = change.after.clone().or_else(|| change.before.clone());
    Some(Change {
        subject: Subject::Record {
            kind: kind.clone(),
            operation: Operation::Update,
        },
        before: row.clone(),
        after: row,
        ..change.clone()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(std::cmp::max(3_000, ProptestConfig::default().cases)))]

    #[test]
    fn whatever_changes_the_events_conform_and_come_in_one_order((shard, json) in change()) {
        for nulls in ["dropped", "kept"] {
            let triggers = options(shard, nulls).triggers();
            let change = Change::from_json(json.clone()).unwrap();
            // What goes in comes out, but for what says nothing.
            prop_assert_eq!(&Change::from_json(change.to_json()).unwrap(), &change);
            let Ok(outcome) = triggers.events(&change, Timestamp::UNIX_EPOCH) else {
                // What a fixture has as it stands is no reason to refuse it.
                prop_assert!(shard != 7 || !is_a_fixture(&json), "{json:#}");
                continue;
            };
            prop_assert_eq!(&triggers.events(&change, Timestamp::UNIX_EPOCH).unwrap(), &outcome);
            let (mut wrong, mut has_warned_of) = (Vec::new(), false);
            for event in &outcome.events {
                CATALOG.check(&event.event_type, &event.bytes, |finding| {
                    let is_warned_of = matches!(
                        finding.rule,
                        Rule::NewValue | Rule::UnlistedValue | Rule::Null | Rule::Missing
                    );
                    has_warned_of |= is_warned_of;
                    if !is_warned_of && finding.rule != Rule::GlobalId {
                        wrong.push(format!("{} {finding}", finding.pointer()));
                    }
                });
                let tree: Value = serde_json::from_slice(&event.bytes).unwrap();
                let body: &Map<_, _> = tree["body"].as_object().unwrap();
                prop_assert!(nulls == "kept" || body.values().all(|it| !it.is_null()), "{tree:#}");
            }
            prop_assert!(wrong.is_empty(), "{wrong:?}");
            // What the catalogue finds in an event is a warning to the sender.
            prop_assert!(!has_warned_of || !outcome.warnings.is_empty(), "{json:#}");
            // The events come in the order of the rules.
            let order: Vec<_> = easel_triggers::rules().map(|it| it.event).collect();
            let places: Vec<_> = outcome.events.iter().map(|it| order.iter().position(|name| *name == &*it.event_type)).collect();
            prop_assert!(places.is_sorted() || outcome.events.len() < 2, "{places:?}");
        }
    }

    #[test]
    fn an_update_that_changes_nothing_means_nothing((shard, json) in change()) {
        let change = Change::from_json(json).unwrap();
        let Some(idle) = idle(&change) else { return Ok(()) };
        let Subject::Record { kind, .. } = &idle.subject else { return Ok(()) };
        // Two kinds of records tell of what is not in their own columns, and a submission of its
        // assignment.
        let tells_more = ["OutcomeProficiency", "RubricAssessment"].contains(&kind.as_str());
        let outcome = options(shard, "dropped").triggers().events(&idle, Timestamp::UNIX_EPOCH);
        let regraded = idle.related.contains_key("assignment_before");
        if !tells_more && !regraded {
            prop_assert_eq!(outcome.map_or(0, |it| it.events.len()), 0);
        }
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(Change::read(&bytes));
    }
}
