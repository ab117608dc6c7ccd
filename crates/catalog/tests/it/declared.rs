//! The data files say what the facts say, both ways: names, types, id scopes, enums, limits.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use easel_catalog::{Catalog, Context, Field, MetadataField};
use serde_json::Value;

/// Reads a file of the facts, where they lie beside the checkout.
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its facts are files"
)]
fn facts(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/catalog");
    if !folder.is_dir() {
        // Written past the test harness, which would keep it to itself.
        writeln!(
            std::io::stderr(),
            "left out: there are no facts to compare {name} with"
        )
        .unwrap();
        return None;
    }
    Some(fs::read_to_string(folder.join(name)).unwrap())
}

/// A field of ours and its name, with dots where it is within another.
fn flat(before: &str, fields: &[Field]) -> Vec<(String, Field)> {
    let mut flattened = Vec::new();
    for field in fields {
        let name = format!("{before}{}", field.name);
        flattened.push((name.clone(), *field));
        flattened.extend(flat(&format!("{name}."), &field.kind.fields()));
    }
    flattened
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a field is in few words, to be compared at once.
fn ours(it: &Field) -> String {
    let mut values: BTreeSet<_> = it
        .values
        .iter()
        .flat_map(|it| it.listed.iter().copied())
        .collect();
    if it.values.is_some_and(|it| it.numbered.is_some()) {
        values.insert("context_external_tool_1234");
    }
    let scope = it
        .kind
        .scope()
        .map(easel_catalog::Scope::name)
        .unwrap_or_default();
    let (kind, max) = (it.kind.name(), it.max_chars.unwrap_or(0));
    format!("{kind} {scope} {values:?} {max}")
}

fn theirs(it: &Value) -> String {
    let values: BTreeSet<_> = it["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let max = it["max_chars"].as_u64().unwrap_or(0);
    format!(
        "{} {} {values:?} {max}",
        text(&it["type"]),
        text(&it["id_scope"])
    )
}

/// Fields whose scope the facts tell in words only.
fn scope_in_words(event: &str, name: &str) -> Option<&'static str> {
    match (event, name) {
        ("asset_accessed", "enrollment_id" | "section_id") => Some("id local"),
        ("assignment_updated", "assignment_id_duplicated_from") => Some("id global"),
        _ => None,
    }
}

#[test]
fn the_body_of_every_event_type_is_that_of_the_facts() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    let catalog = Catalog::built_in();
    let mut differences = Vec::new();
    for fact in &facts {
        let event = text(&fact["event"]);
        let Some(it) = catalog.get(event) else {
            differences.push(format!("{event}: not there"));
            continue;
        };
        assert_eq!(it.category, text(&fact["category"]), "{event}");
        assert_eq!(it.published, fact["documented"] == true, "{event}");
        let mut declared = flat("", &it.body);
        // The facts describe what is in these two in words.
        declared.retain(|(name, _)| {
            !name.starts_with("rubric_criterion.")
                && !name.starts_with("outcome_proficiency_ratings.")
        });
        for told in fact["body"].as_array().unwrap() {
            let name = text(&told["name"]);
            let Some(at) = declared.iter().position(|(declared, _)| declared == name) else {
                differences.push(format!("{event}: no {name}"));
                continue;
            };
            let field = declared.remove(at).1;
            let wanted = match scope_in_words(event, name) {
                Some(words) => theirs(told).replacen("id ", words, 1),
                None => theirs(told),
            };
            if ours(&field) != wanted {
                differences.push(format!("{event}: {name} is {}, not {wanted}", ours(&field)));
            }
            differences.extend(presence(event, name, &field, told));
        }
        differences.extend(
            declared
                .iter()
                .map(|(name, _)| format!("{event}: {name} is ours only")),
        );
    }
    assert_eq!(differences, [""; 0], "\n{}", differences.join("\n"));
}

