//! Outcomes: what is to be learned, how it is measured, and what came of it.

use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("LearningOutcome", "learning_outcome_created"),
    Rule::update("LearningOutcome", "learning_outcome_updated"),
    Rule::insert("LearningOutcomeGroup", "learning_outcome_group_created"),
    Rule::update("LearningOutcomeGroup", "learning_outcome_group_updated"),
    Rule::insert("LearningOutcomeResult", "learning_outcome_result_created"),
    Rule::update("LearningOutcomeResult", "learning_outcome_result_updated"),
    Rule::insert(
        "OutcomeCalculationMethod",
        "outcome_calculation_method_created",
    ),
    Rule::update(
        "OutcomeCalculationMethod",
        "outcome_calculation_method_updated",
    ),
    Rule::insert(
        "OutcomeFriendlyDescription",
        "outcome_friendly_description_created",
    ),
    Rule::update(
        "OutcomeFriendlyDescription",
        "outcome_friendly_description_updated",
    ),
    // A change of its ratings leaves the row itself as it was.
    Rule::insert("OutcomeProficiency", "outcome_proficiency_created"),
    Rule::update("OutcomeProficiency", "outcome_proficiency_updated").even_idle(),
];
