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
    .with_gates(&[ACTIVE_AGAIN]),
    // Canvas keeps the row of a subscription that ends.
    TriggerRule::update(
        "MasterCourses::ChildSubscription",
        "blueprint_subscription_deleted",
    )
    .with_gates(&[ENDED]),
    TriggerRule::delete(
        "MasterCourses::ChildSubscription",
        "blueprint_subscription_deleted",
    ),
    TriggerRule::update(
        "MasterCourses::MasterContentTag",
        "blueprint_restrictions_updated",
    )
    .with_gates(&[RESTRICTIONS, NEW_QUIZ]),
    TriggerRule::update(
        "MasterCourses::MasterMigration",
        "master_migration_completed",
    )
    .with_gates(&[COMPLETED]),
    TriggerRule::insert("MasterCourses::MasterTemplate", "master_template_created"),
    TriggerRule::update(
        "MasterCourses::MasterTemplate",
        "default_blueprint_restrictions_updated",
    )
    .with_gates(&[DEFAULTS]),
];

const ACTIVE_AGAIN: Gate = Gate {
    condition: "workflow_state became active",
    closed_text: "workflow_state did not become active",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "active"),
};

const ENDED: Gate = Gate {
    condition: "workflow_state became deleted",
    closed_text: "workflow_state did not become deleted",
    needs: Some(Need::Column("workflow_state")),
    is_open: |ctx| ctx.became("workflow_state", "deleted"),
};

const RESTRICTIONS: Gate = Gate {
    condition: "restrictions or use_default_restrictions changed",
    closed_text: "neither restrictions nor use_default_restrictions changed",
    needs: None,
    is_open: |ctx| ctx.changed_any(&["restrictions", "use_default_restrictions"]),
};

const NEW_QUIZ: Gate = Gate {
    condition: "its content is a New Quiz",
    closed_text: "its content is not a New Quiz",
    needs: Some(Need::Related("content")),
    is_open: |ctx| {
        ctx.related("content")
            .is_some_and(|content| content.is_true("quiz_lti"))
    },
};

const COMPLETED: Gate = Gate {
    condition: "workflow_state became completed",
    closed_text: "workflow_state did not become completed",
    needs: None,
    is_open: |ctx| ctx.became("workflow_state", "completed"),
};

const DEFAULTS: Gate = Gate {
    condition: "default_restrictions, use_default_restrictions_by_type or default_restrictions_by_type changed",
    closed_text: "no default restrictions changed",
    needs: None,
    is_open: |ctx| {
        ctx.changed_any(&[
            "default_restrictions",
            "use_default_restrictions_by_type",
            "default_restrictions_by_type",
        ])
    },
};
