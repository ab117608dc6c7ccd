//! Computed values: values of fields that are not simply the value of one column.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all computations have one type, and some always have a value"
)]

use jiff::Timestamp;
use serde_json::Value;

use crate::change_context::ChangeContext;
use crate::id::{id_of, with_shard};

mod outcome;
mod stored;

/// Computes a value. `None` if a column or a related row is missing.
type Computation = fn(ChangeContext<'_>) -> Option<Value>;

/// All computations: the name in the catalogue's files, the description for the page, the function.
///
/// [`inputs`](crate::inputs) also tries the words of a description as values. So a description must
/// contain each string that its function compares with, without a full stop or a colon after it.
const COMPUTATIONS: [(&str, &str, Computation); 34] = [
    (
        "assessed_attempt",
        "`attempt` of the related `submission` if `artifact_type` is Submission, else null",
        assessed_attempt,
    ),
    (
        "assessed_submitted_at",
        "`submitted_at` of the related `submission` if `artifact_type` is Submission and the work was submitted, else `updated_at`",
        assessed_submitted_at,
    ),
    (
        "associated_asset_id",
        "`associated_asset_id`; if it is null, `association_id` of the related `rubric_association`, but only if `artifact_type` is RubricAssessment, `association_type` is RubricAssociation or null, and `workflow_state` is not deleted",
        outcome::associated_asset_id,
    ),
    (
        "associated_asset_type",
        "`associated_asset_type`, or `association_type` under the conditions of `@associated_asset_id`",
        outcome::associated_asset_type,
    ),
    (
        "associated_user",
        "`associated_user_id` if `type` is ObserverEnrollment",
        associated_user,
    ),
    (
        "attachment_ids",
        "the comma-separated ids in `attachment_ids`; an empty array if it is null or blank",
        stored::attachment_ids,
    ),
    (
        "copied_from_outcome_id",
        "`copied_from_outcome_id` as a local id, without the shard",
        outcome::copied_from_outcome_id,
    ),
    (
        "default_restrictions",
        "`default_restrictions_by_type` if `use_default_restrictions_by_type` is true, else `default_restrictions`; an empty object if the column is null",
        stored::default_restrictions,
    ),
    (
        "export_name",
        "`content-export-` followed by the global id",
        export_name,
    ),
    (
        "grader",
        "`grader_id`; null if it is negative, because an automatic grader has a negative id",
        grader,
    ),
    (
        "grading_complete",
        "true if `workflow_state` is graded",
        grading_complete,
    ),
    (
        "has_access_code",
        "true if `access_code` is not empty",
        has_access_code,
    ),
    (
        "import_quizzes_next",
        "true if `import_quizzes_next` in `migration_settings` is the boolean `true`",
        stored::import_quizzes_next,
    ),
    (
        "integration_data",
        "`integration_data`; an empty object if it is null",
        stored::integration_data,
    ),
    (
        "is_admin",
        "`is_admin`; if it is null, true if there is a related `account_user` (an administrator role in the root account)",
        is_admin,
    ),
    (
        "is_announcement",
        "true if `type` is Announcement",
        is_announcement,
    ),
    (
        "late",
        "`late`; if it is null, true if `late_policy_status` is late; if that is null too, true if `@submitted_at` is after `cached_due_date`",
        late,
    ),
    (
        "migration_type",
        "`migration_type`; if it is null, `migration_type` in `migration_settings`",
        stored::migration_type,
    ),
    (
        "missing",
        "`missing`; if it is null, true if `late_policy_status` is missing; if that is null too, true if `@submitted_at` is null and `cached_due_date` is before `updated_at`",
        missing,
    ),
    ("muted", "true if `posted_at` is null", muted),
    (
        "never",
        "no value, because only the published documents have the field",
        never,
    ),
    (
        "old_points",
        "`points_possible` of the related `assignment_before`; without that row, of `assignment`",
        old_points,
    ),
    (
        "original_root_account_uuid",
        "`uuid` of the related `original_root_account` if `copied_from_outcome_id` is an id of another shard",
        outcome::original_root_account_uuid,
    ),
    (
        "override_group",
        "`set_id` if `set_type` is Group",
        override_group,
    ),
    (
        "override_section",
        "`set_id` if `set_type` is CourseSection",
        override_section,
    ),
    ("override_type", "`set_type`", override_type),
    (
        "quizzes2",
        "the members of `quizzes2` in `settings`",
        stored::quizzes2,
    ),
    (
        "ratings",
        "`outcome_proficiency_ratings`, sorted by points, highest first",
        ratings,
    ),
    (
        "restrictions",
        "`restrictions`; an empty object if it is null",
        stored::restrictions,
    ),
    (
        "root_account_id",
        "`root_account_id`; `id` if it is null or 0, because a root account is its own root account",
        root_account_id,
    ),
    ("row", "every column that no other field uses", stored::row),
    (
        "settings",
        "`settings`; an empty object if it is null",
        stored::settings,
    ),
    (
        "stuck_sis_fields",
        "the comma-separated names in `stuck_sis_fields`; an empty array if it is null",
        stored::stuck_sis_fields,
    ),
    (
        "submitted_at",
        "`submitted_at`, or `updated_at` if it is null; null if `submission_type` is null",
        submitted_at,
    ),
];

/// Returns the computation of this name.
pub(crate) fn computation(name: &str) -> Option<Computation> {
    let found = COMPUTATIONS.iter().find(|(known, ..)| *known == name);
    found.map(|(_, _, compute)| *compute)
}

/// Returns the name and the description of every computation.
pub(crate) fn descriptions() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMPUTATIONS
        .iter()
        .map(|(name, description, _)| (*name, *description))
}

