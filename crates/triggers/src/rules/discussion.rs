//! Discussions and the posts in them.

use easel_catalog::EventOrigin;

use crate::gate::{Gate, Need};
use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("DiscussionTopic", "discussion_topic_created"),
    TriggerRule::update("DiscussionTopic", "discussion_topic_updated"),
    TriggerRule::insert("DiscussionEntry", "discussion_entry_created"),
    TriggerRule::insert("DiscussionEntry", "discussion_entry_submitted")
        .with_gates(&[SUBMITTED])
        .known_by(Evidence::Call),
    TriggerRule::update("DiscussionEntry", "discussion_entry_deleted")
        .with_gates(&[DELETED])
        .known_by(Evidence::Newest),
    TriggerRule::update("DiscussionEntry", "discussion_entry_updated")
        .otherwise()
        .known_by(Evidence::Newest),
];

const SUBMITTED: Gate = Gate {
    condition: "its topic is graded, or the change has a request as its context",
    closed_text: "its topic is not graded, and the change has no request as its context",
    needs: Some(Need::Related("discussion_topic")),
    is_open: |ctx| {
        let topic = ctx.related("discussion_topic");
        ctx.change.origin == EventOrigin::Request
            || topic.is_some_and(|topic| topic.value("assignment_id").is_some())
    },
};

const DELETED: Gate = Gate {
    condition: "deleted_at changed and the post is deleted",
    closed_text: "this change did not delete it",
    needs: None,
    is_open: |ctx| ctx.changed("deleted_at") && ctx.text("workflow_state") == Some("deleted"),
};
