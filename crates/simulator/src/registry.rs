//! The records that can still change, as they are.

use std::collections::HashMap;

use serde_json::Value;

/// The types of records that are changed after they were made.
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

/// The records that can still change, as they are: as JSON, which takes little room.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    rows: HashMap<(&'static str, u64), Box<str>>,
}

impl Registry {
    /// Keeps a record, if it is of a type that can change.
    pub(crate) fn keep(&mut self, kind: &str, columns: &Value) {
        let kind = CHANGEABLE.iter().find(|it| **it == kind);
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

    /// A record as it is.
    pub(crate) fn get(&self, kind: &'static str, id: u64) -> Option<Value> {
        let columns = self.rows.get(&(kind, id))?;
        serde_json::from_str(columns).ok()
    }

    /// Forgets a record, and tells how it was.
    pub(crate) fn remove(&mut self, kind: &'static str, id: u64) -> Option<Value> {
        let columns = self.rows.remove(&(kind, id))?;
        serde_json::from_str(&columns).ok()
    }
}
