//! Assessments with rubrics.

use crate::gate::{Gate, Need};
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("RubricAssessment", "rubric_assessed").with_gates(&[IN_USE]),
    TriggerRule::update("RubricAssessment", "rubric_assessed")
        .with_gates(&[IN_USE])
        .allow_idle(),
];

const IN_USE: Gate = Gate {
    condition: "its rubric association is active",
    closed_text: "its rubric association is not active",
    needs: Some(Need::Related("rubric_association")),
    is_open: |ctx| {
        let association = ctx.related("rubric_association");
        association.is_some_and(|association| association.text("workflow_state") == Some("active"))
    },
};
