//! Values that are worked out of more than one column, or of one that means something else.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all rules have one type, and some always have a value"
)]

use easel_catalog::GlobalId;
use jiff::Timestamp;
use serde_json::Value;

use crate::change_context::ChangeContext;
use crate::options::TriggerOptions;

mod outcome;
mod stored;

/// Works a value out; none where what it is made of is not given.
type Computation = fn(ChangeContext<'_>) -> Option<Value>;

/// Every rule: the name that data files have, what it takes, and how.
const RULES: [(&str, &str, Computation); 34] = [
    (
        "assessed_attempt",
        "`attempt` of the related `submission`, where `artifact_type` is Submission",
        assessed_attempt,
    ),
    (
        "assessed_submitted_at",
        "`submitted_at` of the related `submission`, where `artifact_type` is Submission and it was handed in, else `updated_at`",
        assessed_submitted_at,
    ),
    (
        "associated_asset_id",
        "`associated_asset_id`; where that is null, `association_id` of the related `rubric_association`, if `artifact_type` is RubricAssessment, `association_type` is RubricAssociation and `workflow_state` is not deleted",
        outcome::associated_asset_id,
    ),
    (
        "associated_asset_type",
        "the same of `associated_asset_type` and `association_type`",
        outcome::associated_asset_type,
    ),
    (
        "associated_user",
        "`associated_user_id`, where `type` is ObserverEnrollment",
        associated_user,
    ),
    (
        "attachment_ids",
        "the parts of `attachment_ids` between its commas; none where it is null or blank",
        stored::attachment_ids,
    ),
    (
        "copied_from_outcome_id",
        "`copied_from_outcome_id`, without its shard",
        outcome::copied_from_outcome_id,
    ),
    (
        "default_restrictions",
        "`default_restrictions_by_type` where `use_default_restrictions_by_type`, else `default_restrictions`; an empty object where that is null",
        stored::default_restrictions,
    ),
    (
        "export_name",
        "`content-export-` and the global id",
        export_name,
    ),
    (
        "grader",
        "`grader_id`; null where it is below zero, which is what grades by itself",
        grader,
    ),
    (
        "grading_complete",
        "whether `workflow_state` is graded",
        grading_complete,
    ),
    (
        "has_access_code",
        "whether there is an `access_code`",
        has_access_code,
    ),
    (
        "import_quizzes_next",
        "whether `import_quizzes_next` in `migration_settings` is exactly true",
        stored::import_quizzes_next,
    ),
    (
        "integration_data",
        "`integration_data`; an empty object where that is null",
        stored::integration_data,
    ),
    (
        "is_admin",
        "`is_admin`, else whether there is a related `account_user`: a role of an administrator in the root account",
        is_admin,
    ),
    (
        "is_announcement",
        "whether `type` is Announcement",
        is_announcement,
    ),
    (
        "late",
        "`late`, else by `late_policy_status`, else whether `@submitted_at` is after `cached_due_date`",
        late,
    ),
    (
        "migration_type",
        "`migration_type`, else `migration_type` in `migration_settings`",
        stored::migration_type,
    ),
    (
        "missing",
        "`missing`, else by `late_policy_status`, else whether `cached_due_date` is before `updated_at` and there is no `@submitted_at`",
        missing,
    ),
    ("muted", "whether there is no `posted_at`", muted),
    (
        "never",
        "nothing: the published documents alone have the field",
        never,
    ),
    (
        "old_points",
        "`points_possible` of the related `assignment_before`, else of `assignment`",
        old_points,
    ),
    (
        "original_root_account_uuid",
        "`uuid` of the related `original_root_account`, where `copied_from_outcome_id` is of another shard",
        outcome::original_root_account_uuid,
    ),
    (
        "override_group",
        "`set_id`, where `set_type` is Group",
        override_group,
    ),
    (
        "override_section",
        "`set_id`, where `set_type` is CourseSection",
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
        "`outcome_proficiency_ratings`, those with the most points first",
        ratings,
    ),
    (
        "restrictions",
        "`restrictions`; an empty object where that is null",
        stored::restrictions,
    ),
    (
        "root_account_id",
        "`root_account_id`, else `id`: a root account is its own",
        root_account_id,
    ),
    (
        "row",
        "every column that no other field is made of",
        stored::row,
    ),
    (
        "settings",
        "`settings`; an empty object where that is null",
        stored::settings,
    ),
    (
        "stuck_sis_fields",
        "the names in `stuck_sis_fields` between its commas; none where it is null",
        stored::stuck_sis_fields,
    ),
    (
        "submitted_at",
        "`submitted_at`, or `updated_at` where it is null; null where `submission_type` is null",
        submitted_at,
    ),
];

/// The rule of this name.
pub(crate) fn rule(name: &str) -> Option<Computation> {
    let rule = RULES.iter().find(|(known, ..)| *known == name);
    rule.map(|(_, _, work)| *work)
}

/// Every rule by its name, and what it takes.
pub(crate) fn explained() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.iter().map(|(name, takes, _)| (*name, *takes))
}

