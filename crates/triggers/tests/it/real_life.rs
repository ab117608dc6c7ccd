//! Ten thousand changes like those of a real system: with nulls, unlisted states and long strings, for
//! every record and action. No change is rejected. Unusual values have a warning, and no other value has.

use std::collections::{BTreeSet, HashMap};

use easel_catalog::{Catalog, Column, EventType, Field, Kind, Rule};
use easel_triggers::{Change, Triggers};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::changes::{OptionsJson, fixtures};

const CHANGES: usize = 10_000;
const SEED: u64 = 20_260_211;

/// A linear congruential generator. Its numbers are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// Returns true once in `count` calls on average.
    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Returns another value for a column, or `None` to leave it.
fn edit(random: &mut Random, column: &str, value: &Value, fields: &[&Field]) -> Option<Value> {
    if column == "id" || fields.is_empty() {
        return None;
    }
    let is_text = value.is_string() && fields.iter().all(|field| matches!(field.kind, Kind::Text));
    let is_state = is_text && fields.iter().any(|field| field.values.is_some());
    match random.below(3) {
        0 => Some(Value::Null),
        1 if is_state => Some(json!("quite_another_state")),
        2 if is_text && !is_state => Some(json!("long ".repeat(2_000))),
        _ => None,
    }
}

/// Returns the fields that come from a column of the row itself.
fn fields_of<'a>(events: &[&'a EventType], column: &str) -> Vec<&'a Field> {
    let comes_from = |field: &&Field| match field.from.first() {
        Some(Column::Own(from)) => *from == column,
        Some(_) => false,
        None => field.name == column && field.old_value_of.is_none(),
    };
    events
        .iter()
        .flat_map(|event_type| event_type.body.iter())
        .filter(comes_from)
        .collect()
}

/// Returns the changes before they are edited: the fixtures and the templates.
fn originals(triggers: &Triggers) -> Vec<Value> {
    let fixtures = fixtures().into_iter().map(|(_, fixture)| fixture.change);
    let templates = triggers
        .shapes()
        .into_iter()
        .map(|shape| triggers.template(&shape).to_json());
    fixtures.chain(templates).collect()
}

#[test]
fn ten_thousand_changes_of_a_real_system_are_accepted_and_unusual_values_have_warnings() {
    let options = json!({ "shard": 7, "nulls": "kept" });
    let triggers = serde_json::from_value::<OptionsJson>(options)
        .unwrap()
        .triggers();
    let catalog = Catalog::built_in();
    let mut events_by_subject: HashMap<&str, Vec<&EventType>> = HashMap::new();
    for rule in easel_triggers::rules() {
        events_by_subject
            .entry(rule.subject)
            .or_default()
            .extend(catalog.get(rule.event_type));
    }
    let originals = originals(&triggers);
    let mut random = Random(SEED);
    let (mut subjects, mut edited, mut warned, mut event_count) = (BTreeSet::new(), 0, 0, 0);
    let mut wrong = Vec::new();
    for number in 0..CHANGES {
        let mut change = originals[number % originals.len()].clone();
        let name = if change["record"].is_null() {
            "action"
        } else {
            "record"
        };
        let subject = change[name].as_str().unwrap().to_owned();
        let events = &events_by_subject[&*subject];
        let decides = |column: &str| ["course_score", "tag_type"].contains(&column);
        let row = if name == "action" {
            "with"
        } else if change["after"].is_null() {
            "before"
        } else {
            "after"
        };
        let picked: Vec<(String, Value)> = change[row]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(column, _)| !decides(column))
            .filter(|_| random.one_in(4))
            .map(|(column, value)| (column.clone(), value.clone()))
            .collect();
        let mut places = BTreeSet::new();
        for (column, value) in picked {
            let fields = fields_of(events, &column);
            if let Some(value) = edit(&mut random, &column, &value, &fields) {
                change[row][&column] = value;
                places.insert(format!("/{row}/{column}"));
                edited += 1;
            }
        }
        subjects.insert(subject.clone());
        let parsed = Change::from_json(change.clone()).unwrap();
        let outcome = match triggers.events(&parsed, Timestamp::UNIX_EPOCH) {
            Ok(outcome) => outcome,
            Err(faults) => {
                wrong.push(format!("{subject}: {faults}"));
                continue;
            }
        };
        warned += usize::from(!outcome.warnings.is_empty());
        event_count += outcome.events.len();
        // A warning is expected for each finding of the catalogue and for each string that is cut, and for
        // nothing else.
        let mut expected: BTreeSet<String> = BTreeSet::new();
        for event in &outcome.events {
            let event_type = catalog.get(&event.event_type).unwrap();
            catalog.check(&event.event_type, &event.bytes, |finding| {
                let pointer = finding.pointer();
                match finding.rule {
                    Rule::GlobalId => (),
                    Rule::NewValue | Rule::UnlistedValue | Rule::Null => {
                        expected.insert(pointer);
                    }
                    _ => wrong.push(format!("{subject}: {pointer}: {finding}")),
                }
            });
            let body: Value = serde_json::from_slice(&event.bytes).unwrap();
            for field in event_type.body {
                let text = body["body"][field.name].as_str().unwrap_or_default();
                if text.starts_with("long ") && field.max_chars.is_some() {
                    expected.insert(format!("/body/{}", field.name));
                }
            }
        }
        let found = outcome.warnings.iter().filter(|warning| {
            // Three fixtures have one of these warnings without an edit.
            !["/related/course/account_id", "/related/submission"].contains(&warning.at.as_str())
                && (places.contains(&warning.at) || !warning.what.contains("`message` is cut"))
        });
        let found: Vec<_> = found.collect();
        if expected.is_empty() != found.is_empty() {
            wrong.push(format!("{subject}: expected {expected:?}, found {found:?}"));
        }
        let unexpected = found.iter().filter(|warning| !places.contains(&warning.at));
        wrong.extend(unexpected.map(|warning| format!("{subject}: not expected: {warning:?}")));
    }
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong[..std::cmp::min(wrong.len(), 40)].join("\n")
    );
    let all: BTreeSet<_> = easel_triggers::rules()
        .map(|rule| rule.subject.to_owned())
        .collect();
    assert_eq!(subjects, all);
    assert!(
        edited > 5_000 && warned > 1_000 && event_count > 5_000,
        "{edited} {warned} {event_count}"
    );
}
