//! Assignments, their groups and their overrides.

use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("Assignment", "assignment_created"),
    Rule::update("Assignment", "assignment_updated"),
    Rule::insert("AssignmentGroup", "assignment_group_created"),
    Rule::update("AssignmentGroup", "assignment_group_updated"),
    Rule::insert("AssignmentOverride", "assignment_override_created"),
    Rule::update("AssignmentOverride", "assignment_override_updated"),
];