/// The attempt of the submission that was assessed; none of anything else.
fn assessed_attempt(scene: ChangeContext<'_>) -> Option<Value> {
    let submission = scene.related("submission");
    match scene.text("artifact_type") {
        Some("Submission") => submission?.get("attempt").cloned(),
        _ => Some(Value::Null),
    }
}

/// When the submission that was assessed was handed in; of anything else, when the assessment was
/// saved.
fn assessed_submitted_at(scene: ChangeContext<'_>) -> Option<Value> {
    let saved = scene.get("updated_at");
    let is_submission = scene.text("artifact_type") == Some("Submission");
    let submission = scene.related("submission").filter(|_| is_submission);
    let handed_in = submission.filter(|row| !has_no_type(row.get("submission_type")));
    let time = handed_in.and_then(|row| row.value("submitted_at"));
    time.or(saved).cloned()
}

/// Whom an observer observes. In other enrollments the column means nothing.
fn associated_user(scene: ChangeContext<'_>) -> Option<Value> {
    let is_observer = scene.text("type") == Some("ObserverEnrollment");
    let associated = scene.value("associated_user_id");
    associated.filter(|_| is_observer).cloned()
}

/// The name that New Quizzes knows an export by.
fn export_name(scene: ChangeContext<'_>) -> Option<Value> {
    let id = scene.value("id").and_then(id_of)?;
    let id = global(id, scene.options)?;
    Some(format!("content-export-{id}").into())
}

/// Who graded. What grades by itself has a number below zero.
fn grader(scene: ChangeContext<'_>) -> Option<Value> {
    let grader = scene.value("grader_id");
    let is_somebody = |it: &&Value| match it {
        Value::String(text) => !text.starts_with('-'),
        number => number.as_i64().is_none_or(|id| id > 0),
    };
    Some(grader.filter(is_somebody).cloned().unwrap_or_default())
}

/// Whether the submission is in the state in which its grade is whole.
fn grading_complete(scene: ChangeContext<'_>) -> Option<Value> {
    scene.get("workflow_state")?;
    Some((scene.text("workflow_state") == Some("graded")).into())
}

/// Whether a quiz asks for a code, which is not told.
fn has_access_code(scene: ChangeContext<'_>) -> Option<Value> {
    let code = scene.text("access_code");
    Some(code.is_some_and(|code| !code.is_empty()).into())
}

/// Whether the user has any administrator role in the root account.
fn is_admin(scene: ChangeContext<'_>) -> Option<Value> {
    let told = scene.value("is_admin").cloned();
    told.or_else(|| Some(scene.related("account_user").is_some().into()))
}

/// Whether a topic is an announcement, which is a type of its own.
fn is_announcement(scene: ChangeContext<'_>) -> Option<Value> {
    Some((scene.text("type") == Some("Announcement")).into())
}

/// Whether work came after it was due, unless somebody decided.
fn late(scene: ChangeContext<'_>) -> Option<Value> {
    if let Some(told) = scene.value("late") {
        return Some(told.clone());
    }
    let is_late = match scene.text("late_policy_status") {
        Some(status) => status == "late",
        None => match (submission_time(scene), scene.time("cached_due_date")) {
            (Some(submitted), Some(due)) => submitted > due,
            _ => false,
        },
    };
    Some(is_late.into())
}

