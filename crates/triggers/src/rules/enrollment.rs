//! Enrollments, and the state that is worked out for each.

use crate::gate::Gate;
use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("Enrollment", "enrollment_created"),
    Rule::update("Enrollment", "enrollment_updated"),
    Rule::insert("EnrollmentState", "enrollment_state_created"),
    Rule::update("EnrollmentState", "enrollment_state_updated").behind(&[STATE]),
];

const STATE: Gate = Gate {
    opens: "something besides state_is_current, lock_version and access_is_current changed",
    closed: "only state_is_current, lock_version or access_is_current changed",
    needs: None,
    is_open: |scene| {
        scene.changed_besides(&["state_is_current", "lock_version", "access_is_current"])
    },
};
