//! Imports from a student information system.

use crate::gate::Gate;
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("SisBatch", "sis_batch_created"),
    TriggerRule::update("SisBatch", "sis_batch_updated").behind(&[STATE]),
];

const STATE: Gate = Gate {
    opens: "workflow_state changed",
    closed: "workflow_state did not change",
    needs: None,
    is_open: |ctx| ctx.changed("workflow_state"),
};