/// Returns the attempt of the assessed submission. Null if another artifact was assessed.
fn assessed_attempt(ctx: ChangeContext<'_>) -> Option<Value> {
    let submission = ctx.related("submission");
    match ctx.text("artifact_type") {
        Some("Submission") => submission?.get("attempt").cloned(),
        _ => Some(Value::Null),
    }
}

/// Returns when the assessed submission was submitted. For another artifact, returns when the
/// assessment was saved.
fn assessed_submitted_at(ctx: ChangeContext<'_>) -> Option<Value> {
    let saved = ctx.get("updated_at");
    let is_submission = ctx.text("artifact_type") == Some("Submission");
    let submission = ctx.related("submission").filter(|_| is_submission);
    let submitted = submission.filter(|row| !has_no_type(row.get("submission_type")));
    let time = submitted.and_then(|row| row.value("submitted_at"));
    time.or(saved).cloned()
}

/// Returns the user whom an observer observes. The column has no meaning in other enrollments.
fn associated_user(ctx: ChangeContext<'_>) -> Option<Value> {
    let is_observer = ctx.text("type") == Some("ObserverEnrollment");
    let associated = ctx.value("associated_user_id");
    associated.filter(|_| is_observer).cloned()
}

/// Returns the id that New Quizzes uses for an export.
fn export_name(ctx: ChangeContext<'_>) -> Option<Value> {
    let id = ctx.value("id").and_then(id_of)?;
    let id = with_shard(id, ctx.options)?;
    Some(format!("content-export-{id}").into())
}

/// Returns the user who graded. An automatic grader has a negative id, and becomes null.
fn grader(ctx: ChangeContext<'_>) -> Option<Value> {
    let grader = ctx.value("grader_id");
    let is_user = |grader: &&Value| match grader {
        Value::String(text) => !text.starts_with('-'),
        number => number.as_i64().is_none_or(|id| id > 0),
    };
    Some(grader.filter(is_user).cloned().unwrap_or_default())
}

/// Returns whether the grade of the submission is complete.
fn grading_complete(ctx: ChangeContext<'_>) -> Option<Value> {
    ctx.get("workflow_state")?;
    Some((ctx.text("workflow_state") == Some("graded")).into())
}

/// Returns whether a quiz requires an access code. The event does not contain the code.
fn has_access_code(ctx: ChangeContext<'_>) -> Option<Value> {
    let code = ctx.text("access_code");
    Some(code.is_some_and(|code| !code.is_empty()).into())
}

/// Returns whether the user has an administrator role in the root account.
fn is_admin(ctx: ChangeContext<'_>) -> Option<Value> {
    let column = ctx.value("is_admin").cloned();
    column.or_else(|| Some(ctx.related("account_user").is_some().into()))
}

/// Returns whether a topic is an announcement.
fn is_announcement(ctx: ChangeContext<'_>) -> Option<Value> {
    Some((ctx.text("type") == Some("Announcement")).into())
}

