//! What an entity has to be.

use std::collections::HashSet;

use easel_catalog::Json;

use crate::rule::Rule;

use super::{Checker, form, member, pointer};

/// What the elements of an array have to be, by its property.
const ELEMENTS: [(&str, &str); 8] = [
    ("attachments", "DigitalResource"),
    ("items", "DigitalResource"),
    ("creators", "Agent"),
    ("members", "Agent"),
    ("withAgents", "Agent"),
    ("learningObjectives", "LearningObjective"),
    ("keywords", "string"),
    ("tags", "string"),
];

impl Checker {
    /// Checks an entity that is told in full.
    pub(super) fn entity(&mut self, entity: &Json, path: &str) {
        self.keys_differ(entity, path);
        let kind = self.kind(entity, path);
        for (key, value) in entity.members() {
            let path = member(path, key);
            let name = key.as_str();
            if name == Some("@context") {
                continue;
            }
            if value.is_empty() {
                // Of these two that was said already.
                if name != Some("id") && name != Some("type") {
                    self.breach(Rule::N8, &path, "this says nothing");
                }
                continue;
            }
            if let Some(kind) = kind {
                match name.and_then(|it| self.vocabulary.entity_property(kind, it)) {
                    Some(wanted) => self.value(value, wanted, Rule::N5, &path),
                    None => self.breach(Rule::N6, &path, format!("a {kind} has no such property")),
                }
            }
        }
        if let Some("Membership") = kind {
            self.roles_and_status(entity, path);
        }
    }

    /// The type of an entity, if it is a term.
    fn kind<'a>(&mut self, entity: &'a Json, path: &str) -> Option<&'a str> {
        for name in ["id", "type"] {
            if entity.get(name).is_none_or(Json::is_empty) {
                self.breach(
                    Rule::N2,
                    &pointer(path, name),
                    format!("there is no {name}"),
                );
            }
        }
        let kind = entity.get("type").filter(|it| !it.is_empty())?;
        let term = kind.text().and_then(|kind| {
            let (known, term) = self.vocabulary.entities.get_key_value(kind)?;
            Some((known.as_str(), term))
        });
        match term {
            Some((kind, term)) => {
                if term.deprecated {
                    self.breach(
                        Rule::N9,
                        &pointer(path, "type"),
                        format!("{kind} is given up"),
                    );
                }
                entity.get("type").and_then(Json::text)
            }
            None => {
                self.breach(
                    Rule::N3,
                    &pointer(path, "type"),
                    "this is no type of entities",
                );
                None
            }
        }
    }

    /// Checks the value of a property against what it has to be: types with `|` between them.
    /// `rule` is broken by an entity of another type.
    pub(super) fn value(&mut self, value: &Json, wanted: &str, rule: Rule, path: &str) {
        if self.vocabulary.selectors.contains_key(wanted) {
            return self.selector(value, wanted, rule, path);
        }
        let mut types = wanted.split(" | ");
        match (wanted, value) {
            ("IRI", Json::Text(text)) => {
                if !text.as_str().is_some_and(form::is_name) {
                    self.breach(Rule::N1, path, "this is no IRI, URN or blank node");
                }
            }
            ("DateTime", Json::Text(text)) => {
                if !text.as_str().is_some_and(form::is_time) {
                    self.breach(Rule::T1, path, "a time is like 2019-11-01T19:11:05.222Z");
                }
            }
            ("Duration", Json::Text(text)) => {
                if !text.as_str().is_some_and(form::is_duration) {
                    self.breach(Rule::T2, path, "a length of time is like PT30M");
                }
            }
            // Whether it is a term is checked where it is used.
            ("string" | "Term" | "UUID", Json::Text(_)) | ("Boolean", Json::Boolean(_)) => (),
            ("decimal", Json::Number(_)) => (),
            ("integer", Json::Number(number)) if form::is_integer(number) => (),
            ("Object", Json::Object(_)) => self.extension(value, path),
            ("Array", Json::Array(elements)) => self.elements(elements, path),
            (
                "IRI" | "DateTime" | "Duration" | "string" | "Term" | "UUID" | "Boolean"
                | "decimal" | "integer" | "Object" | "Array",
                _,
            ) => self.breach(Rule::N4, path, format!("this has to be: {wanted}")),
            // What may be told in full may be told by its name.
            (_, Json::Text(text)) => {
                if !text.as_str().is_some_and(form::is_name) {
                    self.breach(Rule::N1, path, "this is no IRI, URN or blank node");
                }
            }
            (_, Json::Object(_)) if self.is_selector(value) => {
                let detail = format!("a selector cannot be here; {wanted} can");
                self.breach(rule, path, detail);
            }
            (_, Json::Object(_)) => {
                self.entity(value, path);
                let kind = value.get("type").and_then(Json::text);
                let known = kind.filter(|kind| self.vocabulary.entities.contains_key(*kind));
                if let Some(kind) = known
                    && !types.any(|it| self.vocabulary.is_a(kind, it))
                {
                    self.breach(rule, path, format!("a {kind} cannot be here; {wanted} can"));
                }
            }
            _ => self.breach(Rule::N4, path, format!("this has to be: {wanted}")),
        }
    }

    fn elements(&mut self, elements: &[Json], path: &str) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let wanted = ELEMENTS.iter().find(|(property, _)| *property == name);
        for (index, element) in elements.iter().enumerate() {
            let path = format!("{path}/{index}");
            match wanted {
                Some((_, wanted)) => self.value(element, wanted, Rule::N5, &path),
                None if element.is_object() => self.entity(element, &path),
                None => (),
            }
        }
    }

    fn roles_and_status(&mut self, membership: &Json, path: &str) {
        let given = |name| membership.get(name).filter(|it| !it.is_empty());
        if let Some(Json::Array(roles)) = given("roles") {
            let given: HashSet<_> = roles.iter().filter_map(Json::text).collect();
            for (index, role) in roles.iter().enumerate() {
                let path = format!("{path}/roles/{index}");
                let Some(role) = role
                    .text()
                    .filter(|it| self.vocabulary.roles.iter().any(|known| known == it))
                else {
                    self.breach(Rule::N7, &path, "this is no role");
                    continue;
                };
                let has_core = role
                    .split_once('#')
                    .is_none_or(|(core, _)| given.contains(core));
                if !has_core {
                    self.breach(
                        Rule::N7s,
                        &path,
                        format!("{role} comes without its core role"),
                    );
                }
            }
        }
        let status = given("status").and_then(Json::text);
        if status.is_some_and(|status| !self.vocabulary.status.iter().any(|it| it == status)) {
            self.breach(Rule::N7, &pointer(path, "status"), "this is no status");
        }
    }
}
