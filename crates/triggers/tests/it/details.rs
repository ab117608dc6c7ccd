//! Details of bodies, metadata and faults, checked on modified fixtures.

use std::sync::Arc;

use easel_catalog::{Catalog, CatalogFile};
use easel_triggers::{
    Change, ChangeFaults, ChangeOutcome, TriggerOptions, Triggers, TriggersError,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::changes::{Fixture, OptionsJson, fixtures};

/// Returns the change of a fixture with these values set. A null removes a related row.
pub(crate) fn changed(name: &str, settings: &[(&str, Value)]) -> Value {
    let mut fixtures = fixtures().into_iter();
    let (_, Fixture { change, .. }) = fixtures.find(|(known, _)| known == name).unwrap();
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

/// Returns the outcome of a change, or the faults.
fn outcome(shard: u64, nulls: &str, change: Value) -> Result<ChangeOutcome, ChangeFaults> {
    let options: OptionsJson =
        serde_json::from_value(json!({ "shard": shard, "nulls": nulls })).unwrap();
    let triggers = options.triggers();
    triggers.events(&Change::from_json(change)?, Timestamp::UNIX_EPOCH)
}

/// Returns the first event of a change, or the faults.
pub(crate) fn made(shard: u64, nulls: &str, change: Value) -> Result<Value, ChangeFaults> {
    let outcome = outcome(shard, nulls, change)?;
    Ok(serde_json::from_slice(&outcome.events[0].bytes).unwrap())
}

#[track_caller]
pub(crate) fn check_value(name: &str, settings: &[(&str, Value)], pointer: &str, wanted: &Value) {
    let event = made(7, "kept", changed(name, settings)).unwrap();
    assert_eq!(event.pointer(pointer), Some(wanted), "{event:#}");
}

/// Checks that a change is rejected with faults at exactly these places.
#[track_caller]
fn check_faults(change: Value, places: &[&str]) {
    match outcome(7, "dropped", change) {
        Err(faults) => {
            let found = faults.as_slice().iter().map(|fault| fault.at.as_str());
            let found: Vec<_> = found.collect();
            assert_eq!(found, places, "{faults}");
        }
        Ok(outcome) => panic!("{outcome:?}"),
    }
}

#[track_caller]
pub(crate) fn check_fault(name: &str, settings: &[(&str, Value)], place: &str) {
    check_faults(changed(name, settings), &[place]);
}

/// Checks that a change makes events, with warnings at exactly these places.
#[track_caller]
pub(crate) fn check_warnings(
    name: &str,
    settings: &[(&str, Value)],
    places: &[&str],
) -> ChangeOutcome {
    let outcome = outcome(7, "dropped", changed(name, settings)).unwrap();
    assert!(!outcome.events.is_empty(), "{outcome:?}");
    let found = outcome.warnings.iter().map(|warning| warning.at.as_str());
    let found: Vec<_> = found.collect();
    assert_eq!(found, places, "{:?}", outcome.warnings);
    outcome
}

#[test]
fn an_old_value_that_was_null_is_null() {
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
fn an_old_value_is_sent_even_if_only_the_part_that_is_cut_changed() {
    let text = |end: &str| Value::from(format!("{}{end}", "x ".repeat(5000)));
    let settings = [("/before/body", text("old")), ("/after/body", text("new"))];
    let event = made(7, "dropped", changed("wiki_page_updated", &settings)).unwrap();
    assert_eq!(event["body"]["old_body"], event["body"]["body"]);
}

#[test]
fn a_required_old_value_is_null_for_an_insert() {
    let mut change = changed("grade_change", &[]);
    change["operation"] = json!("insert");
    change["before"] = Value::Null;
    let event = made(7, "kept", change).unwrap();
    assert_eq!(event["body"]["old_grade"], Value::Null);
    assert!(event["body"].as_object().unwrap().contains_key("old_grade"));
}

#[test]
fn a_related_row_whose_id_is_present_must_be_present() {
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
fn a_missing_or_unknown_metadata_field_is_a_warning() {
    let name = "wiki_page_updated";
    let missing = |context: Value| {
        let outcome = outcome(7, "dropped", changed(name, &[("/context", context)])).unwrap();
        let places = outcome.warnings.into_iter().map(|warning| warning.at);
        places.collect::<Vec<_>>()
    };
    assert_eq!(
        missing(json!({ "job": { "job_id": 5 } })),
        [
            "/context/job/root_account_id",
            "/context/job/root_account_uuid",
            "/context/job/root_account_lti_guid",
            "/context/job/job_tag",
        ]
    );
    let places = missing(json!({ "request": { "user_id": 5, "context_id": 7, "a/b~c": 1 } }));
    for place in [
        "/context/request/request_id",
        "/context/request/hostname",
        // A request with a context also has its type and its account.
        "/context/request/context_type",
        "/context/request/context_account_id",
        "/context/request/a~1b~0c",
    ] {
        assert!(
            places.iter().any(|found| found == place),
            "{place}: {places:?}"
        );
    }
    let course = json!({ "id": 118, "sis_source_id": null });
    check_warnings(
        "grade_change",
        &[("/related/course", course)],
        &["/related/course/account_id"],
    );
}

#[test]
fn a_value_that_the_catalogue_does_not_expect_is_a_warning_and_no_fault() {
    let outcome = check_warnings(
        "course_created",
        &[
            ("/after/name", Value::Null),
            ("/after/workflow_state", json!("archived")),
        ],
        &["/after/name", "/after/workflow_state"],
    );
    let event: Value = serde_json::from_slice(&outcome.events[0].bytes).unwrap();
    assert_eq!(event["body"]["workflow_state"], "archived");
    assert_eq!(event["body"].get("name"), None);
    let name = "wiki_page_created";
    let long = json!("x ".repeat(5000));
    check_warnings(name, &[("/after/body", long)], &["/after/body"]);
    check_fault("course_created", &[("/after/id", Value::Null)], "/after/id");
}

#[test]
fn the_warning_about_an_unknown_name_suggests_a_similar_name() {
    let settings = [
        ("/after/worklow_state", json!("x")),
        ("/before/worklow_state", json!("x")),
        ("/after/phase_of_the_moon", json!(1)),
        ("/before/phase_of_the_moon", json!(1)),
        ("/related/corse", json!({ "id": 5 })),
        ("/related/course/acount_id", json!(5)),
    ];
    let outcome = check_warnings(
        "grade_change",
        &settings,
        &[
            "/after/worklow_state",
            "/after/phase_of_the_moon",
            "/related/corse",
            "/related/course/acount_id",
        ],
    );
    let texts = outcome.warnings.iter().map(|warning| warning.what.as_str());
    let texts: Vec<_> = texts.collect();
    assert_eq!(
        texts,
        [
            "this column is unknown; did you mean \"workflow_state\"?",
            "this column is unknown",
            "no event uses a related \"corse\"; did you mean \"course\"?",
            "this column is unknown; did you mean \"account_id\"?",
        ]
    );
    let mut unknown = changed("course_created", &[("/record", json!("Curse"))]);
    let faults = faults_of(&unknown);
    assert!(faults.contains("did you mean \"Course\"?"), "{faults}");
    unknown["recrd"] = json!("Course");
    let faults = faults_of(&unknown);
    assert!(faults.contains("did you mean \"record\"?"), "{faults}");
}

/// Returns the text of the faults of a change.
fn faults_of(change: &Value) -> String {
    outcome(7, "dropped", change.clone())
        .unwrap_err()
        .to_string()
}

#[test]
fn all_faults_of_a_change_are_reported_together() {
    let settings = [
        ("/after/id", Value::Null),
        ("/after/name", json!(7)),
        ("/after/created_at", json!("yesterday")),
        ("/after/uuid", json!(["u"])),
    ];
    let mut change = changed("course_created", &settings);
    change["after"]
        .as_object_mut()
        .unwrap()
        .remove("updated_at");
    check_faults(
        change,
        &[
            "/after/id",
            "/after/created_at",
            "/after/name",
            "/after/updated_at",
            "/after/uuid",
        ],
    );
    let change = json!({
        "record": 7, "operation": "upsert", "after": 8, "related": { "course": 9 },
        "context": { "request": 1, "job": 2, "x": 3 }, "occurred_at": "now", "body": [], "y": 1,
    });
    check_faults(
        change,
        &[
            "/y",
            "/after",
            "/record",
            "/operation",
            "/related/course",
            "/context/x",
            "/context/job",
            "/context/request",
            "/body",
            "/occurred_at",
        ],
    );
}

#[test]
fn a_value_of_the_wrong_type_in_a_column_that_decides_is_a_fault() {
    let check = |name: &str, settings: &[(&str, Value)], place: &str| {
        let mut settings = settings.to_vec();
        for (path, value) in settings.clone() {
            if let Some(column) = path.strip_prefix("/after/") {
                let before = &*format!("/before/{column}").leak();
                settings.push((before, value));
            }
        }
        let change = changed(name, &settings);
        let faults = outcome(7, "dropped", change).unwrap_err();
        let mut places = faults.as_slice().iter().map(|fault| fault.at.as_str());
        assert!(places.any(|found| found == place), "{name}: {faults}");
    };
    // A time without a zone would make `late` false.
    let no_status = ("/after/late_policy_status", Value::Null);
    for column in ["cached_due_date", "submitted_at"] {
        let path = &*format!("/after/{column}").leak();
        let settings = [no_status.clone(), (path, json!("2026-03-06 22:59:59"))];
        check("submission_updated", &settings, path);
    }
    check(
        "submission_updated",
        &[("/after/late_policy_status", json!(3))],
        "/after/late_policy_status",
    );
    check(
        "grade_change",
        &[("/after/posted_at", json!("soon"))],
        "/after/posted_at",
    );
    check(
        "grade_change",
        &[("/after/excused", json!("yes"))],
        "/after/excused",
    );
    check(
        "grade_change",
        &[("/after/workflow_state", json!(4))],
        "/after/workflow_state",
    );
    check(
        "quiz_updated",
        &[("/after/access_code", json!(1234))],
        "/after/access_code",
    );
    check(
        "default_blueprint_restrictions_updated",
        &[("/after/use_default_restrictions_by_type", json!("true"))],
        "/after/use_default_restrictions_by_type",
    );
    check(
        "assignment_override_updated",
        &[("/after/set_type", json!(1))],
        "/after/set_type",
    );
    check(
        "discussion_topic_updated",
        &[("/after/type", json!(1))],
        "/after/type",
    );
    check(
        "grade_change",
        &[("/after/grader_id", json!("nobody"))],
        "/after/grader_id",
    );
}

#[test]
fn the_context_of_a_row_has_the_type_from_the_row_and_an_id() {
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
fn the_metadata_of_a_login_has_no_fields_of_another_user() {
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
fn an_id_of_another_shard_is_unchanged_with_a_shard_setting_and_a_fault_without() {
    let id = json!(80_000_000_000_005_u64);
    let name = "conversation_message_created";
    let settings = [("/after/author_id", id)];
    check_value(name, &settings, "/body/author_id", &json!("80000000000005"));
    let faults = made(0, "dropped", changed(name, &settings)).unwrap_err();
    assert_eq!(faults.as_slice()[0].at, "/after/author_id", "{faults}");
}

#[test]
fn an_id_as_a_string_equals_the_id_as_a_number() {
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
fn a_boolean_that_decides_must_not_be_a_string_and_a_fault_text_is_short() {
    let settings = [("/after/course_score", json!("true"))];
    check_fault("course_grade_change", &settings, "/after/course_score");
    let settings = [("/record", json!("x".repeat(100_000)))];
    let faults = made(7, "dropped", changed("wiki_page_updated", &settings)).unwrap_err();
    let [fault] = faults.as_slice() else {
        panic!("{faults}");
    };
    assert!(fault.what.chars().count() <= 512, "{fault}");
}

#[test]
fn a_column_that_only_one_row_has_is_a_fault() {
    let mut change = changed("syllabus_updated", &[]);
    change["before"] = json!({ "id": 152 });
    let faults = made(7, "dropped", change).unwrap_err();
    assert!(
        faults
            .as_slice()
            .iter()
            .all(|fault| fault.at.starts_with("/before/")),
        "{faults}"
    );
    assert!(faults.as_slice().len() > 1, "{faults}");
    let mut change = changed("syllabus_updated", &[]);
    change["after"]
        .as_object_mut()
        .unwrap()
        .remove("syllabus_body");
    let faults = made(7, "dropped", change).unwrap_err();
    assert_eq!(faults.as_slice()[0].at, "/after/syllabus_body");
}

#[test]
fn a_login_without_a_session_has_no_session_id() {
    let settings = [("/with", json!({}))];
    let event = made(7, "dropped", changed("logged_in", &settings)).unwrap();
    assert_eq!(event["metadata"].get("session_id"), None, "{event:#}");
}

#[test]
fn an_automatic_grader_becomes_null() {
    for grader in [json!(-42), json!("-42")] {
        let settings = [("/after/grader_id", grader)];
        check_value("grade_change", &settings, "/body/grader_id", &Value::Null);
    }
}

#[test]
fn different_spellings_of_a_time_are_equal_only_in_time_columns() {
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
fn ratings_are_sorted_with_the_best_first() {
    let mut change = changed("outcome_proficiency_created", &[]);
    let ratings = change["after"]["outcome_proficiency_ratings"]
        .as_array_mut()
        .unwrap();
    ratings.sort_by(|left, right| {
        left["points"]
            .as_f64()
            .unwrap()
            .total_cmp(&right["points"].as_f64().unwrap())
    });
    let event = made(7, "dropped", change).unwrap();
    let points = event["body"]["outcome_proficiency_ratings"]
        .as_array()
        .unwrap();
    let points: Vec<_> = points
        .iter()
        .map(|rating| rating["points"].as_f64().unwrap())
        .collect();
    assert!(
        points.is_sorted_by(|left, right| left >= right),
        "{points:?}"
    );
}

#[test]
fn a_catalogue_with_an_unknown_computation_is_rejected() {
    let text = "meaning = \"A bell.\"\ntrigger = \"It rings.\"\naction = \"bell_rang\"\nopen = true\nfurther = \"@nowhere\"\n";
    let file = CatalogFile {
        path: "bell_rang.toml",
        text,
    };
    let catalog = Arc::new(Catalog::with_files(&[file]).unwrap());
    let error = Triggers::new(catalog, TriggerOptions::default()).unwrap_err();
    let TriggersError::UnknownComputation {
        field, computation, ..
    } = error;
    assert_eq!(
        (field.as_str(), computation.as_str()),
        ("further", "nowhere")
    );
}

#[test]
fn a_null_column_of_the_context_needs_no_other_related_row() {
    let settings = [("/related/course/uuid", Value::Null)];
    let name = "learning_outcome_result_created";
    check_value(name, &settings, "/body/result_context_uuid", &Value::Null);
}
