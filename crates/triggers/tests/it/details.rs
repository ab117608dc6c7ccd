//! Details of bodies, metadata and faults, on fixtures with something changed.

use std::sync::Arc;

use easel_catalog::{Catalog, DataFile};
use easel_triggers::{Change, ChangeFault, Options, Triggers, TriggersError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::changes::{Fixture, OptionsJson, fixtures};

/// The change of a fixture with these values set, or with null taken out where it is related.
pub(crate) fn changed(name: &str, settings: &[(&str, Value)]) -> Value {
    let (_, Fixture { change, .. }) = fixtures().into_iter().find(|it| it.0 == name).unwrap();
    let mut change = change;
    for (path, value) in settings {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = change
            .pointer_mut(parent)
            .expect(path)
            .as_object_mut()
            .unwrap();
        parent.insert(name.to_owned(), value.clone());
    }
    change
}

/// The first event that is made, or the fault.
pub(crate) fn made(shard: u64, nulls: &str, change: Value) -> Result<Value, ChangeFault> {
    let options: OptionsJson =
        serde_json::from_value(json!({ "shard": shard, "nulls": nulls })).unwrap();
    let outcome = options
        .triggers()
        .events(&Change::from_json(change)?, Timestamp::UNIX_EPOCH)?;
    Ok(serde_json::from_slice(&outcome.events[0].bytes).unwrap())
}

#[track_caller]
pub(crate) fn check_value(name: &str, settings: &[(&str, Value)], pointer: &str, wanted: &Value) {
    let event = made(7, "kept", changed(name, settings)).unwrap();
    assert_eq!(event.pointer(pointer), Some(wanted), "{event:#}");
}

#[track_caller]
fn check_fault(name: &str, settings: &[(&str, Value)], at: &str) {
    match made(7, "dropped", changed(name, settings)) {
        Err(fault) => assert_eq!(fault.at, at, "{fault}"),
        Ok(event) => panic!("{event:#}"),
    }
}

#[test]
fn what_was_null_before_is_null_and_not_what_it_is_now() {
    let before = json!({ "id": 905, "points_possible": null, "grading_type": "points" });
    let settings = [("/related/assignment_before", before)];
    check_value(
        "grade_change",
        &settings,
        "/body/old_points_possible",
        &Value::Null,
    );
}

#[test]
fn an_old_value_is_told_when_the_column_changed_even_behind_the_cut() {
    let text = |end: &str| Value::from(format!("{}{end}", "x ".repeat(5000)));
    let settings = [("/before/body", text("old")), ("/after/body", text("new"))];
    let event = made(7, "dropped", changed("wiki_page_updated", &settings)).unwrap();
    assert_eq!(event["body"]["old_body"], event["body"]["body"]);
}

#[test]
fn an_old_value_that_is_always_there_is_null_where_there_was_no_row() {
    let mut change = changed("grade_change", &[]);
    change["operation"] = json!("insert");
    change["before"] = Value::Null;
    let event = made(7, "kept", change).unwrap();
    assert_eq!(event["body"]["old_grade"], Value::Null);
    assert!(event["body"].as_object().unwrap().contains_key("old_grade"));
}

#[test]
fn a_record_that_is_named_and_not_given_is_missed() {
    check_fault(
        "submission_custom_grade_status",
        &[("/related/custom_grade_status_before", Value::Null)],
        "/related/custom_grade_status_before",
    );
    check_fault(
        "group_membership_created",
        &[("/related/group_category", Value::Null)],
        "/related/group_category",
    );
}

#[test]
fn a_request_and_a_job_have_what_they_are_known_by() {
    let request = json!({ "request": { "user_id": 5 } });
    let settings = [("/context", request)];
    check_fault(
        "wiki_page_updated",
        &settings,
        "/context/request/request_id",
    );
    let settings = [("/context", json!({ "job": {} }))];
    check_fault("wiki_page_updated", &settings, "/context/job/job_id");
    let settings = [("/context", json!({ "job": { "job_id": 5 } }))];
    check_fault(
        "wiki_page_updated",
        &settings,
        "/context/job/root_account_id",
    );
    let settings = [("/context", json!({ "request": { "a/b~c": 1 } }))];
    check_fault("wiki_page_updated", &settings, "/context/request/a~1b~0c");
}

#[test]
fn the_context_of_a_record_is_of_its_type_and_has_an_id() {
    let settings = [("/related/course", json!({ "account_id": 5 }))];
    check_fault("grade_change", &settings, "/related/course/id");
    let context = json!({ "id": 3, "account_id": 5, "sis_source_id": "G-3", "uuid": "u", "lti_context_id": "l" });
    let settings = [
        ("/related/context", context),
        ("/after/context_type", json!("Group")),
        ("/before/context_type", json!("Group")),
    ];
    let name = "content_migration_completed";
    check_value(name, &settings, "/metadata/context_type", &json!("Group"));
}

#[test]
fn a_login_tells_of_nobody_else() {
    check_fault(
        "logged_in",
        &[("/related/pseudonym", Value::Null)],
        "/related/pseudonym",
    );
    let settings = [(
        "/related/pseudonym",
        json!({ "user_id": 2, "unique_id": "b" }),
    )];
    let event = made(7, "dropped", changed("logged_in", &settings)).unwrap();
    let metadata = event["metadata"].as_object().unwrap();
    assert_eq!(metadata["user_login"], "b");
    assert!(!metadata.contains_key("user_sis_id"), "{event:#}");
}

#[test]
fn ids_of_another_shard_stay_as_they_are_and_without_shards_there_are_none() {
    let id = json!(80_000_000_000_005_u64);
    let name = "conversation_message_created";
    let settings = [("/after/author_id", id)];
    check_value(name, &settings, "/body/author_id", &json!("80000000000005"));
    let fault = made(0, "dropped", changed(name, &settings)).unwrap_err();
    assert_eq!(fault.at, "/after/author_id", "{fault}");
}

#[test]
fn ids_are_the_same_as_texts_and_as_numbers() {
    let settings = [
        ("/before/folder_id", json!("12")),
        ("/after/folder_id", json!(12)),
        ("/before/display_name", json!("a")),
        ("/after/display_name", json!("a")),
        ("/before/file_state", json!("available")),
        ("/after/file_state", json!("deleted")),
    ];
    let event = made(7, "dropped", changed("attachment_updated", &settings)).unwrap();
    assert_eq!(event["metadata"]["event_name"], "attachment_deleted");
}

#[test]
fn what_decides_is_of_its_kind_and_what_is_told_of_a_fault_is_short() {
    let settings = [("/after/course_score", json!("true"))];
    check_fault("course_grade_change", &settings, "/after/course_score");
    let settings = [("/record", json!("x".repeat(100_000)))];
    let fault = made(7, "dropped", changed("wiki_page_updated", &settings)).unwrap_err();
    assert!(fault.what.chars().count() <= 512, "{fault}");
}

#[test]
fn what_only_one_row_tells_is_no_change_but_a_fault() {
    let mut change = changed("syllabus_updated", &[]);
    change["before"] = json!({ "id": 152 });
    let fault = made(7, "dropped", change).unwrap_err();
    assert!(fault.at.starts_with("/before/"), "{fault}");
    let mut change = changed("syllabus_updated", &[]);
    change["after"]
        .as_object_mut()
        .unwrap()
        .remove("syllabus_body");
    let fault = made(7, "dropped", change).unwrap_err();
    assert_eq!(fault.at, "/after/syllabus_body");
}

#[test]
fn a_login_without_a_session_has_none() {
    let settings = [("/with", json!({}))];
    let event = made(7, "dropped", changed("logged_in", &settings)).unwrap();
    assert_eq!(event["metadata"].get("session_id"), None, "{event:#}");
}

#[test]
fn whatever_grades_by_itself_is_nobody() {
    for grader in [json!(-42), json!("-42")] {
        let settings = [("/after/grader_id", grader)];
        check_value("grade_change", &settings, "/body/grader_id", &Value::Null);
    }
}

#[test]
fn only_times_are_the_same_however_they_are_spelled() {
    let settings = [
        ("/before/title", json!("2026-02-11T08:15:42Z")),
        ("/after/title", json!("2026-02-11 08:15:42 UTC")),
        ("/after/body", json!("b")),
        ("/before/body", json!("b")),
    ];
    let event = made(7, "dropped", changed("wiki_page_updated", &settings)).unwrap();
    assert_eq!(event["body"]["old_title"], "2026-02-11T08:15:42Z");
}

#[test]
fn ratings_come_with_the_best_first() {
    let mut change = changed("outcome_proficiency_created", &[]);
    let ratings = change["after"]["outcome_proficiency_ratings"]
        .as_array_mut()
        .unwrap();
    ratings.sort_by(|one, other| {
        one["points"]
            .as_f64()
            .unwrap()
            .total_cmp(&other["points"].as_f64().unwrap())
    });
    let event = made(7, "dropped", change).unwrap();
    let points = event["body"]["outcome_proficiency_ratings"]
        .as_array()
        .unwrap();
    let points: Vec<_> = points
        .iter()
        .map(|it| it["points"].as_f64().unwrap())
        .collect();
    assert!(points.is_sorted_by(|one, other| one >= other), "{points:?}");
}

#[test]
fn a_catalogue_with_a_rule_that_there_is_not_is_refused() {
    let text = "meaning = \"A bell.\"\ntrigger = \"It rings.\"\naction = \"bell_rang\"\nopen = true\nfurther = \"@nowhere\"\n";
    let file = DataFile {
        path: "bell_rang.toml",
        text,
    };
    let catalog = Arc::new(Catalog::with_files(&[file]).unwrap());
    let error = Triggers::new(catalog, Options::default()).unwrap_err();
    let TriggersError::NoRule { field, rule, .. } = error;
    assert_eq!((field.as_str(), rule.as_str()), ("further", "nowhere"));
}

#[test]
fn a_context_is_given_once_even_if_its_column_is_null() {
    let settings = [("/related/course/uuid", Value::Null)];
    let name = "learning_outcome_result_created";
    check_value(name, &settings, "/body/result_context_uuid", &Value::Null);
}
