//! Nullable columns. The event of a null column does not have the field.

use serde_json::Value;

use crate::details::{changed, made};

/// A fixture, the column that is null, and the field that comes from it.
const NULLABLE: &[(&str, &str, &str)] = &[
    ("account_created", "/after/name", "name"),
    (
        "account_created",
        "/after/external_status",
        "external_status",
    ),
    (
        "account_created",
        "/after/default_time_zone",
        "default_time_zone",
    ),
    ("account_created", "/after/default_locale", "default_locale"),
    (
        "account_created",
        "/after/parent_account_id",
        "parent_account_id",
    ),
    ("account_updated", "/after/name", "name"),
    ("account_notification_created", "/after/icon", "icon"),
    (
        "assignment_created",
        "/after/assignment_group_id",
        "assignment_group_id",
    ),
    (
        "assignment_created",
        "/after/lti_context_id",
        "lti_assignment_id",
    ),
    (
        "assignment_created",
        "/after/lti_resource_link_id",
        "lti_resource_link_id",
    ),
    (
        "assignment_created",
        "/after/submission_types",
        "submission_types",
    ),
    (
        "assignment_created",
        "/after/anonymous_grading",
        "anonymous_grading",
    ),
    (
        "assignment_created",
        "/after/description",
        "lti_assignment_description",
    ),
    ("assignment_created", "/after/resource_map", "resource_map"),
    (
        "assignment_updated",
        "/after/assignment_group_id",
        "assignment_group_id",
    ),
    (
        "assignment_updated",
        "/after/duplicate_of_id",
        "assignment_id_duplicated_from",
    ),
    ("assignment_group_created", "/after/rules", "rules"),
    (
        "assignment_group_created",
        "/after/sis_source_id",
        "sis_source_id",
    ),
    ("assignment_group_created", "/after/position", "position"),
    ("assignment_group_updated", "/after/rules", "rules"),
    (
        "assignment_override_created",
        "/after/assignment_id",
        "assignment_id",
    ),
    (
        "assignment_override_updated",
        "/after/assignment_id",
        "assignment_id",
    ),
    ("attachment_created", "/after/content_type", "content_type"),
    ("attachment_created", "/after/locked", "locked"),
    (
        "content_export_created",
        "/after/export_type",
        "export_type",
    ),
    (
        "content_migration_completed",
        "/after/migration_type",
        "migration_type",
    ),
    (
        "content_migration_completed",
        "/related/course/lti_context_id",
        "lti_context_id",
    ),
    (
        "content_migration_completed",
        "/related/course/lti_context_id",
        "destination_course_lti_id",
    ),
    (
        "conversation_message_created",
        "/after/author_id",
        "author_id",
    ),
    (
        "course_section_created",
        "/after/enrollment_term_id",
        "enrollment_term_id",
    ),
    (
        "course_section_created",
        "/after/restrict_enrollments_to_section_dates",
        "restrict_enrollments_to_section_dates",
    ),
    (
        "course_section_updated",
        "/after/default_section",
        "default_section",
    ),
    ("discussion_entry_created", "/after/user_id", "user_id"),
    ("discussion_entry_created", "/after/message", "text"),
    ("discussion_entry_deleted", "/after/message", "text"),
    ("discussion_topic_created", "/after/message", "body"),
    (
        "enrollment_state_created",
        "/after/state_started_at",
        "state_started_at",
    ),
    ("enrollment_state_created", "/after/state", "state"),
    ("group_category_created", "/after/context_id", "context_id"),
    (
        "group_category_created",
        "/after/context_type",
        "context_type",
    ),
    (
        "learning_outcome_link_created",
        "/after/content_id",
        "learning_outcome_id",
    ),
    (
        "learning_outcome_link_created",
        "/after/associated_asset_id",
        "learning_outcome_group_id",
    ),
    (
        "learning_outcome_result_created",
        "/after/context_id",
        "result_context_id",
    ),
    (
        "learning_outcome_result_created",
        "/after/context_type",
        "result_context_type",
    ),
    (
        "learning_outcome_result_created",
        "/related/user",
        "user_uuid",
    ),
    ("module_created", "/after/name", "name"),
    (
        "module_item_created",
        "/after/context_module_id",
        "module_id",
    ),
    (
        "outcome_friendly_description_created",
        "/after/root_account_id",
        "root_account_id",
    ),
    ("quiz_extension_created", "/with/user_id", "user_id"),
    ("quiz_extension_created", "/with/end_at", "end_at"),
    ("submission_comment_created", "/after/comment", "body"),
    (
        "syllabus_updated",
        "/before/syllabus_body",
        "old_syllabus_body",
    ),
];

#[test]
fn a_null_column_makes_an_event_without_the_field() {
    let mut wrong = Vec::new();
    for (fixture, column, field) in NULLABLE {
        let mut settings = vec![(*column, Value::Null)];
        if *field == "user_uuid" {
            // Without the row of the user, the id of the user must be null too.
            settings.push(("/after/user_id", Value::Null));
        }
        for nulls in ["dropped", "kept"] {
            let body = match made(7, nulls, changed(fixture, &settings)) {
                Ok(event) => event["body"].clone(),
                Err(fault) => {
                    wrong.push(format!("{fixture}.{field}: {fault}"));
                    continue;
                }
            };
            let wanted = match nulls {
                "kept" => Some(&Value::Null),
                _ => None,
            };
            if body.get(field) != wanted {
                wrong.push(format!("{fixture}.{field}, {nulls}: {:?}", body.get(field)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
