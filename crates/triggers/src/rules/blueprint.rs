//! Blueprint courses, and the courses that are synchronised with them.

use crate::gate::{Gate, Need};
use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert(
        "MasterCourses::ChildSubscription",
        "blueprint_subscription_created",
    ),
    TriggerRule::update(
        "MasterCourses::ChildSubscription",
        "blueprint_subscription_created",
    )
    .behind(&[ACTIVE_AGAIN]),
    // Canvas keeps the row of a subscription that ends.
    TriggerRule::update(
        "MasterCourses::ChildSubscription",
        "blueprint_subscription_deleted",
    )
    .behind(&[ENDED]),
    TriggerRule::delete(
        "MasterCourses::ChildSubscription",
        "blueprint_subscription_deleted",
    ),
    TriggerRule::update(
        "MasterCourses::MasterContentTag",
        "blueprint_restrictions_updated",
    )
    .behind(&[RESTRICTIONS, NEW_QUIZ]),
    TriggerRule::update(
        "MasterCourses::MasterMigration",
        "master_migration_completed",
    )
    .behind(&[COMPLETED]),
    TriggerRule::insert("MasterCourses::MasterTemplate", "master_template_created"),
    TriggerRule::update(
        "MasterCourses::MasterTemplate",
        "default_blueprint_restrictions_updated",
    )
    .behind(&[DEFAULTS]),
];

const ACTIVE_AGAIN: Gate = Gate {
    opens: "workflow_state became active",
    closed: "workflow_state did not become active",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "active"),
};

const ENDED: Gate = Gate {
    opens: "workflow_state became deleted",
    closed: "workflow_state did not become deleted",
    needs: Some(Need::Column("workflow_state")),
    is_open: |ctx| ctx.became("workflow_state", "deleted"),
};

const RESTRICTIONS: Gate = Gate {
    opens: "restrictions or use_default_restrictions changed",
    closed: "neither restrictions nor use_default_restrictions changed",
    needs: None,
    is_open: |ctx| ctx.changed_any(&["restrictions", "use_default_restrictions"]),
};

const NEW_QUIZ: Gate = Gate {
    opens: "its content is a New Quiz",
    closed: "its content is not a New Quiz",
    needs: Some(Need::Related("content")),
    is_open: |ctx| {
        ctx.related("content")
            .is_some_and(|content| content.is_true("quiz_lti"))
    },
};

const COMPLETED: Gate = Gate {
    opens: "workflow_state became completed",
    closed: "workflow_state did not become completed",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "completed"),
};

const DEFAULTS: Gate = Gate {
    opens: "default_restrictions, use_default_restrictions_by_type or default_restrictions_by_type changed",
    closed: "no default restrictions changed",
    needs: None,
    is_open: |ctx| {
        ctx.changed_any(&[
            "default_restrictions",
            "use_default_restrictions_by_type",
            "default_restrictions_by_type",
        ])
    },
};
