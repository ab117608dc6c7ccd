//! Values as the newest release of Canvas sends them, checked on modified fixtures.

use serde_json::{Value, json};

use crate::details::{changed, check_fault, check_value, check_warnings, made};

/// Checks a member of the body, with the option that drops nulls. `wanted` is null if the member must be
/// missing.
#[track_caller]
fn check_body(name: &str, settings: &[(&str, Value)], field: &str, wanted: &Value) {
    let event = made(7, "dropped", changed(name, settings)).unwrap();
    let found = event["body"].get(field).unwrap_or(&Value::Null);
    assert_eq!(found, wanted, "{event:#}");
}

/// Checks a member of the metadata. `wanted` is `None` if it must be missing.
#[track_caller]
fn check_metadata(name: &str, settings: &[(&str, Value)], field: &str, wanted: Option<&Value>) {
    let event = made(7, "dropped", changed(name, settings)).unwrap();
    assert_eq!(event["metadata"].get(field), wanted, "{event:#}");
}

#[test]
fn a_list_in_a_string_is_split_at_its_commas() {
    let check = |name, column, field, wanted| {
        for (stored, wanted) in wanted {
            check_body(name, &[(column, stored)], field, &wanted);
        }
    };
    let files = [
        (json!(null), json!([])),
        (json!(""), json!([])),
        (json!("5140"), json!(["5140"])),
        (json!("5140, 5141"), json!(["5140", "5141"])),
        (json!([5140, "5141"]), json!(["5140", "5141"])),
    ];
    check(
        "submission_comment_created",
        "/after/attachment_ids",
        "attachment_ids",
        files.to_vec(),
    );
    let names = [
        (json!(null), json!([])),
        (json!(""), json!([])),
        (json!("name"), json!(["name"])),
        (json!("name,course_id,name"), json!(["name", "course_id"])),
        (json!(["name"]), json!(["name"])),
    ];
    check(
        "course_section_created",
        "/after/stuck_sis_fields",
        "stuck_sis_fields",
        names.to_vec(),
    );
}

#[test]
fn a_null_column_of_an_object_is_an_empty_object() {
    for (name, column, field) in [
        (
            "assignment_group_created",
            "/after/integration_data",
            "integration_data",
        ),
        (
            "assignment_group_updated",
            "/after/integration_data",
            "integration_data",
        ),
        ("content_export_created", "/after/settings", "settings"),
        (
            "blueprint_restrictions_updated",
            "/after/restrictions",
            "restrictions",
        ),
        (
            "default_blueprint_restrictions_updated",
            "/after/default_restrictions_by_type",
            "restrictions",
        ),
    ] {
        check_body(name, &[(column, Value::Null)], field, &json!({}));
    }
}

#[test]
fn quizzes_become_new_quizzes_only_if_the_setting_is_the_boolean_true() {
    for (settings, wanted) in [
        (json!({ "import_quizzes_next": true }), true),
        (json!({ "import_quizzes_next": "true" }), false),
        (json!({ "import_quizzes_next": 1 }), false),
        (json!({ "import_immediately": true }), false),
        (json!(null), false),
    ] {
        for name in ["content_migration_completed", "content_migration_started"] {
            let settings = [("/after/migration_settings", settings.clone())];
            check_body(name, &settings, "import_quizzes_next", &json!(wanted));
        }
    }
    // Settings that are not an object are a fault. They do not count as false.
    let settings = [("/after/migration_settings", json!("--- yaml"))];
    let change = changed("content_migration_completed", &settings);
    made(7, "dropped", change).unwrap_err();
}

#[test]
fn the_type_of_a_migration_is_in_its_column_or_else_in_its_settings() {
    let setting = json!({ "migration_type": "zip_file_importer" });
    let name = "content_migration_completed";
    let both = [("/after/migration_settings", setting.clone())];
    check_body(
        name,
        &both,
        "migration_type",
        &json!("course_copy_importer"),
    );
    let alone = [
        ("/after/migration_settings", setting),
        ("/after/migration_type", Value::Null),
    ];
    check_body(name, &alone, "migration_type", &json!("zip_file_importer"));
}

