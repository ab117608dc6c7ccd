//! Pages.

use crate::gate::{Gate, Need};
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("WikiPage", "wiki_page_created"),
    TriggerRule::update("WikiPage", "wiki_page_updated").behind(&[TEXT]),
    // Canvas keeps the row of a deleted page. Older releases send only this event.
    TriggerRule::update("WikiPage", "wiki_page_deleted").behind(&[DELETED]),
    TriggerRule::delete("WikiPage", "wiki_page_deleted"),
];

const TEXT: Gate = Gate {
    opens: "title, body or workflow_state changed",
    closed: "none of title, body and workflow_state changed",
    needs: None,
    is_open: |ctx| ctx.changed_any(&["title", "body", "workflow_state"]),
};

const DELETED: Gate = Gate {
    opens: "workflow_state became deleted",
    closed: "workflow_state did not become deleted",
    needs: Some(Need::Column("workflow_state")),
    is_open: |ctx| ctx.became("workflow_state", "deleted"),
};
