//! Submissions, their grades and their comments.

use crate::change_context::ChangeContext;
use crate::gate::{Gate, Need};
use crate::options::SubmissionRule;
use crate::row::is_same;
use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    // A call sends its event before the commit, so before the callbacks.
    TriggerRule::insert("Submission", "grade_change")
        .with_gates(&[GRADED])
        .known_by(Evidence::Call),
    TriggerRule::insert("Submission", "submission_created").with_gates(&[SUBMITTED, HAS_TYPE]),
    TriggerRule::update("Submission", "grade_change")
        .with_gates(&[GRADED])
        .allow_idle()
        .known_by(Evidence::Call),
    TriggerRule::update("Submission", "submission_created").with_gates(&[
        SUBMITTED,
        HAS_TYPE,
        NEW_ATTEMPT,
    ]),
    TriggerRule::update("Submission", "submission_updated")
        .with_gates(&[UPDATED])
        .otherwise(),
    TriggerRule::update("Submission", "submission_custom_grade_status")
        .with_gates(&[STATUS])
        .known_by(Evidence::Newest),
    TriggerRule::insert("SubmissionComment", "submission_comment_created"),
    TriggerRule::act("plagiarism_resubmit", "plagiarism_resubmit"),
];

const SUBMITTED: Gate = Gate {
    condition: "its state is submitted or pending_review (rule `published`: any state)",
    closed_text: "its state is neither submitted nor pending_review",
    needs: Some(Need::Column("workflow_state")),
    is_open: |ctx| {
        let state = ctx.text("workflow_state");
        is_published(ctx) || matches!(state, Some("submitted" | "pending_review"))
    },
};

const HAS_TYPE: Gate = Gate {
    condition: "it has a submission_type (rule `published`: always)",
    closed_text: "it has no submission_type",
    needs: Some(Need::Column("submission_type")),
    is_open: |ctx| is_published(ctx) || ctx.value("submission_type").is_some(),
};

const NEW_ATTEMPT: Gate = Gate {
    condition: "workflow_state or attempt changed (rule `published`: it had no submitted_at before)",
    closed_text: "neither workflow_state nor attempt changed (rule `published`: it had a submitted_at before)",
    needs: Some(Need::Column("attempt")),
    is_open: |ctx| {
        if is_published(ctx) {
            ctx.before("submitted_at").is_none()
        } else {
            ctx.changed_any(&["workflow_state", "attempt"])
        }
    },
};

const UPDATED: Gate = Gate {
    condition: "its state is not unsubmitted (rule `published`: always)",
    closed_text: "its state is unsubmitted",
    needs: Some(Need::Column("workflow_state")),
    is_open: |ctx| is_published(ctx) || ctx.text("workflow_state") != Some("unsubmitted"),
};

const STATUS: Gate = Gate {
    condition: "custom_grade_status_id changed",
    closed_text: "custom_grade_status_id did not change",
    needs: None,
    is_open: |ctx| ctx.changed("custom_grade_status_id"),
};

const GRADED: Gate = Gate {
    condition: "grade, score, excused or posted_at changed, workflow_state became graded, or the points or grading type of its assignment changed",
    closed_text: "its grade did not change",
    needs: None,
    is_open: |ctx| {
        ctx.changed_any(&["grade", "score", "posted_at"])
            // Null means not excused.
            || ctx.is_true("excused") != ctx.was_true("excused")
            || ctx.became("workflow_state", "graded")
            || assignment_differs(ctx)
    },
};

/// Returns whether the options select the rule of the older documents.
fn is_published(ctx: ChangeContext<'_>) -> bool {
    ctx.options.submission_rule == SubmissionRule::Published
}

/// Returns whether the points or the grading type of the assignment changed. Canvas then saves the
/// submission again.
fn assignment_differs(ctx: ChangeContext<'_>) -> bool {
    let (Some(now), Some(before)) = (ctx.related("assignment"), ctx.related("assignment_before"))
    else {
        return false;
    };
    let differs = |column: &&str| match (now.get(column), before.get(column)) {
        (Some(now), Some(before)) => !is_same(column, Some(now), Some(before)),
        // A missing column is not a difference.
        _ => false,
    };
    ["points_possible", "grading_type"].iter().any(differs)
}
