//! All rules, with one file for each family of rows.

mod account;
mod assignment;
mod attachment;
mod blueprint;
mod content;
mod conversation;
mod course;
mod discussion;
mod enrollment;
mod group;
mod lti;
mod module;
mod outcome;
mod quiz;
mod rubric;
mod score;
mod session;
mod sis;
mod submission;
mod user;
mod wiki_page;

use crate::rule::TriggerRule;

/// The families, in the order of the page.
const FAMILIES: &[&[TriggerRule]] = &[
    account::RULES,
    assignment::RULES,
    attachment::RULES,
    blueprint::RULES,
    content::RULES,
    conversation::RULES,
    course::RULES,
    discussion::RULES,
    enrollment::RULES,
    group::RULES,
    lti::RULES,
    module::RULES,
    outcome::RULES,
    quiz::RULES,
    rubric::RULES,
    score::RULES,
    session::RULES,
    sis::RULES,
    submission::RULES,
    user::RULES,
    wiki_page::RULES,
];

/// Returns all rules. The rules of one subject and operation are in the order of their events.
pub fn all() -> impl Iterator<Item = &'static TriggerRule> {
    FAMILIES.iter().copied().flatten()
}
