//! Each gate, open and closed: a change that it lets through, and a similar change that it stops.

use std::collections::BTreeSet;

use easel_triggers::{Change, ChangeFaults, ChangeOutcome};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::changes::{OptionsJson, files};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GateCase {
    case: String,
    #[serde(default)]
    options: OptionsJson,
    change: Value,
    /// The expected event types, in order.
    events: Vec<String>,
    /// The settings that turn the change into its neighbour: the similar change that the gate stops.
    neighbour: Vec<Setting>,
    neighbour_events: Vec<String>,
    /// The text of the gate that stops the neighbour.
    stopped_by: Option<String>,
    /// The place of the neighbour's fault, if it has a fault because an input of a gate is missing.
    neighbour_fault: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    path: String,
    value: Value,
}

impl GateCase {
    fn outcome(&self, change: Value) -> Result<ChangeOutcome, ChangeFaults> {
        let change = Change::from_json(change).expect(&self.case);
        let triggers = self.options.triggers();
        triggers.events(&change, Timestamp::UNIX_EPOCH)
    }

    fn neighbour(&self) -> Value {
        let mut change = self.change.clone();
        for Setting { path, value } in &self.neighbour {
            let (parent, name) = path.rsplit_once('/').unwrap();
            let parent = change.pointer_mut(parent).expect(path);
            match parent {
                Value::Object(members) => drop(members.insert(name.to_owned(), value.clone())),
                _ => panic!("{}: {path}", self.case),
            }
        }
        change
    }
}

fn names(outcome: &ChangeOutcome) -> Vec<&str> {
    let events = outcome.events.iter();
    events.map(|event| &*event.event_type).collect()
}

#[test]
fn every_gate_lets_one_change_through_and_not_its_neighbour() {
    let mut wrong = Vec::new();
    let (mut closed, mut opened) = (BTreeSet::new(), BTreeSet::new());
    for (name, text) in files("gates") {
        let cases: Vec<GateCase> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for case in cases {
            let message = |what: String| format!("{name}: {}: {what}", case.case);
            let change_outcome = match case.outcome(case.change.clone()) {
                Ok(outcome) => outcome,
                Err(fault) => {
                    wrong.push(message(fault.to_string()));
                    continue;
                }
            };
            if names(&change_outcome) != case.events {
                wrong.push(message(format!(
                    "{:?}, not {:?}",
                    names(&change_outcome),
                    case.events
                )));
            }
            let neighbour_outcome = match (case.outcome(case.neighbour()), &case.neighbour_fault) {
                (Ok(outcome), None) => outcome,
                (Err(faults), Some(wanted)) if faults.as_slice()[0].at == *wanted => continue,
                (Err(fault), _) => {
                    wrong.push(message(format!("neighbour: {fault}")));
                    continue;
                }
                (Ok(_), Some(wanted)) => {
                    wrong.push(message(format!("neighbour: no fault at {wanted}")));
                    continue;
                }
            };
            if names(&neighbour_outcome) != case.neighbour_events {
                let (found, wanted) = (names(&neighbour_outcome), &case.neighbour_events);
                wrong.push(message(format!("neighbour: {found:?}, not {wanted:?}")));
            }
            let gates: Vec<_> = neighbour_outcome
                .stopped
                .iter()
                .map(|stop| stop.reason)
                .collect();
            if let Some(wanted) = &case.stopped_by
                && !gates.contains(&wanted.as_str())
            {
                wrong.push(message(format!("stopped by {gates:?}, not {wanted:?}")));
            }
            let (subject, operation) = subject_of(&case.neighbour());
            closed.extend(neighbour_outcome.stopped.iter().map(|stop| {
                let event = stop.event_type.unwrap_or_default().to_owned();
                (subject.clone(), operation.clone(), event, stop.reason)
            }));
            let (subject, operation) = subject_of(&case.change);
            opened.extend(change_outcome.events.iter().map(|made| {
                (
                    subject.clone(),
                    operation.clone(),
                    made.event_type.to_string(),
                )
            }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rule in easel_triggers::rules() {
        let subject = rule.subject.to_owned();
        let (operation, event) = (rule.operation.name().to_owned(), rule.event_type.to_owned());
        for gate in rule.closed_texts() {
            let gate = (subject.clone(), operation.clone(), event.clone(), gate);
            assert!(closed.contains(&gate), "no case closes {gate:?}");
        }
        let is_gated = rule.closed_texts().next().is_some();
        // One gate never opens: an action makes its event.
        if is_gated && rule.subject != "ContextModuleProgression" {
            let rule = (subject, operation, event);
            assert!(
                opened.contains(&rule),
                "no case opens all gates of {rule:?}"
            );
        }
    }
}

/// Returns the subject and the operation of a change.
fn subject_of(change: &Value) -> (String, String) {
    let text = |name: &str| change[name].as_str().map(str::to_owned);
    match text("record") {
        Some(record) => (record, text("operation").unwrap()),
        None => (text("action").unwrap(), "act".to_owned()),
    }
}
