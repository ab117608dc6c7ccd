//! Links to LTI tools.

use crate::rule::{Evidence, TriggerRule};

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Lti::ResourceLink", "lti_resource_link_created")
        .known_by(Evidence::Newest),
    TriggerRule::update("Lti::ResourceLink", "lti_resource_link_updated")
        .known_by(Evidence::Newest),
];
