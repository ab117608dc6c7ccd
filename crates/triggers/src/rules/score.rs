//! Scores: of a whole course, of a grading period or of an assignment group.

use crate::gate::{Gate, Need};
use crate::rule::{Fact, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Score", "course_grade_change")
        .behind(&[COURSE_SCORE, COMPUTED])
        .known_by(Fact::Call),
    TriggerRule::insert("Score", "grade_override")
        .behind(&[COURSE_SCORE, OVERRIDDEN])
        .known_by(Fact::Call),
    TriggerRule::insert("Score", "final_grade_custom_status")
        .behind(&[STATUS])
        .known_by(Fact::Call),
    TriggerRule::update("Score", "course_grade_change")
        .behind(&[COURSE_SCORE, COMPUTED])
        .allow_idle()
        .known_by(Fact::Call),
    TriggerRule::update("Score", "grade_override")
        .behind(&[COURSE_SCORE, OVERRIDDEN])
        .allow_idle()
        .known_by(Fact::Call),
    TriggerRule::update("Score", "final_grade_custom_status")
        .behind(&[STATUS])
        .allow_idle()
        .known_by(Fact::Call),
];

const COURSE_SCORE: Gate = Gate {
    opens: "it is the score of the whole course",
    closed: "it is the score of a grading period or an assignment group",
    needs: Some(Need::Truth("course_score")),
    is_open: |ctx| ctx.is_true("course_score"),
};

const OVERRIDDEN: Gate = Gate {
    opens: "override_score changed",
    closed: "override_score did not change",
    needs: None,
    is_open: |ctx| ctx.changed("override_score"),
};

const COMPUTED: Gate = Gate {
    opens: "current_score, final_score, unposted_current_score or unposted_final_score changed",
    closed: "none of the four scores changed",
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
    opens: "custom_grade_status_id changed",
    closed: "custom_grade_status_id did not change",
    needs: None,
    is_open: |ctx| ctx.changed("custom_grade_status_id"),
};
