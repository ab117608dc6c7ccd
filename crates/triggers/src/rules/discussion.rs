//! Discussions and the posts in them.

use crate::gate::{Gate, Need};
use crate::rule::{Fact, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule::insert("DiscussionTopic", "discussion_topic_created"),
    Rule::update("DiscussionTopic", "discussion_topic_updated"),
    Rule::insert("DiscussionEntry", "discussion_entry_created"),
    Rule::insert("DiscussionEntry", "discussion_entry_submitted")
        .behind(&[GRADED])
        .known_by(Fact::Call),
    Rule::update("DiscussionEntry", "discussion_entry_deleted")
        .behind(&[DELETED])
        .known_by(Fact::Newest),
    Rule::update("DiscussionEntry", "discussion_entry_updated")
        .or_else()
        .known_by(Fact::Newest),
];

const GRADED: Gate = Gate {
    opens: "its topic is graded",
    closed: "its topic is not graded",
    needs: Some(Need::Related("discussion_topic")),
    is_open: |scene| {
        scene
            .related("discussion_topic")
            .is_some_and(|it| it.value("assignment_id").is_some())
    },
};

const DELETED: Gate = Gate {
    opens: "deleted_at changed and the post is deleted",
    closed: "it was not deleted by this",
    needs: None,
    is_open: |scene| scene.changed("deleted_at") && scene.text("workflow_state") == Some("deleted"),
};
