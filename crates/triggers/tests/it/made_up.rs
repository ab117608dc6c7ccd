//! Property tests: events of random changes.

use std::sync::LazyLock;

use easel_catalog::{Catalog, Event, Rule};
use easel_triggers::{Change, Operation, Subject};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::changes::{Fixture, OptionsJson, fixtures};

static FIXTURES: LazyLock<Vec<(String, Fixture)>> = LazyLock::new(fixtures);
static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

/// Values of all types, valid or invalid for a column.
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

/// The changes of fixtures, with some columns changed or removed.
fn change() -> impl Strategy<Value = (u64, Value)> {
    let columns = |row: &Value| -> Vec<String> {
        let row = row.as_object();
        row.into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let fixture_change = select(
        FIXTURES
            .iter()
            .map(|(_, fixture)| fixture.change.clone())
            .collect::<Vec<_>>(),
    );
    fixture_change
        .prop_flat_map(move |change| {
            let mut places: Vec<(String, String)> = Vec::new();
            for row in ["before", "after", "with"] {
                places.extend(
                    columns(&change[row])
                        .into_iter()
                        .map(|column| (format!("/{row}"), column)),
                );
            }
            for related in columns(&change["related"]) {
                let row = format!("/related/{related}");
                places.extend(
                    columns(&change["related"][&related])
                        .into_iter()
                        .map(|column| (row.clone(), column)),
                );
            }
            let max_edits = std::cmp::min(4, places.len());
            let edits = subsequence(places, 0..=max_edits);
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

/// Returns whether a fixture has exactly this change.
fn is_a_fixture(json: &Value) -> bool {
    FIXTURES.iter().any(|(_, fixture)| fixture.change == *json)
}

/// Returns an update of the same row that changes nothing. `None` for an action.
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
    fn events_of_any_change_conform_and_come_in_the_order_of_the_rules((shard, json) in change()) {
        for nulls in ["dropped", "kept"] {
            let triggers = options(shard, nulls).triggers();
            let change = Change::from_json(json.clone()).unwrap();
            // A change can be written as JSON and parsed again.
            prop_assert_eq!(&Change::from_json(change.to_json()).unwrap(), &change);
            let Ok(outcome) = triggers.events(&change, Timestamp::UNIX_EPOCH) else {
                // A fixture itself is never rejected.
                prop_assert!(shard != 7 || !is_a_fixture(&json), "{json:#}");
                continue;
            };
            prop_assert_eq!(&triggers.events(&change, Timestamp::UNIX_EPOCH).unwrap(), &outcome);
            let (mut wrong, mut must_warn) = (Vec::new(), false);
            for event in &outcome.events {
                CATALOG.check(&event.event_type, &event.bytes, |finding| {
                    let is_warning = matches!(
                        finding.rule,
                        Rule::NewValue | Rule::UnlistedValue | Rule::Null | Rule::Missing
                    );
                    must_warn |= is_warning;
                    if !is_warning && finding.rule != Rule::GlobalId {
                        wrong.push(format!("{} {finding}", finding.pointer()));
                    }
                });
                let tree: Value = serde_json::from_slice(&event.bytes).unwrap();
                let body: &Map<_, _> = tree["body"].as_object().unwrap();
                prop_assert!(
                    nulls == "kept" || body.values().all(|value| !value.is_null()),
                    "{tree:#}"
                );
            }
            prop_assert!(wrong.is_empty(), "{wrong:?}");
            // The sender gets a warning if the catalogue finds a problem in an event.
            prop_assert!(!must_warn || !outcome.warnings.is_empty(), "{json:#}");
            // The events come in the order of the rules.
            let order: Vec<_> = easel_triggers::rules().map(|rule| rule.event_type).collect();
            let place = |event: &Event| order.iter().position(|name| *name == &*event.event_type);
            let places: Vec<_> = outcome.events.iter().map(place).collect();
            prop_assert!(places.is_sorted() || outcome.events.len() < 2, "{places:?}");
        }
    }

    #[test]
    fn an_idle_update_makes_no_event_unless_its_rules_allow_it((shard, json) in change()) {
        let change = Change::from_json(json).unwrap();
        let Some(idle) = idle(&change) else { return Ok(()) };
        let Subject::Record { kind, .. } = &idle.subject else { return Ok(()) };
        // An idle update of these two types makes an event. An idle update of a submission makes one if the
        // assignment changed.
        let allows_idle = ["OutcomeProficiency", "RubricAssessment"].contains(&kind.as_str());
        let outcome = options(shard, "dropped").triggers().events(&idle, Timestamp::UNIX_EPOCH);
        let may_be_regraded = idle.related.contains_key("assignment_before");
        if !allows_idle && !may_be_regraded {
            prop_assert_eq!(outcome.map_or(0, |outcome| outcome.events.len()), 0);
        }
    }

    #[test]
    fn arbitrary_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(Change::read(&bytes));
    }
}

#[test]
fn a_change_that_is_nested_too_deeply_is_rejected() {
    let nested = |depth: usize| {
        let inner = "[".repeat(depth - 1) + &"]".repeat(depth - 1);
        format!("{{\"record\":{inner}}}")
    };
    let fault = |depth: usize| {
        Change::read(nested(depth).as_bytes())
            .unwrap_err()
            .to_string()
    };
    assert!(!fault(127).contains("nesting"), "{}", fault(127));
    assert!(
        fault(128).contains("the nesting must not be deeper than 127 levels"),
        "{}",
        fault(128)
    );
    assert!(fault(100_000).contains("nesting"), "{}", fault(100_000));
}
