//! Discussions and the posts in them.

use easel_catalog::EventOrigin;

use crate::gate::{Gate, Need};
use crate::rule::{Fact, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("DiscussionTopic", "discussion_topic_created"),
    TriggerRule::update("DiscussionTopic", "discussion_topic_updated"),
    TriggerRule::insert("DiscussionEntry", "discussion_entry_created"),
    TriggerRule::insert("DiscussionEntry", "discussion_entry_submitted")
        .behind(&[SUBMITTED])
        .known_by(Fact::Call),
    TriggerRule::update("DiscussionEntry", "discussion_entry_deleted")
        .behind(&[DELETED])
        .known_by(Fact::Newest),
    TriggerRule::update("DiscussionEntry", "discussion_entry_updated")
        .or_else()
        .known_by(Fact::Newest),
];

const SUBMITTED: Gate = Gate {
    opens: "its topic is graded, or it was saved in a request (the Canvas API sends this event for every post)",
    closed: "its topic is not graded, and it was not saved in a request",
    needs: Some(Need::Related("discussion_topic")),
    is_open: |ctx| {
        let topic = ctx.related("discussion_topic");
        ctx.change.origin == EventOrigin::Request
            || topic.is_some_and(|topic| topic.value("assignment_id").is_some())
    },
};

const DELETED: Gate = Gate {
    opens: "deleted_at changed and the post is deleted",
    closed: "this change did not delete it",
    needs: None,
    is_open: |ctx| ctx.changed("deleted_at") && ctx.text("workflow_state") == Some("deleted"),
};
