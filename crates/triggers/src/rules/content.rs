//! Exports of content from a course, and imports into a course.

use crate::gate::Gate;
use crate::rule::{Fact, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("ContentExport", "content_export_created"),
    TriggerRule::update("ContentExport", "quiz_export_complete").behind(&[NEW_QUIZZES, EXPORTED]),
    TriggerRule::update("ContentMigration", "content_migration_started")
        .behind(&[IMPORTING])
        .known_by(Fact::Published),
    TriggerRule::update("ContentMigration", "content_migration_completed").behind(&[IMPORTED]),
];

const NEW_QUIZZES: Gate = Gate {
    opens: "it is an export to New Quizzes",
    closed: "it is not an export to New Quizzes",
    needs: None,
    is_open: |ctx| ctx.text("export_type") == Some("quizzes2"),
};

const EXPORTED: Gate = Gate {
    opens: "workflow_state became exported",
    closed: "workflow_state did not become exported",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "exported"),
};

const IMPORTED: Gate = Gate {
    opens: "workflow_state became imported",
    closed: "workflow_state did not become imported",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "imported"),
};

const IMPORTING: Gate = Gate {
    opens: "workflow_state became importing",
    closed: "workflow_state did not become importing",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "importing"),
};
