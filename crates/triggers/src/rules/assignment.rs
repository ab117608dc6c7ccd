//! Assignments, their groups and their overrides.

use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Assignment", "assignment_created"),
    TriggerRule::update("Assignment", "assignment_updated"),
    TriggerRule::insert("AssignmentGroup", "assignment_group_created"),
    TriggerRule::update("AssignmentGroup", "assignment_group_updated"),
    TriggerRule::insert("AssignmentOverride", "assignment_override_created"),
    TriggerRule::update("AssignmentOverride", "assignment_override_updated"),
];
