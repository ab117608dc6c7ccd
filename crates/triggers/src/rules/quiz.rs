//! Classic quizzes, and what New Quizzes is told.

use crate::rule::{Fact, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule::insert("Quizzes::Quiz", "quiz_created").known_by(Fact::Published),
    Rule::update("Quizzes::Quiz", "quiz_updated").known_by(Fact::Published),
    Rule::act("quiz_submitted", "quiz_submitted"),
    Rule::act("quiz_extension_created", "quiz_extension_created").known_by(Fact::Proposed),
    Rule::act(
        "quizzes_next_quiz_duplicated",
        "quizzes_next_quiz_duplicated",
    ),
    Rule::act(
        "quizzes_next_migration_urls_complete",
        "quizzes_next_migration_urls_complete",
    ),
    Rule::act(
        "outcomes.retry_outcome_alignment_clone",
        "outcomes.retry_outcome_alignment_clone",
    ),
    Rule::act("scan_youtube_links", "scan_youtube_links"),
    Rule::act(
        "convert_new_quiz_youtube_link",
        "convert_new_quiz_youtube_link",
    ),
];
