//! The terms of Caliper 1.1: events, entities, their properties, actions, roles.
//!
//! They are data in `vocabulary.json`, copied from the tables of the standard. The file lists the
//! properties common to all events, and those common to all entities, in one place each.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The terms of the standard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vocabulary {
    pub(crate) context: String,
    pub(crate) actions: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) status: Vec<String>,
    event_properties: HashMap<String, String>,
    entity_properties: HashMap<String, String>,
    pub(crate) events: HashMap<String, EventTerm>,
    pub(crate) entities: HashMap<String, EntityTerm>,
    /// The properties of each selector. All are required. A selector is not an entity and has no id
    /// (appendix D).
    pub(crate) selectors: HashMap<String, HashMap<String, String>>,
}

/// An event type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventTerm {
    /// The actions that the event type allows. If absent, every action is allowed.
    pub(crate) actions: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) deprecated_actions: Vec<String>,
    #[serde(default)]
    pub(crate) deprecated: bool,
    #[serde(default)]
    properties: HashMap<String, String>,
}

/// An entity type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityTerm {
    #[serde(default)]
    supertypes: Vec<String>,
    #[serde(default)]
    pub(crate) deprecated: bool,
    #[serde(default)]
    properties: HashMap<String, String>,
    /// The common entity properties that this type does not have.
    #[serde(default)]
    without: Vec<String>,
}

#[expect(
    clippy::expect_used,
    reason = "the file is compiled in, and a test parses it"
)]
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../vocabulary.json")).expect("vocabulary.json must be valid")
});

impl Vocabulary {
    pub(crate) fn get() -> &'static Self {
        &VOCABULARY
    }

    /// Returns the allowed types of a property of an event type, separated by `|`.
    ///
    /// Returns `None` if the event type does not have the property.
    pub(crate) fn event_property(&self, event: &str, property: &str) -> Option<&str> {
        let own = self
            .events
            .get(event)
            .and_then(|term| term.properties.get(property));
        own.or_else(|| self.event_properties.get(property))
            .map(String::as_str)
    }

    /// Returns the allowed types of a property of an entity type, separated by `|`.
    ///
    /// Returns `None` if the entity type does not have the property.
    pub(crate) fn entity_property(&self, entity: &str, property: &str) -> Option<&str> {
        let term = self.entities.get(entity)?;
        let common = || {
            let is_excluded = term.without.iter().any(|name| name == property);
            let common_property = self.entity_properties.get(property);
            common_property.filter(|_| !is_excluded)
        };
        term.properties
            .get(property)
            .or_else(common)
            .map(String::as_str)
    }

    /// Returns whether `kind` is `wanted` or a subtype of it.
    pub(crate) fn is_a(&self, kind: &str, wanted: &str) -> bool {
        kind == wanted
            || self.entities.get(kind).is_some_and(|term| {
                term.supertypes
                    .iter()
                    .any(|supertype| self.is_a(supertype, wanted))
            })
    }

    /// Returns whether an action is a term. The standard spells `MarkedAsUnread` in two ways.
    pub(crate) fn has_action(&self, action: &str) -> bool {
        self.actions.iter().any(|name| name == action) || action == "MarkedAsUnRead"
    }
}

#[cfg(test)]
mod tests;
