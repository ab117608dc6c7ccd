//! What an event has to be.

use easel_catalog::Json;

use crate::rule::Rule;

use super::{Checker, form, member, pointer};

const REQUIRED: [&str; 6] = ["id", "type", "actor", "action", "object", "eventTime"];

/// The rule that an entity of another type breaks, by the property it is in.
const RULES: [(&str, Rule); 10] = [
    ("actor", Rule::V7),
    ("object", Rule::V8),
    ("generated", Rule::V8g),
    ("target", Rule::V8t),
    ("referrer", Rule::V8r),
    ("group", Rule::V8p),
    ("membership", Rule::V8m),
    ("session", Rule::V8s),
    ("federatedSession", Rule::V8s),
    ("edApp", Rule::V8e),
];

impl Checker {
    pub(super) fn event(&mut self, event: &Json, path: &str, send_time: Option<&str>) {
        self.keys_differ(event, path);
        for name in REQUIRED {
            if event.get(name).is_none_or(Json::is_empty) {
                self.breach(
                    Rule::V1,
                    &pointer(path, name),
                    format!("there is no {name}"),
                );
            }
        }
        let kind = self.event_kind(event, path);
        // What no type knows is not known to the plain event either.
        let known_as = kind.unwrap_or("Event");
        for (key, value) in event.members() {
            let path = member(path, key);
            let name = key.as_str().unwrap_or_default();
            if name == "@context" {
                continue;
            }
            if value.is_empty() {
                if !REQUIRED.contains(&name) {
                    self.breach(Rule::N8, &path, "this says nothing");
                }
                continue;
            }
            match self.vocabulary.event_property(known_as, name) {
                None => {
                    self.breach(
                        Rule::V6,
                        &path,
                        format!("a {known_as} has no such property"),
                    );
                }
                Some(_) if name == "extensions" && !value.is_object() => {
                    self.breach(Rule::V6, &path, "extensions are an object");
                }
                Some(_) if name == "id" => self.event_id(value, &path),
                Some(wanted) => {
                    let rule = RULES.iter().find(|(property, _)| *property == name);
                    let rule = rule.map_or(Rule::N5, |(_, rule)| *rule);
                    self.value(value, wanted, rule, &path);
                }
            }
        }
        if let Some(kind) = kind {
            self.action(event, kind, path);
            self.profile(event, kind, path);
        }
        self.sense(event, path, send_time);
    }

