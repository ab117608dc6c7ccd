//! Enrollments, and the computed state of each enrollment.

use crate::gate::Gate;
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Enrollment", "enrollment_created"),
    TriggerRule::update("Enrollment", "enrollment_updated"),
    TriggerRule::insert("EnrollmentState", "enrollment_state_created"),
    TriggerRule::update("EnrollmentState", "enrollment_state_updated").with_gates(&[STATE]),
];

const STATE: Gate = Gate {
    condition: "a column other than state_is_current, lock_version and access_is_current changed",
    closed_text: "only state_is_current, lock_version or access_is_current changed",
    needs: None,
    is_open: |ctx| ctx.changed_besides(&["state_is_current", "lock_version", "access_is_current"]),
};
