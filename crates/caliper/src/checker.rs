//! Validates an envelope against the standard.
//!
//! [`Rule`] lists the rules. An envelope may have only the id of an entity instead of the whole entity.
//! In this case only the id is checked. Rules that need outside knowledge are not checked, such as
//! whether a grader is a machine or whether a message answers another message.

mod entity;
mod event;
mod selector;
mod text_format;

use std::collections::{HashMap, HashSet};

use easel_catalog::{Fault, Json, JsonString};

use crate::iri::is_iri;
use crate::rule::{Breach, Level, Rule};
use crate::vocabulary::Vocabulary;

/// The required members of an envelope. No others are allowed.
const MEMBERS: [&str; 4] = ["sensor", "sendTime", "dataVersion", "data"];

/// The deepest nesting of objects and arrays in an envelope. RFC 8259, section 9, allows a limit.
const MAX_DEPTH: usize = 128;

/// Why an envelope cannot be checked: it is invalid JSON or is nested too deeply.
#[derive(Debug, thiserror::Error)]
#[error("the envelope cannot be read: {fault}")]
pub struct UnreadableEnvelope {
    fault: Fault,
}

impl UnreadableEnvelope {
    /// Returns the fault and its place.
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// The largest number of breaches that are reported for one envelope. The limit is twice as high for
/// MUST rules, so that breaches of other rules cannot hide them.
const MAX_BREACHES: usize = 1000;

/// Returns the rules that an envelope breaks, in the order of its members.
///
/// Reports the first thousand breaches. After these, reports only breaches of MUST rules, up to two
/// thousand breaches in total. If the data version is not that of Caliper 1.1, the data is not checked,
/// because other rules apply to it.
pub fn check(envelope: &[u8]) -> Result<Vec<Breach>, UnreadableEnvelope> {
    let json = Json::read(envelope, MAX_DEPTH).map_err(|fault| UnreadableEnvelope { fault })?;
    let mut checker = Checker {
        vocabulary: Vocabulary::get(),
        breaches: Vec::new(),
    };
    checker.envelope(&json);
    Ok(checker.breaches)
}

struct Checker {
    vocabulary: &'static Vocabulary,
    breaches: Vec<Breach>,
}

impl Checker {
    /// Adds a breach, unless there are too many already.
    fn report(&mut self, rule: Rule, path: &str, detail: impl Into<String>) {
        let limit = match rule.level() {
            Level::Must => 2 * MAX_BREACHES,
            _ => MAX_BREACHES,
        };
        if self.breaches.len() >= limit {
            return;
        }
        self.breaches.push(Breach {
            rule,
            path: path.to_owned(),
            detail: detail.into(),
        });
    }

    fn envelope(&mut self, json: &Json) {
        if !json.is_object() {
            return self.report(Rule::E1, "", "must be an object");
        }
        self.check_unique_keys(json, "");
        for name in MEMBERS {
            if json.get(name).is_none_or(Json::is_empty) {
                self.report(Rule::E2, &pointer("", name), format!("{name} is missing"));
            }
        }
        for (name, _) in json.members() {
            if !name.as_str().is_some_and(|name| MEMBERS.contains(&name)) {
                self.report(
                    Rule::E3,
                    &member("", name),
                    "an envelope has no such member",
                );
            }
        }
        let member_value = |name| json.get(name).filter(|value| !value.is_empty());
        match member_value("sensor") {
            Some(Json::Text(sensor)) if sensor.as_str().is_some_and(is_iri) => (),
            Some(Json::Text(_)) => self.report(Rule::E4s, "/sensor", "should be an IRI"),
            Some(_) => self.report(Rule::E4, "/sensor", "must be a string"),
            None => (),
        }
        let send_time = member_value("sendTime");
        if send_time.is_some_and(|time| !time.text().is_some_and(text_format::is_time)) {
            let detail = "must be a time like 2019-11-01T19:11:05.222Z";
            self.report(Rule::E5, "/sendTime", detail);
        }
        let caliper_1_1 = Some(self.vocabulary.context.as_str());
        let is_other_version = json.members().iter().any(|(name, version)| {
            name.as_str() == Some("dataVersion")
                && !version.is_empty()
                && version.text() != caliper_1_1
        });
        if is_other_version {
            let detail = format!(
                "the version must be {}; the data is not checked",
                self.vocabulary.context
            );
            self.report(Rule::E6, "/dataVersion", detail);
        }
        match member_value("data") {
            Some(Json::Array(_)) if is_other_version => (),
            Some(Json::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.item(
                        item,
                        &format!("/data/{index}"),
                        send_time.and_then(Json::text),
                    );
                }
            }
            Some(_) => self.report(Rule::E7, "/data", "must be an array"),
            None => (),
        }
    }

