//! Outcomes: what is to be learned, how it is measured, and what came of it.

use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("LearningOutcome", "learning_outcome_created"),
    TriggerRule::update("LearningOutcome", "learning_outcome_updated"),
    TriggerRule::insert("LearningOutcomeGroup", "learning_outcome_group_created"),
    TriggerRule::update("LearningOutcomeGroup", "learning_outcome_group_updated"),
    TriggerRule::insert("LearningOutcomeResult", "learning_outcome_result_created"),
    TriggerRule::update("LearningOutcomeResult", "learning_outcome_result_updated"),
    TriggerRule::insert(
        "OutcomeCalculationMethod",
        "outcome_calculation_method_created",
    ),
    TriggerRule::update(
        "OutcomeCalculationMethod",
        "outcome_calculation_method_updated",
    ),
    TriggerRule::insert(
        "OutcomeFriendlyDescription",
        "outcome_friendly_description_created",
    ),
    TriggerRule::update(
        "OutcomeFriendlyDescription",
        "outcome_friendly_description_updated",
    ),
    // A change of its ratings leaves the row itself as it was.
    TriggerRule::insert("OutcomeProficiency", "outcome_proficiency_created"),
    TriggerRule::update("OutcomeProficiency", "outcome_proficiency_updated").even_idle(),
];