/// Whether a field can be null, can be absent, and is published.
fn presence(event: &str, name: &str, field: &Field, told: &Value) -> Vec<String> {
    let note = text(&told["note"]);
    // What is left out of the marks is told in the notes.
    let null = told["nullable"] == true
        || note.contains("may be null")
        || note.starts_with("null without")
        || note.contains("presumably null");
    let unpublished = told["undocumented"] == true || note.contains("missing from the ");
    let conditional = told["optional"].is_string()
        || note.contains("only when") && told["undocumented"] == true
        || note.contains("same condition")
        // Older releases do not send it.
        || (event, name) == ("wiki_page_updated", "workflow_state");
    [
        ("null", field.null, null),
        ("when", field.when.is_some(), conditional),
        ("unpublished", !field.published, unpublished),
    ]
    .into_iter()
    .filter(|(_, ours, theirs)| ours != theirs)
    .map(|(what, ours, theirs)| format!("{event}: {name} {what}: {ours}, not {theirs}"))
    .collect()
}

#[test]
fn event_types_beyond_the_facts_are_those_their_triggers_name() {
    let (Some(facts), Some(triggers)) = (facts("canvas-events.json"), facts("triggers.md")) else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    let known: BTreeSet<_> = facts.iter().map(|it| text(&it["event"])).collect();
    let catalog = Catalog::built_in();
    let own: Vec<_> = catalog
        .types()
        .iter()
        // Published in Caliper form alone.
        .filter(|it| !known.contains(it.name) && !["quiz_created", "quiz_updated"].contains(&it.name))
        .collect();
    assert_eq!(own.len(), 9);
    for it in own {
        let named = |word: &str| word == it.name;
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        assert!(
            triggers.split(|letter| !is_word(letter)).any(named),
            "{}",
            it.name
        );
        assert!(!it.published, "{}", it.name);
    }
}

#[test]
fn the_metadata_is_that_of_the_facts() {
    let Some(facts) = facts("metadata.json") else {
        return;
    };
    let facts: Value = serde_json::from_str(&facts).unwrap();
    let catalog = Catalog::built_in();
    let told = facts["body"].as_array().unwrap();
    let names: Vec<_> = catalog.metadata().iter().map(|it| it.field.name).collect();
    let told_names: Vec<_> = told.iter().map(|it| text(&it["field"])).collect();
    assert_eq!(names, told_names);
    for (MetadataField { field, sent }, told) in catalog.metadata().iter().zip(told) {
        let name = field.name;
        assert_eq!(ours(field), theirs(told), "{name}");
        assert_eq!(field.null, told["nullable"] == true, "{name}");
        let sent: Vec<_> = sent.iter().map(|it| it.name()).collect();
        // Where the facts say "all" they add to four that they are absent outside requests and jobs.
        let optional = text(&told["optional"]);
        let outside =
            optional.contains("outside requests and jobs") || optional == "as root_account_id";
        let wanted: &[&str] = match text(&told["present_in"]) {
            "all" if name == "producer" => &["request", "job"],
            "all" if outside => &["request", "job", "record"],
            "all" => &["request", "job", "neither"],
            "system" => &["job"],
            "user" => &["request"],
            "user; system when taken from the record" => &["request", "record"],
            other => panic!("{other}"),
        };
        assert_eq!(sent, wanted, "{name}");
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
        .filter(|it| it.context == Context::Record)
        .map(|it| it.name);
    assert_eq!(declared.collect::<BTreeSet<_>>(), from_record);
}

#[test]
fn every_old_value_is_declared_as_one() {
    for it in Catalog::built_in().types() {
        for field in it.body {
            let old = field.name.strip_prefix("old_");
            assert_eq!(field.old, old, "{}.{}", it.name, field.name);
        }
    }
}

#[test]
fn a_field_that_is_always_there_has_an_example() {
    for it in Catalog::built_in().types() {
        for (name, field) in flat("", &it.body) {
            let has = field.example.is_some() || !field.kind.fields().is_empty();
            assert!(has || !field.is_always_there(), "{}.{name}", it.name);
        }
    }
}
