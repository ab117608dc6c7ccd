//! Holding an envelope against the standard.
//!
//! The rules are those of [`Rule`]; an entity may stand as its name alone, and then only that can
//! be checked. Not checked is what needs knowledge from outside: whether an actor that grades is a
//! machine, whether a message answers another.

mod entity;
mod event;
mod form;

use std::collections::{HashMap, HashSet};

use crate::iri::is_iri;
use crate::json::Json;
use crate::rule::{Breach, Level, Rule};
use crate::vocabulary::Vocabulary;

/// The members of an envelope.
const MEMBERS: [&str; 4] = ["sensor", "sendTime", "dataVersion", "data"];

/// Why something cannot be held against the standard at all.
#[derive(Debug, thiserror::Error)]
#[error("this is not valid JSON; see line {}, column {}", said.line(), said.column())]
pub struct NoJson {
    said: serde_json::Error,
}

/// The most breaches that are told of one envelope; a MUST is told even where the rest fills it.
const MAX_BREACHES: usize = 1000;

/// Finds the rules that an envelope breaks, in the order of its members: the first thousand breaches,
/// and as many more of rules that say MUST.
pub fn check(envelope: &[u8]) -> Result<Vec<Breach>, NoJson> {
    let json = serde_json::from_slice(envelope).map_err(|said| NoJson { said })?;
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
    fn breach(&mut self, rule: Rule, path: &str, detail: impl Into<String>) {
        let room = match rule.level() {
            Level::Must => 2 * MAX_BREACHES,
            _ => MAX_BREACHES,
        };
        if self.breaches.len() >= room {
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
            return self.breach(Rule::E1, "", "this is no object");
        }
        self.keys_differ(json, "");
        for name in MEMBERS {
            if json.get(name).is_none_or(Json::is_empty) {
                self.breach(Rule::E2, &member("", name), format!("there is no {name}"));
            }
        }
        for (name, _) in json.members() {
            if !MEMBERS.contains(&name.as_str()) {
                self.breach(
                    Rule::E3,
                    &member("", name),
                    "an envelope has no such member",
                );
            }
        }
        let given = |name| json.get(name).filter(|it| !it.is_empty());
        match given("sensor").map(Json::text) {
            Some(None) => self.breach(Rule::E4, "/sensor", "this is no text"),
            Some(Some(sensor)) if !is_iri(sensor) => {
                self.breach(Rule::E4s, "/sensor", "this is no IRI");
            }
            Some(Some(_)) | None => (),
        }
        let send_time = given("sendTime");
        if send_time.is_some_and(|it| !it.text().is_some_and(form::is_time)) {
            let detail = "a time is like 2019-11-01T19:11:05.222Z";
            self.breach(Rule::E5, "/sendTime", detail);
        }
        let version = given("dataVersion");
        if version.is_some_and(|it| it.text() != Some(&self.vocabulary.context)) {
            let detail = format!("the version is {}", self.vocabulary.context);
            self.breach(Rule::E6, "/dataVersion", detail);
        }
        match given("data") {
            Some(Json::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.item(
                        item,
                        &format!("/data/{index}"),
                        send_time.and_then(Json::text),
                    );
                }
            }
            Some(_) => self.breach(Rule::E7, "/data", "this is no array"),
            None => (),
        }
    }

    /// An event, or an entity described by itself.
    fn item(&mut self, item: &Json, path: &str, send_time: Option<&str>) {
        if !item.is_object() {
            return self.breach(Rule::E8, path, "this is no object");
        }
        self.context(item, path);
        let kind = item.get("type").and_then(Json::text);
        let is_entity = kind.is_some_and(|kind| self.vocabulary.entities.contains_key(kind))
            || item.get("action").is_none() && item.get("eventTime").is_none();
        if is_entity {
            self.entity(item, path);
        } else {
            self.event(item, path, send_time);
        }
        self.names_mean_one_thing(item, path);
    }

    fn context(&mut self, item: &Json, path: &str) {
        let path = member(path, "@context");
        let ours = &self.vocabulary.context;
        match item.get("@context") {
            Some(Json::Text(context)) if context != ours => {
                self.breach(Rule::C2, &path, format!("the context is {ours}"));
            }
            Some(Json::Text(_)) => (),
            Some(Json::Array(contexts)) => {
                if contexts.last().and_then(Json::text) != Some(ours) {
                    self.breach(Rule::C3, &path, format!("the last context is {ours}"));
                }
                let terms = contexts.iter().flat_map(Json::members);
                let redefined = terms.map(|(term, _)| term).find(|term| self.is_term(term));
                if let Some(term) = redefined {
                    self.breach(Rule::C4, &path, format!("{term} has a meaning already"));
                }
            }
            _ => self.breach(
                Rule::C1,
                &path,
                "there is no context that is a text or an array",
            ),
        }
    }

    fn is_term(&self, term: &str) -> bool {
        let Vocabulary {
            events, entities, ..
        } = self.vocabulary;
        events.contains_key(term)
            || entities.contains_key(term)
            || self.vocabulary.event_property("Event", term).is_some()
            || entities
                .keys()
                .any(|it| self.vocabulary.entity_property(it, term).is_some())
    }

    fn keys_differ(&mut self, object: &Json, path: &str) {
        let mut seen = HashSet::new();
        for (name, _) in object.members() {
            if !seen.insert(name) {
                self.breach(Rule::E9, &member(path, name), "this key appears twice");
            }
        }
    }

    /// What an extension holds is its own, but for keys that appear twice.
    fn extension(&mut self, json: &Json, path: &str) {
        self.keys_differ(json, path);
        for (name, value) in json.members() {
            self.extension(value, &member(path, name));
        }
        if let Json::Array(elements) = json {
            for (index, element) in elements.iter().enumerate() {
                self.extension(element, &format!("{path}/{index}"));
            }
        }
    }

    /// No name may mean things of unrelated types.
    fn names_mean_one_thing(&mut self, item: &Json, path: &str) {
        let mut named = Vec::new();
        collect(item, &mut named);
        let vocabulary = self.vocabulary;
        let mut told = HashSet::new();
        // A name has few types: one that is unrelated to another is the last that is looked at.
        let mut types: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, kind) in named {
            let others = types.entry(name).or_default();
            if told.contains(name) || others.contains(&kind) {
                continue;
            }
            let unrelated = others
                .iter()
                .find(|other| !vocabulary.is_a(kind, other) && !vocabulary.is_a(other, kind));
            match unrelated {
                None => others.push(kind),
                Some(other) => {
                    told.insert(name);
                    self.breach(Rule::N10, path, format!("{name} is a {other} and a {kind}"));
                }
            }
        }
    }
}

/// The names in an item, outside extensions, and what they name.
fn collect<'a>(json: &'a Json, named: &mut Vec<(&'a str, &'a str)>) {
    let text = |key| json.get(key).and_then(Json::text);
    if let (Some(name), Some(kind)) = (text("id"), text("type")) {
        named.push((name, kind));
    }
    for (key, value) in json.members() {
        if key != "extensions" {
            collect(value, named);
        }
    }
    if let Json::Array(elements) = json {
        for element in elements {
            collect(element, named);
        }
    }
}

/// The JSON pointer to a member.
fn member(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}