#[test]
fn a_submission_without_a_type_was_not_submitted() {
    let name = "submission_updated";
    let without_type = [("/after/submission_type", Value::Null)];
    check_body(name, &without_type, "submitted_at", &Value::Null);
    // With a type and no time, it was submitted when it was saved.
    let event = made(
        7,
        "dropped",
        changed(name, &[("/after/submitted_at", Value::Null)]),
    )
    .unwrap();
    assert_eq!(event["body"]["submitted_at"], event["body"]["updated_at"]);
    // By the same rule, a submission without a type is never late, and a submission with a type is never
    // missing.
    let undecided = |column: &'static str, value: Value| -> Vec<(&'static str, Value)> {
        let mut settings = vec![(column, value)];
        let no_decision = [
            "/before/late",
            "/after/late",
            "/before/missing",
            "/after/missing",
            "/before/late_policy_status",
            "/after/late_policy_status",
        ];
        settings.extend(no_decision.map(|column| (column, Value::Null)));
        let due = ["/before/cached_due_date", "/after/cached_due_date"];
        settings.extend(due.map(|column| (column, json!("2020-01-01T00:00:00Z"))));
        settings
    };
    let without_type = undecided("/after/submission_type", Value::Null);
    check_body(name, &without_type, "late", &json!(false));
    check_body(name, &without_type, "missing", &json!(true));
    let without_time = undecided("/after/submitted_at", Value::Null);
    check_body(name, &without_time, "late", &json!(true));
    check_body(name, &without_time, "missing", &json!(false));
}

#[test]
fn an_assessment_contains_the_submission_only_if_the_submission_was_assessed() {
    let name = "rubric_assessed";
    let submission = json!({
        "id": 6642, "submission_type": "online_upload", "attempt": 2,
        "submitted_at": "2026-03-14T20:10:05Z",
    });
    let with = |kind: &str, submission: &Value| {
        [
            ("/after/artifact_type", json!(kind)),
            ("/related/submission", submission.clone()),
        ]
    };
    let assessed = with("Submission", &submission);
    check_body(
        name,
        &assessed,
        "submitted_at",
        &json!("2026-03-14T20:10:05Z"),
    );
    check_body(name, &assessed, "attempt", &json!(2));
    let saved = json!("2026-03-17T11:47:30Z");
    for kind in ["ModeratedGrading::ProvisionalGrade", "Assignment"] {
        let assessed = with(kind, &submission);
        check_body(name, &assessed, "submitted_at", &saved);
        check_body(name, &assessed, "attempt", &Value::Null);
    }
    let not_submitted = json!({
        "id": 6642, "submission_type": null, "attempt": null,
        "submitted_at": "2026-03-14T20:10:05Z",
    });
    let assessed = with("Submission", &not_submitted);
    check_body(name, &assessed, "submitted_at", &saved);
    check_body(name, &assessed, "attempt", &Value::Null);
}

#[test]
fn a_result_has_its_own_asset_or_the_asset_of_its_rubric_association() {
    let name = "learning_outcome_result_created";
    let association = json!({ "id": 84, "association_id": 905, "association_type": "Assignment" });
    let settings = |asset: Value, artifact: &str, association_type: &str, state: &str| {
        [
            ("/related/rubric_association", association.clone()),
            ("/after/associated_asset_type", json!("AssessmentQuestion")),
            ("/after/associated_asset_id", asset),
            ("/after/artifact_type", json!(artifact)),
            ("/after/association_type", json!(association_type)),
            ("/after/workflow_state", json!(state)),
        ]
    };
    let rubric = ("RubricAssessment", "RubricAssociation");
    let own = settings(json!(907), rubric.0, rubric.1, "active");
    check_body(name, &own, "associated_asset_id", &json!("907"));
    check_body(
        name,
        &own,
        "associated_asset_type",
        &json!("AssessmentQuestion"),
    );
    let without_own = settings(Value::Null, rubric.0, rubric.1, "active");
    check_body(name, &without_own, "associated_asset_id", &json!("905"));
    check_body(
        name,
        &without_own,
        "associated_asset_type",
        &json!("Assignment"),
    );
    for other in [
        settings(Value::Null, rubric.0, rubric.1, "deleted"),
        settings(Value::Null, "Submission", rubric.1, "active"),
        settings(Value::Null, rubric.0, "Assignment", "active"),
    ] {
        check_body(name, &other, "associated_asset_id", &Value::Null);
    }
}

