//! Pages.

use crate::gate::Gate;
use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("WikiPage", "wiki_page_created"),
    Rule::update("WikiPage", "wiki_page_updated").behind(&[TEXT]),
    Rule::delete("WikiPage", "wiki_page_deleted"),
];

const TEXT: Gate = Gate {
    opens: "title, body or workflow_state changed",
    closed: "none of title, body and workflow_state changed",
    needs: None,
    is_open: |scene| scene.changed_any(&["title", "body", "workflow_state"]),
};
