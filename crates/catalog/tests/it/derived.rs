//! What is made of the catalogue: examples, schemas, pages.

use std::fs;

use easel_catalog::{Catalog, EventOrigin, Limits, admit};
use jiff::Timestamp;
use jsonschema::Validator;
use serde_json::Value;

use crate::payloads::{each_payload, in_crate, shared};

const ORIGINS: [EventOrigin; 3] = [EventOrigin::Request, EventOrigin::Job, EventOrigin::Neither];

#[test]
fn every_example_is_an_event_without_findings() {
    let catalog = Catalog::built_in();
    for it in catalog.types() {
        for origin in ORIGINS {
            let example = catalog.example(it, origin, Timestamp::UNIX_EPOCH);
            let event = admit(example.as_bytes(), &Limits::default()).expect(it.name);
            assert_eq!(event.bytes, example, "{}: minified already", it.name);
            assert_eq!(*event.event_type, *it.name);
            catalog.check(it.name, &event.bytes, |finding| {
                panic!("{} {origin:?}: {} {finding}", it.name, finding.pointer());
            });
        }
    }
}

#[test]
fn an_example_has_no_empty_object_that_is_there_under_a_condition() {
    let catalog = Catalog::built_in();
    let it = catalog.get("course_progress").unwrap();
    let example = catalog.example(it, EventOrigin::Job, Timestamp::UNIX_EPOCH);
    let example: Value = serde_json::from_str(&example).unwrap();
    let progress = &example["body"]["progress"];
    assert_eq!(progress.get("error"), None, "{example:#}");
    assert!(progress.get("requirement_count").is_some(), "{example:#}");
}

fn validator(catalog: &Catalog, event_type: &str) -> Validator {
    let it = catalog.get(event_type).expect(event_type);
    jsonschema::draft202012::new(&catalog.json_schema(it)).expect(event_type)
}

#[test]
fn every_schema_is_one_and_takes_the_example() {
    let catalog = Catalog::built_in();
    for it in catalog.types() {
        let schema = catalog.json_schema(it);
        jsonschema::draft202012::meta::validate(&schema).expect(it.name);
        let validator = validator(&catalog, it.name);
        for origin in ORIGINS {
            let example = catalog.example(it, origin, Timestamp::UNIX_EPOCH);
            let example: Value = serde_json::from_str(&example).unwrap();
            validator.validate(&example).expect(it.name);
        }
    }
}

/// A schema finds what the check finds, but for what is only unknown.
#[test]
fn a_schema_and_the_check_agree_on_published_payloads() {
    let catalog = Catalog::built_in();
    for folder in ["seeds/canvas", "examples/canvas"] {
        let Some(folder) = shared(folder) else { return };
        each_payload(&folder, |payload, path| {
            let event = admit(payload.as_bytes(), &Limits::default()).expect("an event");
            let mut is_wrong = false;
            catalog.check(&event.event_type, &event.bytes, |finding| {
                is_wrong |= !["unknown_field", "new_value"].contains(&finding.rule.code());
            });
            let payload: Value = serde_json::from_str(payload).unwrap();
            let verdict = validator(&catalog, &event.event_type)
                .validate(&payload)
                .err();
            assert_eq!(
                verdict.is_some(),
                is_wrong,
                "{}: {verdict:?}",
                path.display()
            );
        });
    }
}

/// Each with a value that the check refuses and a schema has to refuse too.
#[test]
fn a_schema_refuses_what_the_check_refuses() {
    let catalog = Catalog::built_in();
    for (event_type, pointer, value) in [
        ("grade_change", "/body/muted", "1"),
        ("grade_change", "/body/muted", "null"),
        ("grade_change", "/body/assignment_id", "7"),
        ("grade_change", "/body/assignment_id", "\"\""),
        ("grade_change", "/metadata/event_name", "\"grade_changed\""),
        (
            "sis_batch_created",
            "/body/account_id",
            "\"70000000000001\"",
        ),
        (
            "assignment_override_created",
            "/body/all_day_date",
            "\"2026-02\"",
        ),
        (
            "assignment_override_created",
            "/body/workflow_state",
            "\"gone\"",
        ),
        (
            "assignment_created",
            "/body/submission_types",
            "\"on_paper,by_heart\"",
        ),
        (
            "assignment_created",
            "/body/updated_at",
            "\"026-02-11T08:15:41Z\"",
        ),
        ("submission_comment_created", "/body/attachment_ids", "[1]"),
        (
            "outcome_proficiency_created",
            "/body/outcome_proficiency_ratings/0/mastery",
            "0",
        ),
    ] {
        let it = catalog.get(event_type).unwrap();
        let example = catalog.example(it, EventOrigin::Request, Timestamp::UNIX_EPOCH);
        let mut example: Value = serde_json::from_str(&example).unwrap();
        *example.pointer_mut(pointer).expect(pointer) = serde_json::from_str(value).unwrap();
        let mut found = 0;
        catalog.check(event_type, example.to_string().as_bytes(), |_| found += 1);
        if pointer != "/metadata/event_name" {
            assert_eq!(found, 1, "{pointer} = {value}");
        }
        assert!(
            !validator(&catalog, event_type).is_valid(&example),
            "{pointer} = {value}"
        );
    }
}

#[test]
fn the_async_api_document_has_every_event_type_and_no_loose_reference() {
    let catalog = Catalog::built_in();
    let document = catalog.async_api();
    let messages = document["components"]["messages"].as_object().unwrap();
    assert!(messages.keys().eq(catalog.types().iter().map(|it| it.name)));
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect(reference);
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        values.extend(value.as_object().into_iter().flat_map(|it| it.values()));
        values.extend(value.as_array().into_iter().flatten());
    }
}

/// Pages are written by `EASEL_WRITE_PAGES=1 cargo nt -p easel-catalog pages`.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its pages are files"
)]
fn the_pages_in_docs_are_those_of_the_catalogue() {
    let folder = in_crate("../../docs/events");
    let pages = Catalog::built_in().pages();
    if std::env::var_os("EASEL_WRITE_PAGES").is_some() {
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        for page in &pages {
            fs::write(folder.join(&page.file), &page.text).unwrap();
        }
    }
    for page in &pages {
        let found = fs::read_to_string(folder.join(&page.file)).unwrap_or_default();
        assert!(
            found == page.text,
            "docs/events/{} is stale; CONTRIBUTING.md says how to write it",
            page.file
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), pages.len());
}
