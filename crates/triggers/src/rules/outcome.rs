//! Learning outcomes, their calculation methods and their results.

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
    // A change of the ratings does not change the row itself.
    TriggerRule::insert("OutcomeProficiency", "outcome_proficiency_created"),
    TriggerRule::update("OutcomeProficiency", "outcome_proficiency_updated").allow_idle(),
];
