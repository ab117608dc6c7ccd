//! Scores of a whole course, or of a part of one.

use crate::gate::{Gate, Need};
use crate::rule::{Fact, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Score", "course_grade_change")
        .behind(&[OF_COURSE, COMPUTED])
        .known_by(Fact::Call),
    TriggerRule::insert("Score", "grade_override")
        .behind(&[OF_COURSE, OVERRIDDEN])
        .known_by(Fact::Call),
    TriggerRule::insert("Score", "final_grade_custom_status")
        .behind(&[STATUS])
        .known_by(Fact::Call),
    TriggerRule::update("Score", "course_grade_change")
        .behind(&[OF_COURSE, COMPUTED])
        .even_idle()
        .known_by(Fact::Call),
    TriggerRule::update("Score", "grade_override")
        .behind(&[OF_COURSE, OVERRIDDEN])
        .even_idle()
        .known_by(Fact::Call),
    TriggerRule::update("Score", "final_grade_custom_status")
        .behind(&[STATUS])
        .even_idle()
        .known_by(Fact::Call),
];

const OF_COURSE: Gate = Gate {
    opens: "it is the score of the course",
    closed: "it is the score of a grading period or an assignment group",
    needs: Some(Need::Truth("course_score")),
    is_open: |scene| scene.is_true("course_score"),
};

const OVERRIDDEN: Gate = Gate {
    opens: "override_score differs from before",
    closed: "override_score is as before",
    needs: None,
    is_open: |scene| scene.changed("override_score"),
};

const COMPUTED: Gate = Gate {
    opens: "current_score, final_score, unposted_current_score or unposted_final_score differs from before",
    closed: "all four scores are as before",
    needs: None,
    is_open: |scene| {
        scene.changed_any(&[
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
    is_open: |scene| scene.changed("custom_grade_status_id"),
};
