//! The terms of Caliper 1.1: events, entities, their properties, actions, roles.
//!
//! They are data, in `vocabulary.json`, as the tables of the standard have them. A property that
//! every event or every entity has stands there once.

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
    /// The properties of each selector, all of them required. A selector is no entity and has no
    /// id (appendix D).
    pub(crate) selectors: HashMap<String, HashMap<String, String>>,
}

/// A type of events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventTerm {
    /// The actions it knows; any of all when left out.
    pub(crate) actions: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) deprecated_actions: Vec<String>,
    #[serde(default)]
    pub(crate) deprecated: bool,
    #[serde(default)]
    properties: HashMap<String, String>,
}

/// A type of entities.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityTerm {
    #[serde(default)]
    supertypes: Vec<String>,
    #[serde(default)]
    pub(crate) deprecated: bool,
    #[serde(default)]
    properties: HashMap<String, String>,
    /// Properties of every entity that this one has not.
    #[serde(default)]
    without: Vec<String>,
}

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../vocabulary.json")).expect("the vocabulary is well-formed")
});

impl Vocabulary {
    pub(crate) fn get() -> &'static Self {
        &VOCABULARY
    }

    /// What a property of an event type has to be, if it has it: types with `|` between them.
    pub(crate) fn event_property(&self, event: &str, property: &str) -> Option<&str> {
        let own = self
            .events
            .get(event)
            .and_then(|it| it.properties.get(property));
        own.or_else(|| self.event_properties.get(property))
            .map(String::as_str)
    }

    /// What a property of an entity type has to be, if it has it.
    pub(crate) fn entity_property(&self, entity: &str, property: &str) -> Option<&str> {
        let term = self.entities.get(entity)?;
        let common = || {
            let has = !term.without.iter().any(|it| it == property);
            self.entity_properties.get(property).filter(|_| has)
        };
        term.properties
            .get(property)
            .or_else(common)
            .map(String::as_str)
    }

    /// Whether whatever is a `kind` is a `wanted` too.
    pub(crate) fn is_a(&self, kind: &str, wanted: &str) -> bool {
        kind == wanted
            || self
                .entities
                .get(kind)
                .is_some_and(|it| it.supertypes.iter().any(|above| self.is_a(above, wanted)))
    }

    /// Whether an action is a term; one of them is spelled in two ways.
    pub(crate) fn knows_action(&self, action: &str) -> bool {
        self.actions.iter().any(|it| it == action) || action == "MarkedAsUnRead"
    }
}

#[cfg(test)]
mod tests;
