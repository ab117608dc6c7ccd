//! Exports of content from a course, and imports into a course.

use crate::gate::Gate;
use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("ContentExport", "content_export_created"),
    TriggerRule::update("ContentExport", "quiz_export_complete")
        .with_gates(&[NEW_QUIZZES, EXPORTED]),
    TriggerRule::update("ContentMigration", "content_migration_started")
        .with_gates(&[IMPORTING])
        .known_by(Evidence::Published),
    TriggerRule::update("ContentMigration", "content_migration_completed").with_gates(&[IMPORTED]),
];

const NEW_QUIZZES: Gate = Gate {
    condition: "it is an export to New Quizzes",
    closed_text: "it is not an export to New Quizzes",
    needs: None,
    is_open: |ctx| ctx.text("export_type") == Some("quizzes2"),
};

const EXPORTED: Gate = Gate {
    condition: "workflow_state became exported",
    closed_text: "workflow_state did not become exported",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "exported"),
};

const IMPORTED: Gate = Gate {
    condition: "workflow_state became imported",
    closed_text: "workflow_state did not become imported",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "imported"),
};

const IMPORTING: Gate = Gate {
    condition: "workflow_state became importing",
    closed_text: "workflow_state did not become importing",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "importing"),
};
