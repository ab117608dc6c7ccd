//! Work that is handed in, graded and talked about.

use crate::gate::Gate;
use crate::options::SubmissionRule;
use crate::row::is_same;
use crate::rule::{Fact, Rule};
use crate::scene::Scene;

pub(super) const RULES: &[Rule] = &[
    // A call does not wait for the save to be committed, as callbacks do.
    Rule::insert("Submission", "grade_change")
        .behind(&[GRADED])
        .known_by(Fact::Call),
    Rule::insert("Submission", "submission_created").behind(&[CREATED]),
    Rule::update("Submission", "grade_change")
        .behind(&[GRADED])
        .even_idle()
        .known_by(Fact::Call),
    Rule::update("Submission", "submission_created").behind(&[CREATED]),
    Rule::update("Submission", "submission_updated")
        .behind(&[UPDATED])
        .or_else(),
    Rule::update("Submission", "submission_custom_grade_status")
        .behind(&[STATUS])
        .known_by(Fact::Newest),
    Rule::insert("SubmissionComment", "submission_comment_created"),
    Rule::act("plagiarism_resubmit", "plagiarism_resubmit"),
];

const CREATED: Gate = Gate {
    opens: "the save sets or moves submitted_at; by the rule `published`, its row is new or was not handed in before",
    closed: "the save does not hand work in; by the rule `published`, it was handed in before",
    needs: None,
    is_open: |scene| match scene.options.submission_rule {
        SubmissionRule::Newest => hands_in(scene),
        SubmissionRule::Published => scene.before("submitted_at").is_none(),
    },
};

const UPDATED: Gate = Gate {
    opens: "its state is not unsubmitted; by the rule `published`, always",
    closed: "its state is unsubmitted",
    needs: None,
    is_open: |scene| {
        scene.options.submission_rule == SubmissionRule::Published
            || scene.text("workflow_state") != Some("unsubmitted")
    },
};

const STATUS: Gate = Gate {
    opens: "custom_grade_status_id changed",
    closed: "custom_grade_status_id did not change",
    needs: None,
    is_open: |scene| scene.changed("custom_grade_status_id"),
};

const GRADED: Gate = Gate {
    opens: "grade, score, excused or posted_at changed, workflow_state became graded, or the points or grading type of its assignment changed",
    closed: "nothing of its grade changed",
    needs: None,
    is_open: |scene| {
        scene.changed_any(&["grade", "score", "posted_at"])
            // Not to be excused is what null means, too.
            || scene.is_true("excused") != scene.was_true("excused")
            || scene.became("workflow_state", "graded")
            || assignment_differs(scene)
    },
};

/// Whether the save sets or moves the time of handing in.
fn hands_in(scene: Scene<'_>) -> bool {
    scene.value("submitted_at").is_some() && scene.changed("submitted_at")
}

/// Whether the submission is saved again because its assignment counts otherwise now.
fn assignment_differs(scene: Scene<'_>) -> bool {
    let (Some(now), Some(before)) = (
        scene.related("assignment"),
        scene.related("assignment_before"),
    ) else {
        return false;
    };
    let differs = |column: &&str| match (now.get(column), before.get(column)) {
        (Some(now), Some(before)) => !is_same(column, Some(now), Some(before)),
        // What one of them does not tell is not known to differ.
        _ => false,
    };
    ["points_possible", "grading_type"].iter().any(differs)
}