    /// The type of an event, if it is a term.
    fn event_kind<'a>(&mut self, event: &'a Json, path: &str) -> Option<&'a str> {
        let path = pointer(path, "type");
        let kind = event.get("type").filter(|it| !it.is_empty())?;
        match kind
            .text()
            .filter(|kind| self.vocabulary.events.contains_key(*kind))
        {
            Some(kind) => {
                let is_given_up = self
                    .vocabulary
                    .events
                    .get(kind)
                    .is_some_and(|it| it.deprecated);
                if is_given_up {
                    self.breach(Rule::V9, &path, format!("{kind} is given up"));
                }
                Some(kind)
            }
            None => {
                self.breach(Rule::V3, &path, "this is no type of events");
                None
            }
        }
    }

    fn event_id(&mut self, id: &Json, path: &str) {
        match id.text().and_then(form::uuid) {
            None => self.breach(Rule::V2, path, "this is no UUID as a URN"),
            Some(uuid) => {
                let is_random =
                    uuid.get_version_num() == 4 && uuid.get_variant() == uuid::Variant::RFC4122;
                if !is_random {
                    self.breach(Rule::V2s, path, "this is no UUID of version 4");
                }
            }
        }
    }

    fn action(&mut self, event: &Json, kind: &str, path: &str) {
        let Some(action) = event.get("action").filter(|it| !it.is_empty()) else {
            return;
        };
        let path = pointer(path, "action");
        let Some(action) = action.text().filter(|it| self.vocabulary.knows_action(it)) else {
            // A value of another kind was told already.
            if matches!(action, Json::Text(_)) {
                self.breach(Rule::V4, &path, "this is no action");
            }
            return;
        };
        let Some(term) = self.vocabulary.events.get(kind) else {
            return;
        };
        let is_it = |known: &String| same_action(known, action);
        if term
            .actions
            .as_ref()
            .is_none_or(|them| them.iter().any(is_it))
        {
            return;
        }
        if term.deprecated_actions.iter().any(is_it) {
            self.breach(Rule::V5s, &path, format!("{kind} has given {action} up"));
        } else {
            self.breach(Rule::V5, &path, format!("{kind} does not know {action}"));
        }
    }

    /// What the profiles ask for.
    fn profile(&mut self, event: &Json, kind: &str, path: &str) {
        let action = event.get("action").and_then(Json::text).unwrap_or_default();
        let type_of = |name| {
            event
                .get(name)
                .and_then(|it| it.get("type"))
                .and_then(Json::text)
        };
        let generates = event.get("generated").is_some_and(|it| !it.is_empty());
        let generated = pointer(path, "generated");
        match kind {
            "Event" => {
                if let Some(object) = type_of("object")
                    && let Some(better) = self.better_type(action, object)
                {
                    let detail = format!("{action} on a {object} is a {better}");
                    self.breach(Rule::P5, &pointer(path, "type"), detail);
                }
            }
            "SessionEvent" => {
                let (actor, object) = match action {
                    "TimedOut" => ("SoftwareApplication", "Session"),
                    _ => ("Person", "SoftwareApplication"),
                };
                for (name, wanted) in [("actor", actor), ("object", object)] {
                    // What the type does not allow at all was told already.
                    let other = ["Person", "SoftwareApplication", "Session"];
                    let is_other =
                        type_of(name).is_some_and(|it| it != wanted && other.contains(&it));
                    let allowed = self
                        .vocabulary
                        .event_property(kind, name)
                        .unwrap_or_default();
                    if is_other && type_of(name).is_some_and(|it| allowed.contains(it)) {
                        let detail = format!("with {action} this is a {wanted}");
                        self.breach(Rule::V10, &pointer(path, name), detail);
                    }
                }
                if event.get("session").is_none_or(Json::is_empty)
                    && type_of("object") != Some("Session")
                {
                    self.breach(Rule::P4s, &pointer(path, "session"), "there is no session");
                }
            }
            "GradeEvent" if !generates => {
                self.breach(Rule::P1, &generated, "there is no score");
            }
            "AssessmentEvent" if !generates => {
                self.breach(Rule::P2, &generated, "there is no attempt");
            }
            "AssignableEvent"
                if matches!(action, "Started" | "Completed" | "Submitted" | "Reviewed") =>
            {
                if !generates {
                    self.breach(Rule::P3, &generated, "there is no attempt");
                }
                if let (Some("Attempt"), Some(attempt)) =
                    (type_of("generated"), event.get("generated"))
                {
                    for name in ["assignee", "assignable", "count"] {
                        if attempt.get(name).is_none_or(Json::is_empty) {
                            let detail = format!("the attempt has no {name}");
                            self.breach(Rule::P4, &pointer(&generated, name), detail);
                        }
                    }
                }
            }
            _ => (),
        }
    }

    /// The type of events that is for this action on this type of object.
    fn better_type(&self, action: &str, object: &str) -> Option<&'static str> {
        let mut names: Vec<_> = self.vocabulary.events.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        names.into_iter().find_map(|(name, term)| {
            let knows = |them: &Vec<String>| them.iter().any(|it| same_action(it, action));
            let is_for = !term.deprecated && term.actions.as_ref().is_some_and(knows);
            let objects = self.vocabulary.event_property(name, "object")?;
            let fits = objects
                .split(" | ")
                .any(|it| self.vocabulary.is_a(object, it));
            (is_for && fits).then_some(name.as_str())
        })
    }

    fn sense(&mut self, event: &Json, path: &str, send_time: Option<&str>) {
        // An entity in full, or the name that stands for it.
        let name_of = |it: &'_ Json| -> Option<String> {
            let name = it.text().or_else(|| it.get("id").and_then(Json::text));
            name.map(str::to_owned)
        };
        let named = |name| event.get(name).and_then(name_of);
        let is_one = |it: &&Json| it.get("type").and_then(Json::text) == Some("Membership");
        if let Some(membership) = event.get("membership").filter(is_one) {
            let path = pointer(path, "membership");
            let member_name = membership.get("member").and_then(name_of);
            if member_name.is_some() && member_name != named("actor") {
                self.breach(Rule::X1, &pointer(&path, "member"), "this is not who acts");
            }
            let organization = membership.get("organization").and_then(name_of);
            match named("group") {
                None => self.breach(Rule::X3, &path, "there is no group"),
                Some(group) if organization.is_some() && organization != Some(group.clone()) => {
                    let detail = "this is not the group";
                    self.breach(Rule::X2, &pointer(&path, "organization"), detail);
                }
                Some(_) => (),
            }
            if membership.get("roles").is_none() {
                self.breach(Rule::X4, &path, "there are no roles");
            }
        }
        // In the one form they have, times compare like texts.
        let event_time = event.get("eventTime").and_then(Json::text);
        let both = event_time.zip(send_time);
        if both.is_some_and(|(event, sent)| {
            form::is_time(event) && form::is_time(sent) && event > sent
        }) {
            let detail = "this is after it was sent";
            self.breach(Rule::X5, &pointer(path, "eventTime"), detail);
        }
    }
}

/// Whether two spellings are of one action: one of them is spelled in two ways.
fn same_action(one: &str, other: &str) -> bool {
    one == other
        || [one, other]
            .iter()
            .all(|it| it.eq_ignore_ascii_case("MarkedAsUnread"))
}
