//! Groups, their categories and their members.

use crate::rule::TriggerRule;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Group", "group_created"),
    TriggerRule::update("Group", "group_updated"),
    TriggerRule::insert("GroupCategory", "group_category_created"),
    TriggerRule::update("GroupCategory", "group_category_updated"),
    TriggerRule::insert("GroupMembership", "group_membership_created"),
    TriggerRule::update("GroupMembership", "group_membership_updated"),
];
