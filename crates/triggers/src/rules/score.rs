//! Scores: of a whole course, of a grading period or of an assignment group.

use crate::gate::{Gate, Need};
use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Score", "course_grade_change")
        .with_gates(&[COURSE_SCORE, COMPUTED])
        .known_by(Evidence::Call),
    TriggerRule::insert("Score", "grade_override")
        .with_gates(&[COURSE_SCORE, OVERRIDDEN])
        .known_by(Evidence::Call),
    TriggerRule::insert("Score", "final_grade_custom_status")
        .with_gates(&[STATUS])
        .known_by(Evidence::Call),
    TriggerRule::update("Score", "course_grade_change")
        .with_gates(&[COURSE_SCORE, COMPUTED])
        .allow_idle()
        .known_by(Evidence::Call),
    TriggerRule::update("Score", "grade_override")
        .with_gates(&[COURSE_SCORE, OVERRIDDEN])
        .allow_idle()
        .known_by(Evidence::Call),
    TriggerRule::update("Score", "final_grade_custom_status")
        .with_gates(&[STATUS])
        .allow_idle()
        .known_by(Evidence::Call),
];

const COURSE_SCORE: Gate = Gate {
    condition: "it is the score of the whole course",
    closed_text: "it is the score of a grading period or an assignment group",
    needs: Some(Need::Boolean("course_score")),
    is_open: |ctx| ctx.is_true("course_score"),
};

const OVERRIDDEN: Gate = Gate {
    condition: "override_score changed",
    closed_text: "override_score did not change",
    needs: None,
    is_open: |ctx| ctx.changed("override_score"),
};

const COMPUTED: Gate = Gate {
    condition: "current_score, final_score, unposted_current_score or unposted_final_score changed",
    closed_text: "none of the four scores changed",
    needs: None,
    is_open: |ctx| {
        ctx.changed_any(&[
            "current_score",
            "final_score",
            "unposted_current_score",
            "unposted_final_score",
        ])
    },
};

const STATUS: Gate = Gate {
    condition: "custom_grade_status_id changed",
    closed_text: "custom_grade_status_id did not change",
    needs: None,
    is_open: |ctx| ctx.changed("custom_grade_status_id"),
};
