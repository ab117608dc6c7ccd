//! Conversations and their messages.

use crate::gate::Gate;
use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("Conversation", "conversation_created"),
    Rule::insert("ConversationMessage", "conversation_message_created").behind(&[SENT]),
    Rule::act("conversation_forwarded", "conversation_forwarded"),
];

const SENT: Gate = Gate {
    opens: "it is no template of a message to many",
    closed: "it is a template of a message to many",
    needs: None,
    is_open: |scene| !scene.is_true("generated_template"),
};
