//! Validates entities.

use std::collections::HashSet;

use easel_catalog::Json;

use crate::rule::Rule;

use super::{Checker, member, pointer, text_format};

/// The allowed types of array elements, by the property that holds the array.
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
    /// Checks an entity. `entity` must be an object.
    pub(super) fn entity(&mut self, entity: &Json, path: &str) {
        self.check_unique_keys(entity, path);
        let kind = self.kind(entity, path);
        for (key, value) in entity.members() {
            let path = member(path, key);
            let name = key.as_str();
            if name == Some("@context") {
                continue;
            }
            if value.is_empty() {
                // `kind` reports an empty `id` or `type` as missing.
                if name != Some("id") && name != Some("type") {
                    self.report(Rule::N8, &path, "must not be empty");
                }
                continue;
            }
            if let Some(kind) = kind {
                match name.and_then(|name| self.vocabulary.entity_property(kind, name)) {
                    Some(wanted) => self.value(value, wanted, Rule::N5, &path),
                    None => self.report(Rule::N6, &path, format!("a {kind} has no such property")),
                }
            }
        }
        if let Some("Membership") = kind {
            self.roles_and_status(entity, path);
        }
    }

    /// Checks `id` and `type`, and returns the type if it is a term.
    fn kind<'a>(&mut self, entity: &'a Json, path: &str) -> Option<&'a str> {
        for name in ["id", "type"] {
            if entity.get(name).is_none_or(Json::is_empty) {
                self.report(Rule::N2, &pointer(path, name), format!("{name} is missing"));
            }
        }
        let kind = entity.get("type").filter(|value| !value.is_empty())?;
        let term = kind.text().and_then(|kind| {
            let (name, term) = self.vocabulary.entities.get_key_value(kind)?;
            Some((name.as_str(), term))
        });
        match term {
            Some((kind, term)) => {
                if term.deprecated {
                    self.report(
                        Rule::N9,
                        &pointer(path, "type"),
                        format!("{kind} is deprecated"),
                    );
                }
                entity.get("type").and_then(Json::text)
            }
            None => {
                self.report(
                    Rule::N3,
                    &pointer(path, "type"),
                    "the entity type is unknown",
                );
                None
            }
        }
    }

    /// Checks the value of a property against its allowed types, separated by `|`.
    ///
    /// An entity of another type breaks `rule`.
    pub(super) fn value(&mut self, value: &Json, wanted: &str, rule: Rule, path: &str) {
        if self.vocabulary.selectors.contains_key(wanted) {
            return self.selector(value, wanted, rule, path);
        }
        let mut types = wanted.split(" | ");
        match (wanted, value) {
            ("IRI", Json::Text(text)) => {
                if !text.as_str().is_some_and(text_format::is_id) {
                    self.report(Rule::N1, path, "must be an IRI, a URN or a blank node");
                }
            }
            ("DateTime", Json::Text(text)) => {
                if !text.as_str().is_some_and(text_format::is_time) {
                    self.report(
                        Rule::T1,
                        path,
                        "must be a time like 2019-11-01T19:11:05.222Z",
                    );
                }
            }
            ("Duration", Json::Text(text)) => {
                if !text.as_str().is_some_and(text_format::is_duration) {
                    self.report(Rule::T2, path, "must be a duration like PT30M");
                }
            }
            // Other functions check whether a `Term` is known.
            ("string" | "Term" | "UUID", Json::Text(_)) | ("Boolean", Json::Boolean(_)) => (),
            ("decimal", Json::Number(_)) => (),
            ("integer", Json::Number(number)) if text_format::is_integer(number) => (),
            ("Object", Json::Object(_)) => self.extension(value, path),
            ("Array", Json::Array(elements)) => self.elements(elements, path),
            (
                "IRI" | "DateTime" | "Duration" | "string" | "Term" | "UUID" | "Boolean"
                | "decimal" | "integer" | "Object" | "Array",
                _,
            ) => self.report(Rule::N4, path, format!("must be of type {wanted}")),
            // The id of an entity may stand for the entity.
            (_, Json::Text(text)) => {
                if !text.as_str().is_some_and(text_format::is_id) {
                    self.report(Rule::N1, path, "must be an IRI, a URN or a blank node");
                }
            }
            (_, Json::Object(_)) if self.is_selector(value) => {
                let detail = format!("must be of type {wanted}, not a selector");
                self.report(rule, path, detail);
            }
            (_, Json::Object(_)) => {
                self.entity(value, path);
                let kind = value.get("type").and_then(Json::text);
                let known_kind = kind.filter(|kind| self.vocabulary.entities.contains_key(*kind));
                if let Some(kind) = known_kind
                    && !types.any(|allowed| self.vocabulary.is_a(kind, allowed))
                {
                    let detail = format!("must be of type {wanted}, not {kind}");
                    self.report(rule, path, detail);
                }
            }
            _ => self.report(Rule::N4, path, format!("must be of type {wanted}")),
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
        let member_value = |name| membership.get(name).filter(|value| !value.is_empty());
        if let Some(Json::Array(roles)) = member_value("roles") {
            let present: HashSet<_> = roles.iter().filter_map(Json::text).collect();
            for (index, role) in roles.iter().enumerate() {
                let path = format!("{path}/roles/{index}");
                let Some(role) = role
                    .text()
                    .filter(|role| self.vocabulary.roles.iter().any(|known| known == role))
                else {
                    self.report(Rule::N7, &path, "the role is unknown");
                    continue;
                };
                let has_core = role
                    .split_once('#')
                    .is_none_or(|(core, _)| present.contains(core));
                if !has_core {
                    self.report(
                        Rule::N7s,
                        &path,
                        format!("{role} should come with its core role"),
                    );
                }
            }
        }
        let status = member_value("status").and_then(Json::text);
        if status.is_some_and(|status| !self.vocabulary.status.iter().any(|known| known == status))
        {
            self.report(Rule::N7, &pointer(path, "status"), "the status is unknown");
        }
    }
}
