//! The columns of records.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::column;
use crate::campus::{Assignment, Campus, Course, File, Group, Member, Page, Submission, User};

/// The columns that an object has as members.
pub(crate) fn row(columns: Value) -> Row {
    match columns {
        Value::Object(columns) => Row(columns),
        _ => Row::default(),
    }
}

/// The same columns, with some that are others or further ones.
pub(crate) fn merged(mut columns: Value, others: Value) -> Value {
    if let (Value::Object(columns), Value::Object(others)) = (&mut columns, others) {
        columns.extend(others);
    }
    columns
}

impl Campus {
    /// A course, as its own record and as one that goes with others.
    pub(crate) fn course_row(&self, course: &Course) -> Value {
        json!({
            "id": course.id,
            "account_id": self.accounts.get(course.account).map(|it| it.id),
            "root_account_id": self.accounts.first().map(|it| it.id),
            "name": course.name,
            "uuid": course.uuid,
            "sis_source_id": course.sis_id,
            "lti_context_id": course.lti_id,
            "syllabus_body": course.syllabus,
            "workflow_state": "available",
            "created_at": column(course.created_at),
            "updated_at": column(course.updated_at),
        })
    }

    pub(crate) fn account_of(&self, course: &Course) -> Row {
        let account = self.accounts.get(course.account);
        row(json!({
            "id": account.map(|it| it.id),
            "uuid": account.map(|it| it.uuid.as_str()),
        }))
    }

    /// The section of a course.
    pub(crate) fn section_row(&self, course: &Course) -> Value {
        json!({
            "id": course.section,
            "course_id": course.id,
            "name": course.section_name,
            "root_account_id": self.accounts.first().map(|it| it.id),
            "enrollment_term_id": 1,
            "accepting_enrollments": null,
            "can_manually_enroll": null,
            "default_section": true,
            "start_at": null,
            "end_at": null,
            "integration_id": null,
            "nonxlist_course_id": null,
            "restrict_enrollments_to_section_dates": false,
            "sis_batch_id": null,
            "sis_source_id": format!("{}-1", course.sis_id),
            "stuck_sis_fields": [],
            "workflow_state": "active",
        })
    }

    /// An assignment, and what goes with it.
    pub(crate) fn assignment_row(
        &self,
        course: &Course,
        it: &Assignment,
        updated_at: Timestamp,
    ) -> Value {
        let due = self.calendar.due(it.due_day);
        json!({
            "id": it.id,
            "assignment_group_id": course.assignment_group,
            "context_id": course.id,
            "context_type": "Course",
            "title": it.title,
            "description": it.description,
            "points_possible": it.points,
            "grading_type": "points",
            "submission_types": "online_text_entry,online_upload",
            "due_at": column(due),
            "lock_at": null,
            "unlock_at": null,
            "lti_context_id": it.lti_id,
            "lti_resource_link_id": format!("link-{}", it.lti_id),
            "duplicate_of_id": null,
            "anonymous_grading": false,
            "workflow_state": "published",
            "updated_at": column(updated_at),
        })
    }

    /// A submission of an assignment.
    pub(crate) fn submission_row(
        &self,
        it: &Submission,
        assignment: &Assignment,
        user: &User,
    ) -> Value {
        let due = self.calendar.due(assignment.due_day);
        json!({
            "id": it.id,
            "assignment_id": assignment.id,
            "user_id": user.id,
            "attempt": it.attempt,
            "body": it.body,
            "submission_type": it.body.as_ref().map(|_| "online_text_entry"),
            "submitted_at": it.submitted_at.map(column),
            "cached_due_date": column(due),
            "score": it.score,
            "grade": it.score.map(|score| score.to_string()),
            "graded_at": it.graded_at.map(column),
            "posted_at": it.graded_at.map(column),
            "grader_id": it.grader,
            "excused": null,
            "group_id": null,
            "url": null,
            "workflow_state": it.state,
            "updated_at": column(it.updated_at),
        })
    }
}

pub(crate) fn user_row(it: &User, at: Timestamp) -> Value {
    json!({
        "id": it.id,
        "name": it.name,
        "short_name": it.name,
        "uuid": it.uuid,
        "lti_context_id": it.lti_id,
        "workflow_state": "registered",
        "created_at": column(at),
        "updated_at": column(at),
    })
}

/// The login of a user.
pub(crate) fn pseudonym(it: &User, account: Option<u64>) -> Row {
    row(json!({
        "user_id": it.id,
        "unique_id": it.login,
        "sis_user_id": it.sis_id,
        "account_id": account,
    }))
}

pub(crate) fn enrollment_row(
    course: &Course,
    member: &Member,
    user: &User,
    updated_at: Timestamp,
) -> Value {
    json!({
        "id": member.enrollment,
        "course_id": course.id,
        "course_section_id": course.section,
        "user_id": user.id,
        "associated_user_id": null,
        "type": member.role.name(),
        "limit_privileges_to_course_section": false,
        "workflow_state": if member.has_left { "deleted" } else { "active" },
        "created_at": column(member.created_at),
        "updated_at": column(updated_at),
    })
}

pub(crate) fn enrollment_state_row(member: &Member, version: u32) -> Value {
    let state = if member.has_left { "deleted" } else { "active" };
    json!({
        "enrollment_id": member.enrollment,
        "state": state,
        "state_is_current": true,
        "state_started_at": column(member.created_at),
        "state_valid_until": null,
        "access_is_current": true,
        "restricted_access": member.has_left,
        "lock_version": version,
    })
}

pub(crate) fn page_row(it: &Page, updated_at: Timestamp) -> Value {
    json!({
        "id": it.id,
        "title": it.title,
        "body": it.body,
        "workflow_state": "active",
        "updated_at": column(updated_at),
    })
}

pub(crate) fn file_row(
    course: &Course,
    it: &File,
    owner: u64,
    (state, updated_at): (&str, Timestamp),
) -> Value {
    json!({
        "id": it.id,
        "context_id": course.id,
        "context_type": "Course",
        "folder_id": course.folder,
        "display_name": it.name,
        "filename": it.name.replace(' ', "_"),
        "content_type": "application/pdf",
        "user_id": owner,
        "lock_at": null,
        "unlock_at": null,
        "locked": false,
        "file_state": state,
        "updated_at": column(updated_at),
    })
}

pub(crate) fn group_row(course: &Course, it: &Group, account: Option<u64>) -> Value {
    json!({
        "id": it.id,
        "account_id": account,
        "context_id": course.id,
        "context_type": "Course",
        "group_category_id": course.group_category,
        "name": it.name,
        "uuid": it.uuid,
        "max_membership": null,
        "workflow_state": "available",
    })
}
