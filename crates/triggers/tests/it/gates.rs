//! Each gate on both sides: a change that it lets through, and the nearest that it does not.

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
    /// The event types it means, in order.
    events: Vec<String>,
    /// What makes the neighbour of it.
    neighbour: Vec<Setting>,
    neighbour_events: Vec<String>,
    /// What stopped the neighbour, in the words of the gate.
    stopped_by: Option<String>,
    /// Where the neighbour has a fault instead: it lacks what decides.
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
    outcome.events.iter().map(|it| &*it.event_type).collect()
}

#[test]
fn every_gate_lets_one_change_through_and_not_its_neighbour() {
    let mut wrong = Vec::new();
    let (mut closed, mut opened) = (BTreeSet::new(), BTreeSet::new());
    for (name, text) in files("gates") {
        let cases: Vec<GateCase> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for case in cases {
            let told = |what: String| format!("{name}: {}: {what}", case.case);
            let fires = match case.outcome(case.change.clone()) {
                Ok(outcome) => outcome,
                Err(fault) => {
                    wrong.push(told(fault.to_string()));
                    continue;
                }
            };
            if names(&fires) != case.events {
                wrong.push(told(format!("{:?}, not {:?}", names(&fires), case.events)));
            }
            let not = match (case.outcome(case.neighbour()), &case.neighbour_fault) {
                (Ok(outcome), None) => outcome,
                (Err(faults), Some(wanted)) if faults.as_slice()[0].at == *wanted => continue,
                (Err(fault), _) => {
                    wrong.push(told(format!("neighbour: {fault}")));
                    continue;
                }
                (Ok(_), Some(wanted)) => {
                    wrong.push(told(format!("neighbour: no fault at {wanted}")));
                    continue;
                }
            };
            if names(&not) != case.neighbour_events {
                let (is, wanted) = (names(&not), &case.neighbour_events);
                wrong.push(told(format!("neighbour: {is:?}, not {wanted:?}")));
            }
            let gates: Vec<_> = not.stops.iter().map(|it| it.gate).collect();
            if let Some(wanted) = &case.stopped_by
                && !gates.contains(&wanted.as_str())
            {
                wrong.push(told(format!("stopped by {gates:?}, not {wanted:?}")));
            }
            let (subject, operation) = subject_of(&case.neighbour());
            closed.extend(not.stops.iter().map(|it| {
                let event = it.event_type.unwrap_or_default().to_owned();
                (subject.clone(), operation.clone(), event, it.gate)
            }));
            let (subject, operation) = subject_of(&case.change);
            opened.extend(fires.events.iter().map(|it| {
                (
                    subject.clone(),
                    operation.clone(),
                    it.event_type.to_string(),
                )
            }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rule in easel_triggers::rules() {
        let subject = rule.subject.to_owned();
        let (operation, event) = (rule.operation.name().to_owned(), rule.event.to_owned());
        for gate in rule.closed_texts() {
            let gate = (subject.clone(), operation.clone(), event.clone(), gate);
            assert!(closed.contains(&gate), "no case closes {gate:?}");
        }
        let is_gated = rule.closed_texts().next().is_some();
        // One gate never opens: what stands behind it is told by an action.
        if is_gated && rule.subject != "ContextModuleProgression" {
            let rule = (subject, operation, event);
            assert!(
                opened.contains(&rule),
                "no case opens all gates of {rule:?}"
            );
        }
    }
}

/// What changes, and how.
fn subject_of(change: &Value) -> (String, String) {
    let text = |name: &str| change[name].as_str().map(str::to_owned);
    match text("record") {
        Some(record) => (record, text("operation").unwrap()),
        None => (text("action").unwrap(), "act".to_owned()),
    }
}
