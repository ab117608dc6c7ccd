//! Details of bodies, metadata and faults, on fixtures with something changed.

use std::sync::Arc;

use easel_catalog::{Catalog, CatalogFile};
use easel_triggers::{
    Change, ChangeFaults, ChangeOutcome, TriggerOptions, Triggers, TriggersError,
};
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

/// What comes of a change, or the faults.
fn outcome(shard: u64, nulls: &str, change: Value) -> Result<ChangeOutcome, ChangeFaults> {
    let options: OptionsJson =
        serde_json::from_value(json!({ "shard": shard, "nulls": nulls })).unwrap();
    let triggers = options.triggers();
    triggers.events(&Change::from_json(change)?, Timestamp::UNIX_EPOCH)
}

/// The first event that is made, or the faults.
pub(crate) fn made(shard: u64, nulls: &str, change: Value) -> Result<Value, ChangeFaults> {
    let outcome = outcome(shard, nulls, change)?;
    Ok(serde_json::from_slice(&outcome.events[0].bytes).unwrap())
}

#[track_caller]
pub(crate) fn check_value(name: &str, settings: &[(&str, Value)], pointer: &str, wanted: &Value) {
    let event = made(7, "kept", changed(name, settings)).unwrap();
    assert_eq!(event.pointer(pointer), Some(wanted), "{event:#}");
}

/// That a change is refused for what is wrong at these places, and for nothing else.
#[track_caller]
fn check_faults(change: Value, places: &[&str]) {
    match outcome(7, "dropped", change) {
        Err(faults) => {
            let found: Vec<_> = faults.as_slice().iter().map(|it| it.at.as_str()).collect();
            assert_eq!(found, places, "{faults}");
        }
        Ok(outcome) => panic!("{outcome:?}"),
    }
}

#[track_caller]
pub(crate) fn check_fault(name: &str, settings: &[(&str, Value)], place: &str) {
    check_faults(changed(name, settings), &[place]);
}

/// That a change means its events, with a warning at each of these places and nowhere else.
#[track_caller]
pub(crate) fn check_warnings(
    name: &str,
    settings: &[(&str, Value)],
    places: &[&str],
) -> ChangeOutcome {
    let outcome = outcome(7, "dropped", changed(name, settings)).unwrap();
    assert!(!outcome.events.is_empty(), "{outcome:?}");
    let found: Vec<_> = outcome.warnings.iter().map(|it| it.at.as_str()).collect();
    assert_eq!(found, places, "{:?}", outcome.warnings);
    outcome
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
fn a_context_that_lacks_what_the_metadata_needs_is_a_warning() {
    let name = "wiki_page_updated";
    let missing = |context: Value| {
        let outcome = outcome(7, "dropped", changed(name, &[("/context", context)])).unwrap();
        let places = outcome.warnings.into_iter().map(|it| it.at);
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
        // Who has a context has its type and its account, too.
        "/context/request/context_type",
        "/context/request/context_account_id",
        "/context/request/a~1b~0c",
    ] {
        assert!(places.iter().any(|it| it == place), "{place}: {places:?}");
    }
    let course = json!({ "id": 118, "sis_source_id": null });
    check_warnings(
        "grade_change",
        &[("/related/course", course)],
        &["/related/course/account_id"],
    );
}

#[test]
fn what_the_catalogue_does_not_expect_is_a_warning_and_no_fault() {
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
fn an_unknown_name_is_a_warning_with_the_name_that_is_like_it() {
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
    let texts: Vec<_> = outcome.warnings.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(
        texts,
        [
            "this column is unknown; did you mean \"workflow_state\"?",
            "this column is unknown",
            "no event is made of a related \"corse\"; did you mean \"course\"?",
            "this column is unknown; did you mean \"account_id\"?",
        ]
    );
    let mut unknown = changed("course_created", &[("/record", json!("Curse"))]);
    let faults = outcome_of(&unknown);
    assert!(faults.contains("did you mean \"Course\"?"), "{faults}");
    unknown["recrd"] = json!("Course");
    let faults = outcome_of(&unknown);
    assert!(faults.contains("did you mean \"record\"?"), "{faults}");
}

/// The faults of a change, in words.
fn outcome_of(change: &Value) -> String {
    outcome(7, "dropped", change.clone())
        .unwrap_err()
        .to_string()
}

#[test]
fn all_faults_of_a_change_are_reported_at_once() {
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
fn a_value_that_decides_and_cannot_be_read_is_a_fault() {
    let with = |name: &str, settings: &[(&str, Value)], place: &str| {
        let mut settings = settings.to_vec();
        for (path, value) in settings.clone() {
            if let Some(column) = path.strip_prefix("/after/") {
                let before = &*format!("/before/{column}").leak();
                settings.push((before, value));
            }
        }
        let change = changed(name, &settings);
        let faults = outcome(7, "dropped", change).unwrap_err();
        let mut places = faults.as_slice().iter().map(|it| it.at.as_str());
        assert!(places.any(|it| it == place), "{name}: {faults}");
    };
    // A time without a zone would make `late` false.
    let submitted = ("/after/late_policy_status", Value::Null);
    for column in ["cached_due_date", "submitted_at"] {
        let path = &*format!("/after/{column}").leak();
        let settings = [submitted.clone(), (path, json!("2026-03-06 22:59:59"))];
        with("submission_updated", &settings, path);
    }
    with(
        "submission_updated",
        &[("/after/late_policy_status", json!(3))],
        "/after/late_policy_status",
    );
    with(
        "grade_change",
        &[("/after/posted_at", json!("soon"))],
        "/after/posted_at",
    );
    with(
        "grade_change",
        &[("/after/excused", json!("yes"))],
        "/after/excused",
    );
    with(
        "grade_change",
        &[("/after/workflow_state", json!(4))],
        "/after/workflow_state",
    );
    with(
        "quiz_updated",
        &[("/after/access_code", json!(1234))],
        "/after/access_code",
    );
    with(
        "default_blueprint_restrictions_updated",
        &[("/after/use_default_restrictions_by_type", json!("true"))],
        "/after/use_default_restrictions_by_type",
    );
    with(
        "assignment_override_updated",
        &[("/after/set_type", json!(1))],
        "/after/set_type",
    );
    with(
        "discussion_topic_updated",
        &[("/after/type", json!(1))],
        "/after/type",
    );
    with(
        "grade_change",
        &[("/after/grader_id", json!("nobody"))],
        "/after/grader_id",
    );
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
    let faults = made(0, "dropped", changed(name, &settings)).unwrap_err();
    assert_eq!(faults.as_slice()[0].at, "/after/author_id", "{faults}");
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
    let faults = made(7, "dropped", changed("wiki_page_updated", &settings)).unwrap_err();
    let [fault] = faults.as_slice() else {
        panic!("{faults}");
    };
    assert!(fault.what.chars().count() <= 512, "{fault}");
}

#[test]
fn what_only_one_row_tells_is_no_change_but_a_fault() {
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
    let file = CatalogFile {
        path: "bell_rang.toml",
        text,
    };
    let catalog = Arc::new(Catalog::with_files(&[file]).unwrap());
    let error = Triggers::new(catalog, TriggerOptions::default()).unwrap_err();
    let TriggersError::NoRule { field, rule, .. } = error;
    assert_eq!((field.as_str(), rule.as_str()), ("further", "nowhere"));
}

#[test]
fn a_context_is_given_once_even_if_its_column_is_null() {
    let settings = [("/related/course/uuid", Value::Null)];
    let name = "learning_outcome_result_created";
    check_value(name, &settings, "/body/result_context_uuid", &Value::Null);
}
