//! The current columns of the rows that can still change.

use std::collections::HashMap;

use serde_json::Value;

/// The types of rows that can change after their insertion.
const CHANGEABLE: [&str; 22] = [
    "Assignment",
    "AssignmentGroup",
    "AssignmentOverride",
    "Attachment",
    "ContentTag",
    "ContextModule",
    "Course",
    "CourseSection",
    "DiscussionTopic",
    "Enrollment",
    "EnrollmentState",
    "Group",
    "GroupMembership",
    "LearningOutcome",
    "LearningOutcomeGroup",
    "LearningOutcomeResult",
    "OutcomeProficiency",
    "Quizzes::Quiz",
    "Score",
    "SisBatch",
    "Submission",
    "WikiPage",
];

/// The current columns of the rows that can still change, as JSON to save memory.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    rows: HashMap<(&'static str, u64), Box<str>>,
}

impl Registry {
    /// Stores a row, if its type can change.
    pub(crate) fn store(&mut self, kind: &str, columns: &Value) {
        let kind = CHANGEABLE.iter().find(|known| **known == kind);
        let key = if kind == Some(&"EnrollmentState") {
            "enrollment_id"
        } else {
            "id"
        };
        let id = columns.get(key).and_then(Value::as_u64);
        if let (Some(kind), Some(id)) = (kind, id) {
            self.rows
                .insert((kind, id), columns.to_string().into_boxed_str());
        }
    }

    /// Returns the current columns of a row.
    pub(crate) fn get(&self, kind: &'static str, id: u64) -> Option<Value> {
        let columns = self.rows.get(&(kind, id))?;
        serde_json::from_str(columns).ok()
    }

    /// Removes a row and returns its last columns.
    pub(crate) fn remove(&mut self, kind: &'static str, id: u64) -> Option<Value> {
        let columns = self.rows.remove(&(kind, id))?;
        serde_json::from_str(&columns).ok()
    }
}
