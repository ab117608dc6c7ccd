//! Conversations and their messages.

use crate::gate::{Gate, Need};
use crate::rule::TriggerRule;
use serde_json::Value;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Conversation", "conversation_created"),
    TriggerRule::insert("ConversationMessage", "conversation_message_created").with_gates(&[SENT]),
    TriggerRule::act("conversation_forwarded", "conversation_forwarded"),
];

const SENT: Gate = Gate {
    condition: "its conversation_id is not blank",
    closed_text: "its conversation_id is blank: it is the template of a bulk message",
    needs: Some(Need::Column("conversation_id")),
    is_open: |ctx| match ctx.value("conversation_id") {
        None => false,
        Some(Value::String(id)) => !id.trim().is_empty(),
        Some(_) => true,
    },
};
