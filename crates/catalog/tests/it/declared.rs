//! The data files say what the facts say, both ways: every mark that a program can read of every
//! event type and field.

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

/// The pattern that the facts write as an example of a value with a number in it.
const NUMBERED: &str = "context_external_tool_1234";

/// Words in a note of the facts that say that a list of values is open.
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

/// Where the data files differ from the marks of the facts, and why.
const EXCEPTIONS: [(&str, &str, &str, &str); 2] = [
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
];

/// What is compared of a field: the name of a mark and its value.
type Marks = Vec<(&'static str, String)>;

/// What the data files say of a field.
fn ours(it: &Field) -> Marks {
    let mut values: BTreeSet<_> = it
        .values
        .iter()
        .flat_map(|it| it.listed.iter().copied())
        .collect();
    if it.values.is_some_and(|it| it.numbered.is_some()) {
        values.insert(NUMBERED);
    }
    let scope = it.kind.scope().map(easel_catalog::IdScope::name);
    let max_chars = it.max_chars.map(|it| it.to_string());
    vec![
        ("type", it.kind.name().to_owned()),
        ("scope", scope.unwrap_or_default().to_owned()),
        ("values", format!("{values:?}")),
        ("open", it.values.is_some_and(|it| it.open).to_string()),
        ("max_chars", max_chars.unwrap_or_default()),
        ("null", it.null.to_string()),
        ("when", it.when.is_some().to_string()),
        ("unpublished", (!it.published).to_string()),
    ]
}

/// What the facts say of a field.
fn theirs(it: &Value) -> Marks {
    let note = text(&it["note"]);
    let values: BTreeSet<_> = it["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let is_open = !values.is_empty() && OPEN_WORDS.iter().any(|words| note.contains(words));
    let max_chars = it["max_chars"].as_u64().map(|it| it.to_string());
    let is_unpublished = it["undocumented"] == true || note.contains("missing from the ");
    vec![
        ("type", text(&it["type"]).to_owned()),
        ("scope", text(&it["id_scope"]).to_owned()),
        ("values", format!("{values:?}")),
        ("open", is_open.to_string()),
        ("max_chars", max_chars.unwrap_or_default()),
        ("null", (it["nullable"] == true).to_string()),
        ("when", it["optional"].is_string().to_string()),
        ("unpublished", is_unpublished.to_string()),
    ]
}

/// The marks in which the two differ, but for the exceptions and those in `left_out`.
fn differences(
    event: &str,
    name: &str,
    (ours, theirs): (Marks, Marks),
    left_out: &[&str],
) -> Vec<String> {
    let is_excepted = |mark: &str| {
        let known = |(of, field, excepted, _): &(&str, &str, &str, &str)| {
            *of == event && *field == name && *excepted == mark
        };
        left_out.contains(&mark) || EXCEPTIONS.iter().any(known)
    };
    ours.into_iter()
        .zip(theirs)
        .filter(|((mark, ours), (_, theirs))| ours != theirs && !is_excepted(mark))
        .map(|((mark, ours), (_, theirs))| format!("{event}: {name} {mark}: {ours}, not {theirs}"))
        .collect()
}

#[test]
fn the_body_of_every_event_type_is_that_of_the_facts() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts.len(), 97);
    let catalog = Catalog::built_in();
    let mut wrong = Vec::new();
    for fact in &facts {
        let event = text(&fact["event"]);
        let Some(it) = catalog.get(event) else {
            wrong.push(format!("{event}: not there"));
            continue;
        };
        let mut declared = flat("", &it.body);
        for told in fact["body"].as_array().unwrap() {
            let name = text(&told["name"]);
            let Some(at) = declared.iter().position(|(declared, _)| declared == name) else {
                wrong.push(format!("{event}: no {name}"));
                continue;
            };
            let field = declared.remove(at).1;
            wrong.extend(differences(event, name, (ours(&field), theirs(told)), &[]));
            // The facts describe the members of some objects in a note of the object.
            let note = text(&told["note"]);
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
fn every_event_type_is_what_the_facts_say_it_is() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    let catalog = Catalog::built_in();
    let mut wrong = Vec::new();
    for fact in &facts {
        let event = text(&fact["event"]);
        let it = catalog.get(event).expect(event);
        let context = match text(&fact["metadata_context"]) {
            "" => Context::Ambient,
            words if words.starts_with("record") => Context::Record,
            words if words.contains("from the login") => Context::Login,
            words => panic!("{event}: {words}"),
        };
        let waits = |minutes: &str| it.trigger.contains(minutes);
        for (mark, ours, theirs) in [
            ("category", it.category, text(&fact["category"])),
            ("context", it.context.name(), context.name()),
            (
                "published",
                if it.published { "yes" } else { "no" },
                if fact["documented"] == true {
                    "yes"
                } else {
                    "no"
                },
            ),
            (
                "waits",
                if waits("two minutes later") {
                    "120"
                } else {
                    ""
                },
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
fn event_types_beyond_the_facts_are_published_in_caliper_form_alone() {
    let Some(facts) = facts("canvas-events.json") else {
        return;
    };
    let facts: Vec<Value> = serde_json::from_str(&facts).unwrap();
    let known: BTreeSet<_> = facts.iter().map(|it| text(&it["event"])).collect();
    let catalog = Catalog::built_in();
    let types = catalog.types().iter().map(|it| it.name);
    let own: Vec<_> = types.filter(|it| !known.contains(it)).collect();
    assert_eq!(own, ["quiz_created", "quiz_updated"]);
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
        // When a field is there is told in two marks, which are looked at together below.
        let wrong = differences("metadata", name, (ours(field), theirs(told)), &["when"]);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
