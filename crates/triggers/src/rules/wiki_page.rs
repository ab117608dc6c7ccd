//! Pages.

use crate::gate::{Gate, Need};
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("WikiPage", "wiki_page_created"),
    TriggerRule::update("WikiPage", "wiki_page_updated").with_gates(&[TEXT]),
    // Canvas keeps the row of a deleted page. Older releases send only this event.
    TriggerRule::update("WikiPage", "wiki_page_deleted").with_gates(&[DELETED]),
    TriggerRule::delete("WikiPage", "wiki_page_deleted"),
];

const TEXT: Gate = Gate {
    condition: "title, body or workflow_state changed",
    closed_text: "none of title, body and workflow_state changed",
    needs: None,
    is_open: |ctx| ctx.changed_any(&["title", "body", "workflow_state"]),
};

const DELETED: Gate = Gate {
    condition: "workflow_state became deleted",
    closed_text: "workflow_state did not become deleted",
    needs: Some(Need::Column("workflow_state")),
    is_open: |ctx| ctx.became("workflow_state", "deleted"),
};
