//! Files. Only files in a folder of a course, a group or a user make events.

use crate::gate::Gate;
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Attachment", "attachment_created").with_gates(&[IN_A_FOLDER]),
    TriggerRule::update("Attachment", "attachment_updated")
        .with_gates(&[IN_A_FOLDER, VISIBLE_CHANGE]),
    TriggerRule::update("Attachment", "attachment_deleted")
        .with_gates(&[IN_A_FOLDER, DELETED])
        .otherwise(),
    TriggerRule::delete("Attachment", "attachment_deleted").with_gates(&[IN_A_FOLDER]),
];

const IN_A_FOLDER: Gate = Gate {
    condition: "it is in a folder of a course, a group or a user",
    closed_text: "it is in no folder of a course, a group or a user",
    needs: None,
    is_open: |ctx| {
        matches!(ctx.text("context_type"), Some("Course" | "Group" | "User"))
            && ctx.value("folder_id").is_some()
    },
};

const VISIBLE_CHANGE: Gate = Gate {
    condition: "display_name, lock_at, unlock_at, folder_id or locked changed",
    closed_text: "none of display_name, lock_at, unlock_at, folder_id and locked changed",
    needs: None,
    is_open: |ctx| {
        ctx.changed_any(&[
            "display_name",
            "lock_at",
            "unlock_at",
            "folder_id",
            "locked",
        ])
    },
};

const DELETED: Gate = Gate {
    condition: "file_state became deleted",
    closed_text: "file_state did not become deleted",
    needs: None,
    is_open: |ctx| ctx.became("file_state", "deleted"),
};
