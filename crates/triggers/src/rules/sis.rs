//! Imports from a student information system.

use crate::gate::Gate;
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("SisBatch", "sis_batch_created"),
    TriggerRule::update("SisBatch", "sis_batch_updated").with_gates(&[STATE]),
];

const STATE: Gate = Gate {
    condition: "workflow_state changed",
    closed_text: "workflow_state did not change",
    needs: None,
    is_open: |ctx| ctx.changed("workflow_state"),
};
