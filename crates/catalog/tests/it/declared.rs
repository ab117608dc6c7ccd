//! Comparison of the data files with the facts, in both directions.
//!
//! The facts are JSON files in the folder `shared/catalog`, beside the checkout. They list what is
//! known about the events of Canvas. They are not the `Facts` of an event. A *mark* is a property of an
//! event type or field that both sides have.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use easel_catalog::{Catalog, Context, Field, MetadataField};
use serde_json::Value;

/// Reads a file of the facts. `None` if the facts are not beside the checkout.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn facts(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/catalog");
    if !folder.is_dir() {
        // `writeln!` bypasses the test harness, which would capture the output.
        writeln!(
            std::io::stderr(),
            "skipped: the facts for the comparison of {name} are missing"
        )
        .unwrap();
        return None;
    }
    Some(fs::read_to_string(folder.join(name)).unwrap())
}

/// Returns all fields with their paths, inner fields included.
fn flat(prefix: &str, fields: &[Field]) -> Vec<(String, Field)> {
    let mut flattened = Vec::new();
    for field in fields {
        let name = format!("{prefix}{}", field.name);
        flattened.push((name.clone(), *field));
        flattened.extend(flat(&format!("{name}."), &field.kind.fields()));
    }
    flattened
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The example in the facts for a value that ends in a number.
const NUMBERED: &str = "context_external_tool_1234";

/// Words in a note of the facts that mark a list of values as open.
const OPEN_WORDS: [&str; 11] = [
    "open list",
    "list open",
    "treat as open",
    "not exhaustive",
    "by example",
    "values seen",
    "value seen",
    "usual values",
    "examples, open",
    "example, open",
    "could also be",
];

/// The allowed differences between data files and facts: event type, field, mark, reason.
const EXCEPTIONS: [(&str, &str, &str, &str); 3] = [
    (
        "wiki_page_updated",
        "workflow_state",
        "when",
        "older releases and the published examples do not have it",
    ),
    (
        "metadata",
        "producer",
        "open",
        "other systems than Canvas send events in its form",
    ),
    (
        "metadata",
        "producer",
        "values",
        "the facts have only Canvas, and New Quizzes sends events too",
    ),
];

/// The compared properties of a field: name and value of each mark.
type Marks = Vec<(&'static str, String)>;

/// Returns the marks of a field in the data files.
fn ours(field: &Field) -> Marks {
    let mut values: BTreeSet<_> = field
        .values
        .iter()
        .flat_map(|values| values.listed.iter().copied())
        .collect();
    let is_numbered = field.values.is_some_and(|values| values.numbered.is_some());
    let is_open = field.values.is_some_and(|values| values.open);
    if is_numbered {
        values.insert(NUMBERED);
    }
    let scope = field.kind.scope().map(easel_catalog::IdScope::name);
    let max_chars = field.max_chars.map(|max| max.to_string());
    vec![
        ("type", field.kind.name().to_owned()),
        ("scope", scope.unwrap_or_default().to_owned()),
        ("values", format!("{values:?}")),
        ("open", is_open.to_string()),
        ("max_chars", max_chars.unwrap_or_default()),
        ("null", field.can_be_null.to_string()),
        ("when", field.when.is_some().to_string()),
        ("unpublished", (!field.published).to_string()),
    ]
}

/// Returns the marks of a field in the facts.
fn theirs(fact: &Value) -> Marks {
    let note = text(&fact["note"]);
    let values: BTreeSet<_> = fact["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let is_open = !values.is_empty() && OPEN_WORDS.iter().any(|words| note.contains(words));
    let max_chars = fact["max_chars"].as_u64().map(|max| max.to_string());
    let is_unpublished = fact["undocumented"] == true || note.contains("missing from the ");
    vec![
        ("type", text(&fact["type"]).to_owned()),
        ("scope", text(&fact["id_scope"]).to_owned()),
        ("values", format!("{values:?}")),
        ("open", is_open.to_string()),
        ("max_chars", max_chars.unwrap_or_default()),
        ("null", (fact["nullable"] == true).to_string()),
        ("when", fact["optional"].is_string().to_string()),
        ("unpublished", is_unpublished.to_string()),
    ]
}

/// Returns the marks that differ, without the exceptions and the marks in `skipped`.
fn differences(
    event: &str,
    name: &str,
    (ours, theirs): (Marks, Marks),
    skipped: &[&str],
) -> Vec<String> {
    let is_excepted = |mark: &str| {
        let matches = |(event_type, field, excepted, _): &(&str, &str, &str, &str)| {
            *event_type == event && *field == name && *excepted == mark
        };
        skipped.contains(&mark) || EXCEPTIONS.iter().any(matches)
    };
    ours.into_iter()
        .zip(theirs)
        .filter(|((mark, ours), (_, theirs))| ours != theirs && !is_excepted(mark))
        .map(|((mark, ours), (_, theirs))| format!("{event}: {name} {mark}: {ours}, not {theirs}"))
        .collect()
}

#[test]
fn the_body_of_every_event_type_equals_the_facts() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts.len(), 97);
    let catalog = Catalog::built_in();
    let mut wrong = Vec::new();
    for fact in &facts {
        let event = text(&fact["event"]);
        let Some(event_type) = catalog.get(event) else {
            wrong.push(format!("{event}: missing"));
            continue;
        };
        let mut declared = flat("", &event_type.body);
        for fact in fact["body"].as_array().unwrap() {
            let name = text(&fact["name"]);
            let Some(at) = declared.iter().position(|(declared, _)| declared == name) else {
                wrong.push(format!("{event}: {name} is missing"));
                continue;
            };
            let field = declared.remove(at).1;
            wrong.extend(differences(event, name, (ours(&field), theirs(fact)), &[]));
            // The facts describe the members of some objects in a note of the object.
            let note = text(&fact["note"]);
            declared.retain(|(inner, _)| {
                let member = inner.rsplit('.').next().unwrap_or_default();
                let is_described = inner.starts_with(&format!("{name}."))
                    && note.starts_with(['{', 'e'])
                    && note.contains(&format!("{member}:"));
                !is_described
            });
        }
        wrong.extend(
            declared
                .iter()
                .map(|(name, _)| format!("{event}: {name} is ours only")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_properties_of_every_event_type_equal_the_facts() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    let catalog = Catalog::built_in();
    let mut wrong = Vec::new();
    for fact in &facts {
        let event = text(&fact["event"]);
        let event_type = catalog.get(event).expect(event);
        let context = match text(&fact["metadata_context"]) {
            "" => Context::Ambient,
            words if words.starts_with("record") => Context::Row,
            words if words.contains("from the login") => Context::Login,
            words => panic!("{event}: {words}"),
        };
        let waits = event_type.trigger.contains("two minutes later");
        for (mark, ours, theirs) in [
            ("category", event_type.category, text(&fact["category"])),
            ("context", event_type.context.name(), context.name()),
            (
                "published",
                if event_type.published { "yes" } else { "no" },
                if fact["documented"] == true {
                    "yes"
                } else {
                    "no"
                },
            ),
            (
                "waits",
                if waits { "120" } else { "" },
                match fact["debounce_seconds"].as_u64() {
                    Some(120) => "120",
                    Some(other) => panic!("{event}: {other} seconds"),
                    None => "",
                },
            ),
        ] {
            if ours != theirs {
                wrong.push(format!("{event} {mark}: {ours}, not {theirs}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_two_event_types_with_a_known_trigger_are_not_in_the_facts() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    let known: BTreeSet<_> = facts.iter().map(|fact| text(&fact["event"])).collect();
    let catalog = Catalog::built_in();
    let types = catalog.types().iter();
    let names = types
        .filter(|event_type| !event_type.columns_only)
        .map(|event_type| event_type.name);
    // These two are published in Caliper only.
    let own: Vec<_> = names.filter(|name| !known.contains(name)).collect();
    assert_eq!(own, ["quiz_created", "quiz_updated"]);
}

#[test]
fn the_metadata_equals_the_facts() {
    let Some(facts) = facts("metadata.json") else {
        return;
    };
    let facts: Value = serde_json::from_str(&facts).unwrap();
    let catalog = Catalog::built_in();
    let body = facts["body"].as_array().unwrap();
    let ours_names: Vec<_> = catalog
        .metadata()
        .iter()
        .map(|metadata_field| metadata_field.field.name)
        .collect();
    let facts_names: Vec<_> = body.iter().map(|fact| text(&fact["field"])).collect();
    assert_eq!(ours_names, facts_names);
    for (MetadataField { field, used_in }, fact) in catalog.metadata().iter().zip(body) {
        let name = field.name;
        // The condition of a field is in two marks, which are compared together below.
        let wrong = differences("metadata", name, (ours(field), theirs(fact)), &["when"]);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let uses: Vec<_> = used_in
            .iter()
            .map(|metadata_use| metadata_use.name())
            .collect();
        // For four fields with "all", the facts add that they are missing outside requests and jobs.
        let optional = text(&fact["optional"]);
        let outside =
            optional.contains("outside requests and jobs") || optional == "as root_account_id";
        let wanted: &[&str] = match text(&fact["present_in"]) {
            "all" if name == "producer" => &["request", "job"],
            "all" if outside => &["request", "job", "record"],
            "all" => &["request", "job", "neither"],
            "system" => &["job"],
            "user" => &["request"],
            "user; system when taken from the record" => &["request", "record"],
            other => panic!("{other}"),
        };
        assert_eq!(uses, wanted, "{name}");
        assert_eq!(
            field.when.is_some(),
            !optional.is_empty() && !outside,
            "{name}"
        );
    }
    let from_record = facts["record_context_events"].as_array().unwrap();
    let from_record: BTreeSet<_> = from_record.iter().map(text).collect();
    let types = catalog.types().iter();
    let declared = types
        .filter(|event_type| event_type.context == Context::Row)
        .map(|event_type| event_type.name);
    assert_eq!(declared.collect::<BTreeSet<_>>(), from_record);
}

#[test]
fn nothing_is_required_of_an_event_type_known_only_from_columns() {
    let catalog = Catalog::built_in();
    let types = catalog.types().iter();
    let types: Vec<_> = types.filter(|event_type| event_type.columns_only).collect();
    assert_eq!(types.len(), 20);
    for event_type in types {
        for (name, field) in flat("", &event_type.body) {
            assert!(field.can_be_null, "{}.{name}", event_type.name);
        }
    }
}

#[test]
fn every_field_with_an_old_value_names_its_field() {
    for event_type in Catalog::built_in().types() {
        for field in event_type.body {
            let current = field.name.strip_prefix("old_");
            assert_eq!(
                field.old_value_of, current,
                "{}.{}",
                event_type.name, field.name
            );
        }
    }
}

#[test]
fn a_required_field_has_an_example() {
    for event_type in Catalog::built_in().types() {
        for (name, field) in flat("", &event_type.body) {
            let has_example = field.example.is_some() || !field.kind.fields().is_empty();
            assert!(
                has_example || !field.is_required(),
                "{}.{name}",
                event_type.name
            );
        }
    }
}
