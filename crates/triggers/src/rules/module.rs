//! Modules, and the content tags that link content to modules or outcomes to groups.

use crate::gate::{Gate, Need};
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("ContextModule", "module_created"),
    TriggerRule::update("ContextModule", "module_updated"),
    TriggerRule::insert("ContentTag", "module_item_created").with_gates(&[IN_MODULE]),
    TriggerRule::insert("ContentTag", "learning_outcome_link_created").with_gates(&[OUTCOME]),
    TriggerRule::update("ContentTag", "module_item_updated").with_gates(&[IN_MODULE]),
    TriggerRule::update("ContentTag", "learning_outcome_link_updated").with_gates(&[OUTCOME]),
];

const IN_MODULE: Gate = Gate {
    condition: "its tag_type is context_module",
    closed_text: "its tag_type is not context_module",
    needs: Some(Need::Column("tag_type")),
    is_open: |ctx| ctx.text("tag_type") == Some("context_module"),
};

const OUTCOME: Gate = Gate {
    condition: "its tag_type is learning_outcome_association",
    closed_text: "its tag_type is not learning_outcome_association",
    needs: Some(Need::Column("tag_type")),
    is_open: |ctx| ctx.text("tag_type") == Some("learning_outcome_association"),
};
