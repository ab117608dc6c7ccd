//! Values that are worked out of more than one column, or of one that means something else.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all rules have one type, and some always have a value"
)]

use easel_catalog::{GlobalId, MAX_TEXT_CHARS, cut_text};
use serde_json::Value;

use crate::options::Options;
use crate::scene::Scene;

/// Works a value out; none where what it is made of is not given.
type Work = fn(Scene<'_>) -> Option<Value>;

/// Every rule: the name that data files have, what it takes, and how.
const RULES: [(&str, &str, Work); 21] = [
    (
        "assessed_attempt",
        "`attempt` of the related `submission`, where `artifact_type` is Submission",
        assessed_attempt,
    ),
    (
        "associated_asset_id",
        "`association_id` of the related `rubric_association` for a result of a rubric that is not deleted, else `associated_asset_id`",
        associated_asset_id,
    ),
    (
        "associated_asset_type",
        "the same of `association_type` and `associated_asset_type`",
        associated_asset_type,
    ),
    (
        "associated_user",
        "`associated_user_id`, where `type` is ObserverEnrollment",
        associated_user,
    ),
    (
        "default_restrictions",
        "`default_restrictions_by_type` where `use_default_restrictions_by_type`, else `default_restrictions`",
        default_restrictions,
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
        "`late`, else by `late_policy_status`, else whether `submitted_at` is after `cached_due_date`",
        late,
    ),
    (
        "lti_description",
        "`description`, cut as that is",
        lti_description,
    ),
    (
        "missing",
        "`missing`, else by `late_policy_status`, else whether `cached_due_date` is before `updated_at` and there is no `submitted_at`",
        missing,
    ),
    ("muted", "whether there is no `posted_at`", muted),
    (
        "old_points",
        "`points_possible` of the related `assignment_before`, else of `assignment`",
        old_points,
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
        "ratings",
        "`outcome_proficiency_ratings`, those with the most points first",
        ratings,
    ),
    (
        "root_account_id",
        "`root_account_id`, else `id`: a root account is its own",
        root_account_id,
    ),
];

/// The rule of this name.
pub(crate) fn rule(name: &str) -> Option<Work> {
    let rule = RULES.iter().find(|(known, ..)| *known == name);
    rule.map(|(_, _, work)| *work)
}

/// Every rule by its name, and what it takes.
pub(crate) fn explained() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.iter().map(|(name, takes, _)| (*name, *takes))
}

/// The attempt of the submission that was assessed; none of anything else.
fn assessed_attempt(scene: Scene<'_>) -> Option<Value> {
    let submission = scene.related("submission");
    match scene.text("artifact_type") {
        Some("Submission") => submission?.get("attempt").cloned(),
        _ => Some(Value::Null),
    }
}

fn associated_asset_id(scene: Scene<'_>) -> Option<Value> {
    associated_asset(scene, "association_id", "associated_asset_id")
}

fn associated_asset_type(scene: Scene<'_>) -> Option<Value> {
    associated_asset(scene, "association_type", "associated_asset_type")
}

/// What the assessed work was done for: of a rubric, what that is used with.
fn associated_asset(scene: Scene<'_>, of_rubric: &str, own: &str) -> Option<Value> {
    let is_of_rubric = scene.text("artifact_type") == Some("RubricAssessment")
        && scene.text("workflow_state") != Some("deleted");
    let association = scene.related("rubric_association").filter(|_| is_of_rubric);
    let told = association.and_then(|row| row.get(of_rubric));
    told.or_else(|| scene.get(own)).cloned()
}

/// Whom an observer observes. In other enrollments the column means nothing.
fn associated_user(scene: Scene<'_>) -> Option<Value> {
    let is_observer = scene.text("type") == Some("ObserverEnrollment");
    let associated = scene.value("associated_user_id");
    associated.filter(|_| is_observer).cloned()
}

/// The restrictions of a blueprint: those by type where these are in use.
fn default_restrictions(scene: Scene<'_>) -> Option<Value> {
    let column = if scene.is_true("use_default_restrictions_by_type") {
        "default_restrictions_by_type"
    } else {
        "default_restrictions"
    };
    scene.value(column).cloned()
}

/// The name that New Quizzes knows an export by.
fn export_name(scene: Scene<'_>) -> Option<Value> {
    let id = scene.value("id").and_then(id_of)?;
    let id = global(id, scene.options)?;
    Some(format!("content-export-{id}").into())
}

