//! Compares the vocabulary with the standard, in both directions.

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
    reason = "the crate is pure, but its reference data are files"
)]
fn the_vocabulary_equals_that_of_the_standard() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/caliper/rules.json");
    if !path.is_file() {
        writeln!(std::io::stderr(), "skipped: {} is missing", path.display()).unwrap();
        return;
    }
    let rules: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let ours = Vocabulary::get();
    assert_eq!(ours.context, rules["context"]);
    assert_eq!(ours.actions, strings(&rules["actions"]));
    assert_eq!(ours.roles, strings(&rules["roles"]));
    assert_eq!(ours.status, strings(&rules["status"]));

    let properties = |term: &Value| -> BTreeMap<String, String> {
        let members = term["props"].as_object().unwrap().iter();
        members
            .map(|(name, kind)| (name.clone(), kind.as_str().unwrap().to_owned()))
            .collect()
    };
    let owned = |names: Vec<&String>| -> Vec<String> { names.into_iter().cloned().collect() };
    let events = rules["events"].as_object().unwrap();
    assert_eq!(ours.events.len(), events.len());
    for (name, wanted) in events {
        let term = &ours.events[name];
        assert_eq!(
            term.actions.as_deref().unwrap_or_default(),
            strings(&wanted["actions"]),
            "{name}"
        );
        assert_eq!(
            term.actions.is_none(),
            wanted["actions"].is_null(),
            "{name}"
        );
        assert_eq!(
            term.deprecated_actions,
            strings(&wanted["deprecated_actions"]),
            "{name}"
        );
        assert_eq!(term.deprecated, wanted["deprecated"] == true, "{name}");
        let property_names = owned(
            ours.event_properties
                .keys()
                .chain(term.properties.keys())
                .collect(),
        );
        let mut wanted = properties(wanted);
        if name == "AssessmentItemEvent" {
            // The table allows a response; the profile requires an attempt.
            wanted.insert(
                "generated".to_owned(),
                "Response | Attempt | IRI".to_owned(),
            );
        }
        let found: BTreeMap<_, _> = property_names
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
    for (name, wanted) in entities {
        let term = &ours.entities[name];
        assert_eq!(term.supertypes, strings(&wanted["supertype"]), "{name}");
        assert_eq!(term.deprecated, wanted["deprecated"] == true, "{name}");
        let property_names = owned(
            ours.entity_properties
                .keys()
                .chain(term.properties.keys())
                .collect(),
        );
        let found: BTreeMap<_, _> = property_names
            .into_iter()
            .filter_map(|property| {
                let kind = ours.entity_property(name, &property)?.to_owned();
                Some((property, kind))
            })
            .collect();
        assert_eq!(found, properties(wanted), "{name}");
    }
}
