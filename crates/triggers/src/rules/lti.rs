//! Links to tools.

use crate::rule::{Fact, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule::insert("Lti::ResourceLink", "lti_resource_link_created").known_by(Fact::Newest),
    Rule::update("Lti::ResourceLink", "lti_resource_link_updated").known_by(Fact::Newest),
];