/// Returns whether the work was submitted after the due date, unless a grader set the status.
fn late(ctx: ChangeContext<'_>) -> Option<Value> {
    if let Some(column) = ctx.value("late") {
        return Some(column.clone());
    }
    let is_late = match ctx.text("late_policy_status") {
        Some(status) => status == "late",
        None => match (submission_time(ctx), ctx.time("cached_due_date")) {
            (Some(submitted), Some(due)) => submitted > due,
            _ => false,
        },
    };
    Some(is_late.into())
}

/// Returns whether no work was submitted and the due date was before the save, unless a grader set
/// the status.
fn missing(ctx: ChangeContext<'_>) -> Option<Value> {
    if let Some(column) = ctx.value("missing") {
        return Some(column.clone());
    }
    let is_missing = match ctx.text("late_policy_status") {
        Some(status) => status == "missing",
        None => {
            let saved = ctx.time("updated_at");
            submission_time(ctx).is_none()
                && ctx
                    .time("cached_due_date")
                    .is_some_and(|due| saved.is_some_and(|saved| due < saved))
        }
    };
    Some(is_missing.into())
}

/// Returns whether the grade is hidden from the student, because it is not posted.
fn muted(ctx: ChangeContext<'_>) -> Option<Value> {
    Some(ctx.time("posted_at").is_none().into())
}

/// Returns no value. Only the published documents have the field.
fn never(_: ChangeContext<'_>) -> Option<Value> {
    None
}

/// Returns the points of the assignment before the change. Without that row, returns its points now.
fn old_points(ctx: ChangeContext<'_>) -> Option<Value> {
    let before = ctx.related("assignment_before");
    let assignment = before.or_else(|| ctx.related("assignment"));
    assignment?.get("points_possible").cloned()
}

/// Returns the ratings, sorted by points, highest first.
fn ratings(ctx: ChangeContext<'_>) -> Option<Value> {
    let column = ctx.value("outcome_proficiency_ratings")?;
    let Value::Array(mut ratings) = column.clone() else {
        return Some(column.clone());
    };
    let points = |rating: &Value| rating.get("points").and_then(Value::as_f64).unwrap_or(0.0);
    ratings.sort_by(|left, right| points(right).total_cmp(&points(left)));
    Some(ratings.into())
}

fn override_group(ctx: ChangeContext<'_>) -> Option<Value> {
    override_set(ctx, "Group")
}

fn override_section(ctx: ChangeContext<'_>) -> Option<Value> {
    override_set(ctx, "CourseSection")
}

/// Returns the id of the set that an override is for, if the set is of type `kind`.
fn override_set(ctx: ChangeContext<'_>, kind: &str) -> Option<Value> {
    let set = ctx.value("set_id");
    set.filter(|_| ctx.text("set_type") == Some(kind)).cloned()
}

fn override_type(ctx: ChangeContext<'_>) -> Option<Value> {
    ctx.value("set_type").cloned()
}

/// Returns the root account of an account. The column of a root account is null or 0.
fn root_account_id(ctx: ChangeContext<'_>) -> Option<Value> {
    let column = ctx.value("root_account_id");
    let root = column.filter(|value| id_of(value).is_none_or(|id| id.get() != 0));
    root.or_else(|| ctx.value("id")).cloned()
}

/// Returns when the work was submitted. Null if the submission has no type, even if the column has a
/// time. With a type but no time, the work was submitted when the row was saved.
fn submitted_at(ctx: ChangeContext<'_>) -> Option<Value> {
    if has_no_type(ctx.get("submission_type")) {
        return Some(Value::Null);
    }
    let column = ctx.get("submitted_at")?;
    let has_type = ctx.value("submission_type").is_some();
    let saved = || ctx.get("updated_at").filter(|_| has_type);
    Some(column)
        .filter(|value| !value.is_null())
        .or_else(saved)
        .or(Some(column))
        .cloned()
}

/// Returns whether no work was submitted: the column `submission_type` is present and null.
fn has_no_type(submission_type: Option<&Value>) -> bool {
    submission_type == Some(&Value::Null)
}

/// Returns the value of [`submitted_at`] as a time.
fn submission_time(ctx: ChangeContext<'_>) -> Option<Timestamp> {
    if has_no_type(ctx.get("submission_type")) {
        return None;
    }
    ctx.get("submitted_at")?;
    let has_type = ctx.value("submission_type").is_some();
    let saved = || ctx.time("updated_at").filter(|_| has_type);
    ctx.time("submitted_at").or_else(saved)
}