    /// Checks one item of the data: an event or a top-level entity.
    fn item(&mut self, item: &Json, path: &str, send_time: Option<&str>) {
        if !item.is_object() {
            return self.report(Rule::E8, path, "must be an object");
        }
        self.context(item, path);
        let kind = item.get("type").and_then(Json::text);
        if self.is_selector(item) {
            let detail = "a selector must not be here; it belongs in an annotation";
            return self.report(Rule::N3, &pointer(path, "type"), detail);
        }
        let is_entity = kind.is_some_and(|kind| self.vocabulary.entities.contains_key(kind))
            || item.get("action").is_none() && item.get("eventTime").is_none();
        if is_entity {
            self.entity(item, path);
        } else {
            self.event(item, path, send_time);
        }
        self.check_related_types(item, path);
    }

    fn context(&mut self, item: &Json, path: &str) {
        let path = pointer(path, "@context");
        let caliper_1_1 = &self.vocabulary.context;
        match item.get("@context") {
            Some(Json::Text(context)) if context.as_str() != Some(caliper_1_1) => {
                self.report(
                    Rule::C2,
                    &path,
                    format!("the context must be {caliper_1_1}"),
                );
            }
            Some(Json::Text(_)) => (),
            Some(Json::Array(contexts)) => {
                if contexts.last().and_then(Json::text) != Some(caliper_1_1) {
                    self.report(
                        Rule::C3,
                        &path,
                        format!("the last context must be {caliper_1_1}"),
                    );
                }
                let terms = contexts.iter().flat_map(Json::members);
                let mut terms = terms.filter_map(|(term, _)| term.as_str());
                let redefined = terms.find(|term| self.is_term(term));
                if let Some(term) = redefined {
                    self.report(Rule::C4, &path, format!("{term} must not be redefined"));
                }
            }
            _ => self.report(Rule::C1, &path, "the context must be a string or an array"),
        }
    }

    fn is_term(&self, term: &str) -> bool {
        let Vocabulary {
            events,
            entities,
            selectors,
            ..
        } = self.vocabulary;
        events.contains_key(term)
            || entities.contains_key(term)
            || self.vocabulary.event_property("Event", term).is_some()
            || selectors.contains_key(term)
            || selectors
                .values()
                .any(|properties| properties.contains_key(term))
            || entities
                .keys()
                .any(|entity| self.vocabulary.entity_property(entity, term).is_some())
    }

    fn check_unique_keys(&mut self, object: &Json, path: &str) {
        let mut seen = HashSet::new();
        for (name, _) in object.members() {
            if !seen.insert(name) {
                self.report(Rule::E9, &member(path, name), "this key appears twice");
            }
        }
    }

    /// Checks an extension. The only rule is that its keys are unique.
    fn extension(&mut self, json: &Json, path: &str) {
        self.check_unique_keys(json, path);
        for (name, value) in json.members() {
            self.extension(value, &member(path, name));
        }
        if let Json::Array(elements) = json {
            for (index, element) in elements.iter().enumerate() {
                self.extension(element, &format!("{path}/{index}"));
            }
        }
    }

    /// Checks that one id does not name entities of unrelated types.
    fn check_related_types(&mut self, item: &Json, path: &str) {
        let mut typed_ids = Vec::new();
        collect_typed_ids(item, &mut typed_ids);
        let vocabulary = self.vocabulary;
        let mut reported = HashSet::new();
        // The list of types stays short: an id is not checked further after its first unrelated type.
        let mut types: HashMap<&str, Vec<&str>> = HashMap::new();
        for (id, kind) in typed_ids {
            let others = types.entry(id).or_default();
            if reported.contains(id) || others.contains(&kind) {
                continue;
            }
            let unrelated = others
                .iter()
                .find(|other| !vocabulary.is_a(kind, other) && !vocabulary.is_a(other, kind));
            match unrelated {
                None => others.push(kind),
                Some(other) => {
                    reported.insert(id);
                    self.report(
                        Rule::N10,
                        path,
                        format!("{id} is both a {other} and a {kind}"),
                    );
                }
            }
        }
    }
}

/// Collects the id and the type of each entity in an item, except in extensions.
fn collect_typed_ids<'a>(json: &'a Json, typed_ids: &mut Vec<(&'a str, &'a str)>) {
    let text = |key| json.get(key).and_then(Json::text);
    if let (Some(id), Some(kind)) = (text("id"), text("type")) {
        typed_ids.push((id, kind));
    }
    for (key, value) in json.members() {
        if key.as_str() != Some("extensions") {
            collect_typed_ids(value, typed_ids);
        }
    }
    if let Json::Array(elements) = json {
        for element in elements {
            collect_typed_ids(element, typed_ids);
        }
    }
}

/// Returns the JSON pointer to the member with this key.
fn member(path: &str, key: &JsonString) -> String {
    match key.as_str() {
        Some(name) => pointer(path, name),
        None => pointer(path, &key.to_string()),
    }
}

/// Returns the JSON pointer to the member with this name.
fn pointer(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}