/// Who graded. What grades by itself has a number below zero.
fn grader(scene: Scene<'_>) -> Option<Value> {
    let grader = scene.value("grader_id");
    let is_somebody = |it: &&Value| match it {
        Value::String(text) => !text.starts_with('-'),
        number => number.as_i64().is_none_or(|id| id > 0),
    };
    Some(grader.filter(is_somebody).cloned().unwrap_or_default())
}

/// Whether the submission is in the state in which its grade is whole.
fn grading_complete(scene: Scene<'_>) -> Option<Value> {
    scene.get("workflow_state")?;
    Some((scene.text("workflow_state") == Some("graded")).into())
}

/// Whether a quiz asks for a code, which is not told.
fn has_access_code(scene: Scene<'_>) -> Option<Value> {
    let code = scene.text("access_code");
    Some(code.is_some_and(|code| !code.is_empty()).into())
}

/// Whether the user has any administrator role in the root account.
fn is_admin(scene: Scene<'_>) -> Option<Value> {
    let told = scene.value("is_admin").cloned();
    told.or_else(|| Some(scene.related("account_user").is_some().into()))
}

/// Whether a topic is an announcement, which is a type of its own.
fn is_announcement(scene: Scene<'_>) -> Option<Value> {
    Some((scene.text("type") == Some("Announcement")).into())
}

/// Whether work came after it was due, unless somebody decided.
fn late(scene: Scene<'_>) -> Option<Value> {
    if let Some(told) = scene.value("late") {
        return Some(told.clone());
    }
    let is_late = match scene.text("late_policy_status") {
        Some(status) => status == "late",
        None => match (scene.time("submitted_at"), scene.time("cached_due_date")) {
            (Some(submitted), Some(due)) => submitted > due,
            _ => false,
        },
    };
    Some(is_late.into())
}

/// The description of an assignment as LTI tools get it, cut as the description itself is.
fn lti_description(scene: Scene<'_>) -> Option<Value> {
    let description = scene.text("description")?;
    Some(cut_text(description, MAX_TEXT_CHARS).into())
}

/// Whether nothing was handed in and it was due before the row was saved, unless somebody decided.
fn missing(scene: Scene<'_>) -> Option<Value> {
    if let Some(told) = scene.value("missing") {
        return Some(told.clone());
    }
    let is_missing = match scene.text("late_policy_status") {
        Some(status) => status == "missing",
        None => {
            let saved = scene.time("updated_at");
            scene.time("submitted_at").is_none()
                && scene
                    .time("cached_due_date")
                    .is_some_and(|due| saved.is_some_and(|it| due < it))
        }
    };
    Some(is_missing.into())
}

/// Whether the grade is kept from the student: it was not posted.
fn muted(scene: Scene<'_>) -> Option<Value> {
    Some(scene.time("posted_at").is_none().into())
}

/// The points that the assignment was worth before, if it is told, else now.
fn old_points(scene: Scene<'_>) -> Option<Value> {
    let before = scene.related("assignment_before");
    let assignment = before.or_else(|| scene.related("assignment"));
    assignment?.get("points_possible").cloned()
}

/// Ratings, those with the most points first.
fn ratings(scene: Scene<'_>) -> Option<Value> {
    let given = scene.value("outcome_proficiency_ratings")?;
    let Value::Array(mut ratings) = given.clone() else {
        return Some(given.clone());
    };
    let points = |it: &Value| it.get("points").and_then(Value::as_f64).unwrap_or(0.0);
    ratings.sort_by(|one, other| points(other).total_cmp(&points(one)));
    Some(ratings.into())
}

fn override_group(scene: Scene<'_>) -> Option<Value> {
    override_set(scene, "Group")
}

fn override_section(scene: Scene<'_>) -> Option<Value> {
    override_set(scene, "CourseSection")
}

/// Whom an override is for, if it is for one of this kind.
fn override_set(scene: Scene<'_>, kind: &str) -> Option<Value> {
    let set = scene.value("set_id");
    set.filter(|_| scene.text("set_type") == Some(kind))
        .cloned()
}

fn override_type(scene: Scene<'_>) -> Option<Value> {
    scene.value("set_type").cloned()
}

/// The root account of an account: a root account is its own, and its column holds nothing.
fn root_account_id(scene: Scene<'_>) -> Option<Value> {
    let column = scene.value("root_account_id");
    let above = column.filter(|it| id_of(it).is_none_or(|id| id.get() != 0));
    above.or_else(|| scene.value("id")).cloned()
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
pub(crate) fn global(id: GlobalId, options: Options) -> Option<GlobalId> {
    match id.shard() {
        0 => GlobalId::new(options.shard, id.local()).ok(),
        _ => Some(id),
    }
}
