//! The columns of records, as they are inserted.

use easel_triggers::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::column;
use crate::campus::{Campus, Course, Outcomes, User};

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
    /// The root account, by its id.
    pub(crate) fn root(&self) -> Option<u64> {
        self.accounts.first().map(|it| it.id)
    }

    /// A course as a record that goes with others.
    pub(crate) fn of_course(&self, course: &Course) -> (&'static str, Row) {
        let columns = json!({
            "id": course.id,
            "account_id": self.accounts.get(course.account).map(|it| it.id),
            "sis_source_id": course.sis_id,
            "uuid": course.uuid,
        });
        ("course", row(columns))
    }

    /// The root account as a record that goes with others.
    pub(crate) fn of_root_account(&self) -> (&'static str, Row) {
        ("root_account", self.root_account())
    }
}

/// The login of a user as a record that goes with others.
pub(crate) fn pseudonym(it: &User, account: Option<u64>) -> (&'static str, Row) {
    let columns = json!({
        "user_id": it.id,
        "unique_id": it.login,
        "sis_user_id": it.sis_id,
        "account_id": account,
    });
    ("pseudonym", row(columns))
}

/// What belongs to a course, and is the same for all that does.
pub(crate) fn in_course(course: u64, id: u64, columns: Value) -> Value {
    let common = json!({
        "id": id,
        "context_id": course,
        "context_type": "Course",
        "workflow_state": "active",
    });
    merged(common, columns)
}

pub(crate) fn outcome(it: Outcomes, account: Option<u64>, at: Timestamp) -> Value {
    let title = "Explains how a result came about";
    json!({
        "id": it.id,
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
        "updated_at": column(at),
    })
}

pub(crate) fn outcome_group(it: Outcomes, account: Option<u64>, at: Timestamp) -> Value {
    json!({
        "id": it.group,
        "context_id": account,
        "context_type": "Account",
        "title": "Scientific method",
        "description": null,
        "learning_outcome_group_id": null,
        "vendor_guid": null,
        "workflow_state": "active",
        "updated_at": column(at),
    })
}

pub(crate) fn proficiency(it: Outcomes, account: Option<u64>, at: Timestamp) -> Value {
    json!({
        "id": it.proficiency,
        "context_id": account,
        "context_type": "Account",
        "workflow_state": "active",
        "outcome_proficiency_ratings": ratings(it, "Mastered"),
        "updated_at": column(at),
    })
}

/// The ratings of the campus, the best of which is called so.
pub(crate) fn ratings(it: Outcomes, best: &str) -> Value {
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
    let [best_id, other_id] = it.ratings;
    json!([
        rating(best_id, best, 3, true),
        rating(other_id, "On the way", 1, false),
    ])
}
