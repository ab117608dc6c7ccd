//! Templates of changes.

use std::collections::BTreeSet;

use easel_triggers::{Change, Operation};
use jiff::Timestamp;
use serde_json::json;

use crate::changes::OptionsJson;

/// The changes whose template makes no event, and why.
const WITHOUT_EVENT: [(&str, Operation, &str); 2] = [
    (
        "ContextModuleProgression",
        Operation::Update,
        "the gate never opens: an action makes the event",
    ),
    (
        "ContentExport",
        Operation::Update,
        "neither the catalogue nor the gate names the value of export_type",
    ),
];

#[test]
fn every_template_is_accepted_and_makes_an_event_with_two_exceptions() {
    let triggers = serde_json::from_value::<OptionsJson>(json!({}))
        .unwrap()
        .triggers();
    let subjects: BTreeSet<_> = easel_triggers::rules()
        .map(|rule| (rule.subject, rule.operation))
        .collect();
    let shapes = triggers.shapes();
    assert_eq!(shapes.len(), subjects.len());
    let mut wrong = Vec::new();
    for shape in shapes {
        let (subject, operation) = (shape.subject, shape.operation.name());
        let template = triggers.template(&shape).to_json();
        let change = Change::from_json(template.clone()).unwrap();
        let outcome = match triggers.events(&change, Timestamp::UNIX_EPOCH) {
            Ok(outcome) => outcome,
            Err(faults) => {
                wrong.push(format!("{subject} {operation}: {faults}"));
                continue;
            }
        };
        if !outcome.warnings.is_empty() {
            wrong.push(format!("{subject} {operation}: {:?}", outcome.warnings));
        }
        let must_make_event = !WITHOUT_EVENT.iter().any(|(subject, operation, _)| {
            (*subject, *operation) == (shape.subject, shape.operation)
        });
        if outcome.events.is_empty() == must_make_event {
            wrong.push(format!(
                "{subject} {operation}: {:?} {template}",
                outcome.stopped
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
