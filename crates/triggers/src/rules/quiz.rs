//! Classic quizzes, and the events for New Quizzes.

use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Quizzes::Quiz", "quiz_created").known_by(Evidence::Published),
    TriggerRule::update("Quizzes::Quiz", "quiz_updated").known_by(Evidence::Published),
    TriggerRule::act("quiz_submitted", "quiz_submitted"),
    TriggerRule::act("quiz_extension_created", "quiz_extension_created")
        .known_by(Evidence::Proposed),
    TriggerRule::act(
        "quizzes_next_quiz_duplicated",
        "quizzes_next_quiz_duplicated",
    ),
    TriggerRule::act(
        "quizzes_next_migration_urls_complete",
        "quizzes_next_migration_urls_complete",
    ),
    TriggerRule::act(
        "outcomes.retry_outcome_alignment_clone",
        "outcomes.retry_outcome_alignment_clone",
    ),
    TriggerRule::act("scan_youtube_links", "scan_youtube_links"),
    TriggerRule::act(
        "convert_new_quiz_youtube_link",
        "convert_new_quiz_youtube_link",
    ),
];
