//! Each gate on both sides: a change that it lets through, and the nearest that it does not.

use easel_triggers::{Change, ChangeFault, Outcome};
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
    fn outcome(&self, change: Value) -> Result<Outcome, ChangeFault> {
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

fn names(outcome: &Outcome) -> Vec<&str> {
    outcome.events.iter().map(|it| &*it.event_type).collect()
}

#[test]
fn every_gate_lets_one_change_through_and_not_its_neighbour() {
    let mut wrong = Vec::new();
    let mut closed = std::collections::BTreeSet::new();
    for (name, text) in files("gates") {
        let cases: Vec<GateCase> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for case in cases {
            let told = |what: String| format!("{name}: {}: {what}", case.case);
            let fires = case.outcome(case.change.clone()).expect(&case.case);
            if names(&fires) != case.events {
                wrong.push(told(format!("{:?}, not {:?}", names(&fires), case.events)));
            }
            let not = match (case.outcome(case.neighbour()), &case.neighbour_fault) {
                (Ok(outcome), None) => outcome,
                (Err(fault), Some(wanted)) if fault.at == *wanted => continue,
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
            closed.extend(not.stops.iter().map(|it| it.gate));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let never: Vec<_> = easel_triggers::rules()
        .flat_map(easel_triggers::Rule::closed_texts)
        .filter(|it| !closed.contains(it))
        .collect();
    assert_eq!(never, [""; 0], "gates that no case closes");
}