#[test]
fn the_original_of_an_outcome_has_its_local_id() {
    let root_account = json!({ "id": 1, "uuid": "of-the-original" });
    let settings = |original: u64| {
        [
            ("/after/copied_from_outcome_id", json!(original)),
            ("/related", json!({ "original_root_account": root_account })),
        ]
    };
    let uuid = "original_outcome_root_account_uuid";
    let elsewhere = settings(80_000_000_000_211);
    check_body(
        "learning_outcome_created",
        &elsewhere,
        "copied_from_outcome_id",
        &json!("211"),
    );
    check_body(
        "learning_outcome_created",
        &elsewhere,
        uuid,
        &json!("of-the-original"),
    );
    for here in [settings(211), settings(70_000_000_000_211)] {
        check_body(
            "learning_outcome_created",
            &here,
            "copied_from_outcome_id",
            &json!("211"),
        );
        check_body("learning_outcome_created", &here, uuid, &Value::Null);
    }
}

#[test]
fn a_final_grade_without_a_status_has_empty_strings() {
    let name = "final_grade_custom_status";
    for (side, related, fields) in [
        (
            "/after/custom_grade_status_id",
            "/related/custom_grade_status",
            ["override_status", "override_status_id"],
        ),
        (
            "/before/custom_grade_status_id",
            "/related/custom_grade_status_before",
            ["old_override_status", "old_override_status_id"],
        ),
    ] {
        let settings = [(side, Value::Null), (related, Value::Null)];
        for field in fields {
            check_body(name, &settings, field, &json!(""));
        }
    }
}

#[test]
fn an_observer_who_observes_no_user_has_no_associated_user() {
    let settings = [("/after/associated_user_id", Value::Null)];
    check_body(
        "enrollment_created",
        &settings,
        "associated_user_id",
        &Value::Null,
    );
}

#[test]
fn an_override_for_other_sets_has_no_section_and_no_group() {
    for kind in ["Course", "Noop"] {
        let settings = [
            ("/after/set_type", json!(kind)),
            ("/after/set_id", json!(640)),
        ];
        let name = "assignment_override_created";
        check_body(name, &settings, "type", &json!(kind));
        check_body(name, &settings, "course_section_id", &Value::Null);
        check_body(name, &settings, "group_id", &Value::Null);
        check_body(name, &settings, "all_day_date", &json!("2026-03-09"));
    }
}

#[test]
fn unknown_progress_has_an_error_and_does_not_complete_the_course() {
    let error = json!({ "error": { "message": "no progress available because this course is not module based (meaning, it does not have modules and module completion requirements)" } });
    let settings = [("/with/progress", error.clone())];
    for name in ["course_progress", "course_completed"] {
        let event = made(7, "dropped", changed(name, &settings)).unwrap();
        assert_eq!(event["metadata"]["event_name"], "course_progress");
        assert_eq!(event["body"]["progress"], error);
    }
}

#[test]
fn a_student_without_an_email_address_has_a_null_email() {
    for name in ["course_progress", "course_completed"] {
        let settings = [("/with/user/email", Value::Null)];
        let event = made(7, "dropped", changed(name, &settings)).unwrap();
        assert_eq!(event["body"]["user"].get("email"), Some(&Value::Null));
    }
}

#[test]
fn an_export_without_settings_has_only_its_id() {
    let name = "quiz_export_complete";
    for settings in [json!(null), json!({}), json!({ "quizzes2": null })] {
        let change = changed(name, &[("/after/settings", settings)]);
        let event = made(7, "dropped", change).unwrap();
        let wanted = json!({ "content_export_id": "content-export-70000000000923" });
        assert_eq!(event["body"], wanted);
    }
    for settings in [json!("--- yaml"), json!({ "quizzes2": "--- yaml" })] {
        let change = changed(name, &[("/after/settings", settings)]);
        let faults = made(7, "dropped", change).unwrap_err();
        let places: Vec<_> = faults.as_slice().iter().map(|fault| &*fault.at).collect();
        assert_eq!(places, ["/after/settings"], "{faults}");
    }
}

