//! Validates selectors (appendix D).
//!
//! A selector names a part of an entity. It is not an entity: it has no id, and an IRI cannot
//! replace it.

use easel_catalog::Json;

use crate::rule::Rule;

use super::{Checker, member, pointer};

impl Checker {
    /// Returns whether the type of a value is a selector type.
    pub(super) fn is_selector(&self, value: &Json) -> bool {
        let kind = value.get("type").and_then(Json::text);
        kind.is_some_and(|kind| self.vocabulary.selectors.contains_key(kind))
    }

    /// Checks a selector of the type `wanted`. An entity instead of the selector breaks `rule`.
    pub(super) fn selector(&mut self, value: &Json, wanted: &str, rule: Rule, path: &str) {
        let Some(properties) = self.vocabulary.selectors.get(wanted) else {
            return;
        };
        if !value.is_object() {
            return self.report(Rule::N4, path, format!("must be a {wanted} object"));
        }
        self.check_unique_keys(value, path);
        match value.get("type").filter(|kind| !kind.is_empty()) {
            Some(kind) if kind.text() != Some(wanted) => {
                let term = kind.text().unwrap_or_default();
                return if self.vocabulary.entities.contains_key(term) {
                    self.report(rule, path, format!("must be a {wanted}, not {term}"));
                } else {
                    let detail = format!("the type must be {wanted}");
                    self.report(Rule::N3, &pointer(path, "type"), detail);
                };
            }
            _ => (),
        }
        for name in ["type", "start", "end"] {
            let is_missing = value.get(name).is_none_or(Json::is_empty);
            if is_missing && properties.contains_key(name) {
                self.report(Rule::N2, &pointer(path, name), format!("{name} is missing"));
            }
        }
        for (key, value) in value.members() {
            let path = member(path, key);
            match key.as_str().and_then(|name| properties.get(name)) {
                Some(_) if value.is_empty() => (),
                Some(wanted) => self.value(value, wanted, Rule::N5, &path),
                None if key.as_str() == Some("@context") => (),
                None => {
                    let detail = format!("{wanted} has no such property");
                    self.report(Rule::N6, &path, detail);
                }
            }
        }
    }
}
