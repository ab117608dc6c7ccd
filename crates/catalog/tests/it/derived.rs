//! Output of the catalogue: examples, schemas, pages.

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
    for event_type in catalog.types() {
        let name = event_type.name;
        for origin in ORIGINS {
            let example = catalog.example(event_type, origin, Timestamp::UNIX_EPOCH);
            let event = admit(example.as_bytes(), &Limits::default()).expect(name);
            assert_eq!(event.bytes, example, "{name}: the example is minified");
            assert_eq!(*event.event_type, *name);
            catalog.check(name, &event.bytes, |finding| {
                panic!("{name} {origin:?}: {} {finding}", finding.pointer());
            });
        }
    }
}

#[test]
fn an_example_omits_an_empty_conditional_object() {
    let catalog = Catalog::built_in();
    let event_type = catalog.get("course_progress").unwrap();
    let example = catalog.example(event_type, EventOrigin::Job, Timestamp::UNIX_EPOCH);
    let example: Value = serde_json::from_str(&example).unwrap();
    let progress = &example["body"]["progress"];
    assert_eq!(progress.get("error"), None, "{example:#}");
    assert!(progress.get("requirement_count").is_some(), "{example:#}");
}

fn validator(catalog: &Catalog, name: &str) -> Validator {
    let event_type = catalog.get(name).expect(name);
    jsonschema::draft202012::new(&catalog.json_schema(event_type)).expect(name)
}

#[test]
fn every_schema_is_valid_and_accepts_the_example() {
    let catalog = Catalog::built_in();
    for event_type in catalog.types() {
        let schema = catalog.json_schema(event_type);
        jsonschema::draft202012::meta::validate(&schema).expect(event_type.name);
        let validator = validator(&catalog, event_type.name);
        for origin in ORIGINS {
            let example = catalog.example(event_type, origin, Timestamp::UNIX_EPOCH);
            let example: Value = serde_json::from_str(&example).unwrap();
            validator.validate(&example).expect(event_type.name);
        }
    }
}

/// A schema rejects what the check finds, except unknown fields and new values.
#[test]
fn a_schema_and_the_check_agree_on_published_payloads() {
    let catalog = Catalog::built_in();
    for folder in ["seeds/canvas", "examples/canvas"] {
        let Some(folder) = shared(folder) else { return };
        each_payload(&folder, |payload, path| {
            let event =
                admit(payload.as_bytes(), &Limits::default()).expect("the payload is an event");
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

/// Each case has an invalid value. The schema must reject it. The check must find it too, except a wrong
/// `event_name`.
#[test]
fn a_schema_rejects_what_the_check_finds() {
    let catalog = Catalog::built_in();
    for (name, pointer, value) in [
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
        let event_type = catalog.get(name).unwrap();
        let example = catalog.example(event_type, EventOrigin::Request, Timestamp::UNIX_EPOCH);
        let mut example: Value = serde_json::from_str(&example).unwrap();
        *example.pointer_mut(pointer).expect(pointer) = serde_json::from_str(value).unwrap();
        let mut found = 0;
        catalog.check(name, example.to_string().as_bytes(), |_| found += 1);
        // The check takes the event type as an argument and does not compare it with `event_name`.
        if pointer != "/metadata/event_name" {
            assert_eq!(found, 1, "{pointer} = {value}");
        }
        assert!(
            !validator(&catalog, name).is_valid(&example),
            "{pointer} = {value}"
        );
    }
}

/// How such events spell their values is not known, so no body may cause drift.
#[test]
fn every_body_of_an_event_type_known_only_from_columns_is_valid() {
    let catalog = Catalog::built_in();
    let types = catalog.types().iter();
    for event_type in types.filter(|event_type| event_type.columns_only) {
        let name = event_type.name;
        let validator = validator(&catalog, name);
        let fields = event_type.body.iter();
        let nested: serde_json::Map<_, _> = fields
            .map(|field| (field.name.to_owned(), serde_json::json!({ "a": [1] })))
            .collect();
        for body in [
            "{}".to_owned(),
            r#"{"a_new_field":{"a":1}}"#.to_owned(),
            Value::from(nested).to_string(),
        ] {
            let event = format!(
                r#"{{"metadata":{{"event_name":"{name}","event_time":"2026-02-11T08:15:42.067Z","producer":"quizzes","root_account_uuid":"tZ5m"}},"body":{body}}}"#
            );
            catalog.check(name, event.as_bytes(), |finding| {
                panic!("{name} {}: {finding}", finding.pointer());
            });
            validator
                .validate(&serde_json::from_str(&event).unwrap())
                .expect(name);
        }
    }
}

/// The metadata has the form of every other event, so it is checked.
#[test]
fn the_metadata_of_an_event_type_known_only_from_columns_is_checked() {
    let mut found = Vec::new();
    let event = br#"{"metadata":{"event_name":"quizzes.quiz_created","event_time":"noon","a":1},"body":{}}"#;
    Catalog::built_in().check("quizzes.quiz_created", event, |finding| {
        found.push(format!("{} {}", finding.rule.code(), finding.pointer()));
    });
    assert_eq!(
        found,
        [
            "not_a_timestamp /metadata/event_time",
            "unknown_field /metadata/a"
        ]
    );
}

#[test]
fn readers_see_that_an_event_type_is_known_only_from_columns() {
    let catalog = Catalog::built_in();
    let event_type = catalog.get("quizzes.quiz_created").unwrap();
    let remark = "Easel does not validate the body.";
    let description = |value: &Value| value.as_str().unwrap().ends_with(remark);
    assert!(
        event_type
            .remarks()
            .iter()
            .any(|text| text.ends_with(remark))
    );
    assert!(description(&catalog.json_schema(event_type)["description"]));
    let message = &catalog.async_api()["components"]["messages"]["quizzes.quiz_created"];
    assert!(description(&message["description"]));
    assert_eq!(event_type.summary()["columns_only"], true);
    let described = catalog.describe(event_type, Timestamp::UNIX_EPOCH);
    assert_eq!(described["columns_only"], true);
    let metadata = described["example"]["metadata"].as_object().unwrap();
    assert!(metadata.keys().eq(["event_name", "event_time"]));
    let other = catalog.get("grade_change").unwrap();
    assert_eq!(other.summary()["columns_only"], false);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, the documents are files"
)]
fn the_documents_name_the_number_of_event_types() {
    let words = format!(" {} event types", Catalog::built_in().types().len());
    for document in ["README.md", "docs/catalogue.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(in_crate("../..").join(document)).unwrap();
        assert!(text.contains(&words), "{document}: not{words}");
    }
}

#[test]
fn the_async_api_document_has_every_event_type_and_no_broken_reference() {
    let catalog = Catalog::built_in();
    let document = catalog.async_api();
    let messages = document["components"]["messages"].as_object().unwrap();
    assert!(
        messages
            .keys()
            .eq(catalog.types().iter().map(|event_type| event_type.name))
    );
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect(reference);
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        values.extend(
            value
                .as_object()
                .into_iter()
                .flat_map(|members| members.values()),
        );
        values.extend(value.as_array().into_iter().flatten());
    }
}

/// `EASEL_WRITE_PAGES=1 cargo nt -p easel-catalog pages` writes the pages.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the room is pure, its pages are files"
)]
fn the_pages_in_docs_are_up_to_date() {
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
            "docs/events/{} is out of date; CONTRIBUTING.md says how to write it",
            page.file
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), pages.len());
}