#[test]
fn a_file_that_had_no_name_has_no_old_name() {
    let settings = [("/before/display_name", Value::Null)];
    check_body(
        "attachment_updated",
        &settings,
        "old_display_name",
        &Value::Null,
    );
    let event = made(7, "dropped", changed("attachment_updated", &settings)).unwrap();
    assert_eq!(event["metadata"]["event_name"], "attachment_updated");
}

#[test]
fn the_deletion_of_a_page_first_makes_an_update_event_without_old_values() {
    let mut change = changed("wiki_page_updated", &[]);
    change["before"] = change["after"].clone();
    change["after"]["workflow_state"] = json!("deleted");
    let event = made(7, "kept", change).unwrap();
    assert_eq!(event["metadata"]["event_name"], "wiki_page_updated");
    assert_eq!(event["body"]["workflow_state"], "deleted");
    let body = event["body"].as_object().unwrap();
    assert!(
        body.keys().all(|name| !name.starts_with("old_")),
        "{event:#}"
    );
}

#[test]
fn a_value_outside_an_open_list_is_sent() {
    for (name, column, field, value) in [
        (
            "rubric_assessed",
            "/after/assessment_type",
            "assessment_type",
            "graded",
        ),
        (
            "rubric_assessed",
            "/after/assessment_type",
            "assessment_type",
            "self_check",
        ),
        (
            "wiki_page_updated",
            "/after/workflow_state",
            "workflow_state",
            "post_delayed",
        ),
        (
            "assignment_created",
            "/after/submission_types",
            "submission_types",
            "student_annotation",
        ),
        (
            "submission_updated",
            "/after/submission_type",
            "submission_type",
            "student_annotation",
        ),
        (
            "lti_resource_link_created",
            "/after/context_type",
            "context_type",
            "Account",
        ),
    ] {
        check_body(name, &[(column, json!(value))], field, &json!(value));
    }
}

/// Returns settings that give a row a context of type `kind`.
fn context(kind: &str, columns: Value) -> Vec<(&'static str, Value)> {
    vec![
        ("/after/context_type", json!(kind)),
        ("/before/context_type", json!(kind)),
        ("/related/context", columns),
    ]
}

#[test]
fn the_account_of_a_context_depends_on_the_type_of_the_context() {
    let name = "content_migration_completed";
    let own = json!({ "lti_context_id": null, "uuid": "u" });
    let with = |columns: Value| {
        let mut context = own.clone();
        let members = columns.as_object().unwrap().clone();
        context.as_object_mut().unwrap().extend(members);
        context
    };
    for (kind, columns, wanted) in [
        (
            "Account",
            json!({ "id": 52, "parent_account_id": null }),
            json!("70000000000052"),
        ),
        (
            "Account",
            json!({ "id": 53, "parent_account_id": 52 }),
            json!("70000000000052"),
        ),
        (
            "Group",
            json!({ "id": 318, "account_id": 53 }),
            json!("70000000000053"),
        ),
        // A section has the account of its course.
        (
            "CourseSection",
            json!({ "id": 734 }),
            json!("70000000000053"),
        ),
        ("User", json!({ "id": 2291 }), Value::Null),
        ("AssessmentQuestion", json!({ "id": 9 }), Value::Null),
    ] {
        let settings = context(kind, with(columns));
        check_metadata(name, &settings, "context_type", Some(&json!(kind)));
        check_metadata(name, &settings, "context_account_id", Some(&wanted));
    }
}

