//! The vocabulary is that of the standard, both ways.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::Vocabulary;

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn the_vocabulary_is_that_of_the_standard_both_ways() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/caliper/rules.json");
    if !path.is_file() {
        writeln!(
            std::io::stderr(),
            "left out: there is no {}",
            path.display()
        )
        .unwrap();
        return;
    }
    let rules: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let ours = Vocabulary::get();
    assert_eq!(ours.context, rules["context"]);
    assert_eq!(ours.actions, strings(&rules["actions"]));
    assert_eq!(ours.roles, strings(&rules["roles"]));
    assert_eq!(ours.status, strings(&rules["status"]));

    let properties = |told: &Value| -> BTreeMap<String, String> {
        let told = told["props"].as_object().unwrap().iter();
        told.map(|(name, kind)| (name.clone(), kind.as_str().unwrap().to_owned()))
            .collect()
    };
    let all_names = |names: Vec<&String>| -> Vec<String> { names.into_iter().cloned().collect() };
    let events = rules["events"].as_object().unwrap();
    assert_eq!(ours.events.len(), events.len());
    for (name, told) in events {
        let it = &ours.events[name];
        assert_eq!(
            it.actions.as_deref().unwrap_or_default(),
            strings(&told["actions"]),
            "{name}"
        );
        assert_eq!(it.actions.is_none(), told["actions"].is_null(), "{name}");
        assert_eq!(
            it.deprecated_actions,
            strings(&told["deprecated_actions"]),
            "{name}"
        );
        assert_eq!(it.deprecated, told["deprecated"] == true, "{name}");
        let known = all_names(
            ours.event_properties
                .keys()
                .chain(it.properties.keys())
                .collect(),
        );
        let mut wanted = properties(told);
        if name == "AssessmentItemEvent" {
            // The table has a response, the profile an attempt.
            wanted.insert(
                "generated".to_owned(),
                "Response | Attempt | IRI".to_owned(),
            );
        }
        let found: BTreeMap<_, _> = known
            .into_iter()
            .map(|property| {
                let kind = ours.event_property(name, &property).unwrap().to_owned();
                (property, kind)
            })
            .collect();
        assert_eq!(found, wanted, "{name}");
    }
    let entities = rules["entities"].as_object().unwrap();
    assert_eq!(ours.entities.len(), entities.len());
    for (name, told) in entities {
        let it = &ours.entities[name];
        assert_eq!(it.supertypes, strings(&told["supertype"]), "{name}");
        assert_eq!(it.deprecated, told["deprecated"] == true, "{name}");
        let known = all_names(
            ours.entity_properties
                .keys()
                .chain(it.properties.keys())
                .collect(),
        );
        let found: BTreeMap<_, _> = known
            .into_iter()
            .filter_map(|property| {
                let kind = ours.entity_property(name, &property)?.to_owned();
                Some((property, kind))
            })
            .collect();
        assert_eq!(found, properties(told), "{name}");
    }
}
