//! Work that is handed in, graded and talked about.

use crate::change_context::ChangeContext;
use crate::gate::{Gate, Need};
use crate::options::SubmissionRule;
use crate::row::is_same;
use crate::rule::{Fact, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    // A call does not wait for the save to be committed, as callbacks do.
    TriggerRule::insert("Submission", "grade_change")
        .behind(&[GRADED])
        .known_by(Fact::Call),
    TriggerRule::insert("Submission", "submission_created").behind(&[HANDED_IN, OF_A_TYPE]),
    TriggerRule::update("Submission", "grade_change")
        .behind(&[GRADED])
        .even_idle()
        .known_by(Fact::Call),
    TriggerRule::update("Submission", "submission_created")
        .behind(&[HANDED_IN, OF_A_TYPE, JUST_NOW]),
    TriggerRule::update("Submission", "submission_updated")
        .behind(&[UPDATED])
        .or_else(),
    TriggerRule::update("Submission", "submission_custom_grade_status")
        .behind(&[STATUS])
        .known_by(Fact::Newest),
    TriggerRule::insert("SubmissionComment", "submission_comment_created"),
    TriggerRule::act("plagiarism_resubmit", "plagiarism_resubmit"),
];

const HANDED_IN: Gate = Gate {
    opens: "its state is submitted or pending_review; by the rule `published`, whatever its state",
    closed: "its state is neither submitted nor pending_review",
    needs: Some(Need::Column("workflow_state")),
    is_open: |scene| {
        let state = scene.text("workflow_state");
        is_published(scene) || matches!(state, Some("submitted" | "pending_review"))
    },
};

const OF_A_TYPE: Gate = Gate {
    opens: "it has a submission_type; by the rule `published`, with or without",
    closed: "it has no submission_type",
    needs: Some(Need::Column("submission_type")),
    is_open: |scene| is_published(scene) || scene.value("submission_type").is_some(),
};

const JUST_NOW: Gate = Gate {
    opens: "workflow_state or attempt changed; by the rule `published`, it had no submitted_at before",
    closed: "neither workflow_state nor attempt changed; by the rule `published`, it had a submitted_at before",
    needs: Some(Need::Column("attempt")),
    is_open: |scene| {
        if is_published(scene) {
            scene.before("submitted_at").is_none()
        } else {
            scene.changed_any(&["workflow_state", "attempt"])
        }
    },
};

const UPDATED: Gate = Gate {
    opens: "its state is not unsubmitted; by the rule `published`, always",
    closed: "its state is unsubmitted",
    needs: Some(Need::Column("workflow_state")),
    is_open: |scene| is_published(scene) || scene.text("workflow_state") != Some("unsubmitted"),
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

/// Whether submissions are told by the rule of the older documents.
fn is_published(scene: ChangeContext<'_>) -> bool {
    scene.options.submission_rule == SubmissionRule::Published
}

/// Whether the submission is saved again because its assignment counts otherwise now.
fn assignment_differs(scene: ChangeContext<'_>) -> bool {
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
