//! The columns of new rows.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::to_column;
use crate::campus::{Campus, Course, OutcomeIds, User};

/// Returns a row with the members of a JSON object as columns.
pub(crate) fn row(columns: Value) -> Row {
    match columns {
        Value::Object(columns) => Row(columns),
        _ => Row::default(),
    }
}

/// Returns `columns` with `others` added. A column in `others` replaces one of the same name.
pub(crate) fn merged(mut columns: Value, others: Value) -> Value {
    if let (Value::Object(columns), Value::Object(others)) = (&mut columns, others) {
        columns.extend(others);
    }
    columns
}

impl Campus {
    /// Returns the id of the root account.
    pub(crate) fn root_account_id(&self) -> Option<u64> {
        self.accounts.first().map(|account| account.id)
    }

    /// Returns a course as a related row.
    pub(crate) fn related_course(&self, course: &Course) -> (&'static str, Row) {
        let columns = json!({
            "id": course.id,
            "account_id": self.accounts.get(course.account).map(|account| account.id),
            "sis_source_id": course.sis_id,
            "uuid": course.uuid,
        });
        ("course", row(columns))
    }

    /// Returns the root account as a related row.
    pub(crate) fn related_root_account(&self) -> (&'static str, Row) {
        ("root_account", self.root_account_row())
    }
}

/// Returns the login of a user as a related row.
pub(crate) fn related_pseudonym(user: &User, account: Option<u64>) -> (&'static str, Row) {
    let columns = json!({
        "user_id": user.id,
        "unique_id": user.login,
        "sis_user_id": user.sis_id,
        "account_id": account,
    });
    ("pseudonym", row(columns))
}

/// Adds the columns that all content of a course has. `columns` can replace them.
pub(crate) fn in_course(course: u64, id: u64, columns: Value) -> Value {
    let common = json!({
        "id": id,
        "context_id": course,
        "context_type": "Course",
        "workflow_state": "active",
    });
    merged(common, columns)
}

pub(crate) fn outcome(outcome_ids: OutcomeIds, account: Option<u64>, at: Timestamp) -> Value {
    let title = "Explains how a result came about";
    json!({
        "id": outcome_ids.id,
        "context_id": account,
        "context_type": "Account",
        "short_description": title,
        "description": "<p>Explains which steps led to a result.</p>",
        "display_name": null,
        "vendor_guid": null,
        "calculation_method": "decaying_average",
        "calculation_int": 65,
        "workflow_state": "active",
        "rubric_criterion": {
            "description": title,
            "mastery_points": 3,
            "points_possible": 5,
            "ratings": [
                { "description": "Exceeds", "points": 5 },
                { "description": "Meets", "points": 3 },
                { "description": "Does not meet", "points": 0 },
            ],
        },
        "updated_at": to_column(at),
    })
}

pub(crate) fn outcome_group(outcome_ids: OutcomeIds, account: Option<u64>, at: Timestamp) -> Value {
    json!({
        "id": outcome_ids.group,
        "context_id": account,
        "context_type": "Account",
        "title": "Scientific method",
        "description": null,
        "learning_outcome_group_id": null,
        "vendor_guid": null,
        "workflow_state": "active",
        "updated_at": to_column(at),
    })
}

pub(crate) fn proficiency(outcome_ids: OutcomeIds, account: Option<u64>, at: Timestamp) -> Value {
    json!({
        "id": outcome_ids.proficiency,
        "context_id": account,
        "context_type": "Account",
        "workflow_state": "active",
        "outcome_proficiency_ratings": ratings(outcome_ids, "Mastered"),
        "updated_at": to_column(at),
    })
}

/// Returns the proficiency ratings of the campus. `best_name` is the name of the best rating.
pub(crate) fn ratings(outcome_ids: OutcomeIds, best_name: &str) -> Value {
    let rating = |id: u64, description: &str, points: u32, mastery: bool| {
        json!({
            "id": id,
            "description": description,
            "points": points,
            "mastery": mastery,
            "color": "127a1b",
            "workflow_state": "active",
        })
    };
    let [best_id, other_id] = outcome_ids.ratings;
    json!([
        rating(best_id, best_name, 3, true),
        rating(other_id, "On the way", 1, false),
    ])
}