/// Whether nothing was handed in and it was due before the row was saved, unless somebody decided.
fn missing(scene: ChangeContext<'_>) -> Option<Value> {
    if let Some(told) = scene.value("missing") {
        return Some(told.clone());
    }
    let is_missing = match scene.text("late_policy_status") {
        Some(status) => status == "missing",
        None => {
            let saved = scene.time("updated_at");
            submission_time(scene).is_none()
                && scene
                    .time("cached_due_date")
                    .is_some_and(|due| saved.is_some_and(|it| due < it))
        }
    };
    Some(is_missing.into())
}

/// Whether the grade is kept from the student: it was not posted.
fn muted(scene: ChangeContext<'_>) -> Option<Value> {
    Some(scene.time("posted_at").is_none().into())
}

/// No value: the field is in the published documents alone.
fn never(_: ChangeContext<'_>) -> Option<Value> {
    None
}

/// The points that the assignment was worth before, if it is told, else now.
fn old_points(scene: ChangeContext<'_>) -> Option<Value> {
    let before = scene.related("assignment_before");
    let assignment = before.or_else(|| scene.related("assignment"));
    assignment?.get("points_possible").cloned()
}

/// Ratings, those with the most points first.
fn ratings(scene: ChangeContext<'_>) -> Option<Value> {
    let given = scene.value("outcome_proficiency_ratings")?;
    let Value::Array(mut ratings) = given.clone() else {
        return Some(given.clone());
    };
    let points = |it: &Value| it.get("points").and_then(Value::as_f64).unwrap_or(0.0);
    ratings.sort_by(|one, other| points(other).total_cmp(&points(one)));
    Some(ratings.into())
}

fn override_group(scene: ChangeContext<'_>) -> Option<Value> {
    override_set(scene, "Group")
}

fn override_section(scene: ChangeContext<'_>) -> Option<Value> {
    override_set(scene, "CourseSection")
}

/// Whom an override is for, if it is for one of this kind.
fn override_set(scene: ChangeContext<'_>, kind: &str) -> Option<Value> {
    let set = scene.value("set_id");
    set.filter(|_| scene.text("set_type") == Some(kind))
        .cloned()
}

fn override_type(scene: ChangeContext<'_>) -> Option<Value> {
    scene.value("set_type").cloned()
}

/// The root account of an account: a root account is its own, and its column holds nothing.
fn root_account_id(scene: ChangeContext<'_>) -> Option<Value> {
    let column = scene.value("root_account_id");
    let above = column.filter(|it| id_of(it).is_none_or(|id| id.get() != 0));
    above.or_else(|| scene.value("id")).cloned()
}

/// When the work was handed in. A submission without a type was not, whatever its column holds; one
/// with a type and no time was when it was saved.
fn submitted_at(scene: ChangeContext<'_>) -> Option<Value> {
    if has_no_type(scene.get("submission_type")) {
        return Some(Value::Null);
    }
    let column = scene.get("submitted_at")?;
    let has_type = scene.value("submission_type").is_some();
    let saved = || scene.get("updated_at").filter(|_| has_type);
    Some(column)
        .filter(|it| !it.is_null())
        .or_else(saved)
        .or(Some(column))
        .cloned()
}

/// Whether a submission was not handed in: it has the column `submission_type`, and that is null.
fn has_no_type(submission_type: Option<&Value>) -> bool {
    submission_type == Some(&Value::Null)
}

/// The time of `submitted_at`.
fn submission_time(scene: ChangeContext<'_>) -> Option<Timestamp> {
    if has_no_type(scene.get("submission_type")) {
        return None;
    }
    scene.get("submitted_at")?;
    let has_type = scene.value("submission_type").is_some();
    let saved = || scene.time("updated_at").filter(|_| has_type);
    scene.time("submitted_at").or_else(saved)
}

/// The id that a value is.
pub(crate) fn id_of(value: &Value) -> Option<GlobalId> {
    match value {
        Value::Number(number) => number.as_u64().map(GlobalId::from),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The global id of a record of the shard the options name.
pub(crate) fn global(id: GlobalId, options: TriggerOptions) -> Option<GlobalId> {
    match id.shard() {
        0 => GlobalId::new(options.shard, id.local()).ok(),
        _ => Some(id),
    }
}