#[test]
fn a_field_that_the_context_of_the_row_lacks_keeps_the_value_of_the_request() {
    let name = "content_migration_completed";
    let user = json!({ "id": 2291, "uuid": "u", "lti_context_id": null });
    let request = json!({ "request": {
        "request_id": "r", "session_id": null, "hostname": "lms.example.edu",
        "http_method": "POST", "user_agent": null, "client_ip": "192.0.2.1",
        "url": "https://lms.example.edu", "referrer": null,
        "root_account_id": 1, "root_account_uuid": "a", "root_account_lti_guid": "g",
        "context_type": "Course", "context_id": 5, "context_account_id": 6,
        "context_sis_source_id": "C-5",
    } });
    let mut settings = context("User", user);
    settings.extend([
        ("/related/root_account", Value::Null),
        ("/after/root_account_id", Value::Null),
        ("/before/root_account_id", Value::Null),
        ("/context", request),
    ]);
    check_metadata(
        name,
        &settings,
        "context_id",
        Some(&json!("70000000002291")),
    );
    check_metadata(name, &settings, "context_account_id", Some(&Value::Null));
    check_metadata(
        name,
        &settings,
        "context_sis_source_id",
        Some(&json!("C-5")),
    );
    check_metadata(name, &settings, "root_account_uuid", Some(&json!("a")));
    check_body(name, &settings, "domain", &Value::Null);
    // A group can have a SIS id, so the SIS id of the request's context does not stay.
    settings[0].1 = json!("Group");
    settings[1].1 = json!("Group");
    settings[2].1["account_id"] = json!(53);
    check_metadata(name, &settings, "context_sis_source_id", None);
    // Without a request or job, no value is left.
    settings.last_mut().unwrap().1 = json!({});
    settings[0].1 = json!("User");
    settings[1].1 = json!("User");
    check_metadata(name, &settings, "root_account_uuid", None);
    check_metadata(name, &settings, "context_sis_source_id", None);
}

#[test]
fn the_ids_of_accounts_are_global() {
    let settings = [("/after/parent_account_id", json!(27))];
    for (field, wanted) in [
        ("account_id", "70000000000052"),
        ("root_account_id", "70000000000052"),
        ("parent_account_id", "70000000000027"),
    ] {
        check_value(
            "account_updated",
            &settings,
            &format!("/body/{field}"),
            &json!(wanted),
        );
    }
}

#[test]
fn a_missing_account_is_a_warning_only_for_a_context_that_has_an_account() {
    let name = "content_migration_completed";
    let own = json!({ "id": 5, "uuid": "u", "lti_context_id": null });
    check_warnings(name, &context("User", own.clone()), &[]);
    for (kind, place) in [
        ("Group", "/related/context/account_id"),
        ("Account", "/related/context/parent_account_id"),
    ] {
        check_warnings(name, &context(kind, own.clone()), &[place]);
    }
    let mut section = context("CourseSection", own);
    section.push(("/related/course", json!({ "id": 118 })));
    check_warnings(name, &section, &["/related/course/account_id"]);
}

#[test]
fn an_event_with_all_columns_accepts_every_column() {
    let settings = [("/with/phase_of_the_moon", json!("full"))];
    let name = "quizzes_next_quiz_duplicated";
    check_warnings(name, &settings, &[]);
    check_body(name, &settings, "phase_of_the_moon", &json!("full"));
    let settings = [("/with/phase_of_the_moon", json!("full"))];
    check_warnings("quiz_submitted", &settings, &["/with/phase_of_the_moon"]);
}

#[test]
fn an_assessment_without_the_row_of_its_submission_has_a_warning() {
    check_warnings("rubric_assessed", &[], &["/related/submission"]);
    let settings = [("/after/artifact_type", json!("Assignment"))];
    check_warnings("rubric_assessed", &settings, &[]);
}

#[test]
fn a_settings_column_that_is_missing_or_not_an_object_is_a_fault() {
    let settings = [("/after/migration_settings", json!("--- yaml"))];
    let name = "content_migration_completed";
    check_fault(name, &settings, "/after/migration_settings");
    let mut change = changed(name, &[]);
    for row in ["before", "after"] {
        let row = change[row].as_object_mut().unwrap();
        row.remove("migration_settings");
    }
    let faults = made(7, "dropped", change).unwrap_err();
    let places: Vec<_> = faults.as_slice().iter().map(|fault| &*fault.at).collect();
    assert_eq!(places, ["/after/migration_settings"], "{faults}");
}
