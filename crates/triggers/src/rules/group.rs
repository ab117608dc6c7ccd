//! Groups, the sets they are in, and their members.

use crate::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::insert("Group", "group_created"),
    Rule::update("Group", "group_updated"),
    Rule::insert("GroupCategory", "group_category_created"),
    Rule::update("GroupCategory", "group_category_updated"),
    Rule::insert("GroupMembership", "group_membership_created"),
    Rule::update("GroupMembership", "group_membership_updated"),
];
