//! Validates events.

use easel_catalog::Json;

use crate::rule::Rule;

use super::{Checker, member, pointer, text_format};

const REQUIRED: [&str; 6] = ["id", "type", "actor", "action", "object", "eventTime"];

/// The rule that an entity of the wrong type breaks, by the property that holds the entity.
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
        self.check_unique_keys(event, path);
        for name in REQUIRED {
            if event.get(name).is_none_or(Json::is_empty) {
                self.report(Rule::V1, &pointer(path, name), format!("{name} is missing"));
            }
        }
        let kind = self.event_kind(event, path);
        // An event of unknown type is checked as a plain `Event`.
        let checked_kind = kind.unwrap_or("Event");
        for (key, value) in event.members() {
            let path = member(path, key);
            let name = key.as_str().unwrap_or_default();
            if name == "@context" {
                continue;
            }
            if value.is_empty() {
                if !REQUIRED.contains(&name) {
                    self.report(Rule::N8, &path, "must not be empty");
                }
                continue;
            }
            match self.vocabulary.event_property(checked_kind, name) {
                None => {
                    self.report(
                        Rule::V6,
                        &path,
                        format!("{checked_kind} has no such property"),
                    );
                }
                Some(_) if name == "extensions" && !value.is_object() => {
                    self.report(Rule::V6, &path, "extensions must be an object");
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
            self.check_action(event, kind, path);
            self.check_profiles(event, kind, path);
        }
        self.check_sense(event, path, send_time);
    }

    /// Checks the type of an event. Returns the type if it is a term.
    fn event_kind<'a>(&mut self, event: &'a Json, path: &str) -> Option<&'a str> {
        let path = pointer(path, "type");
        let kind = event.get("type").filter(|value| !value.is_empty())?;
        match kind
            .text()
            .filter(|kind| self.vocabulary.events.contains_key(*kind))
        {
            Some(kind) => {
                let is_deprecated = self
                    .vocabulary
                    .events
                    .get(kind)
                    .is_some_and(|term| term.deprecated);
                if is_deprecated {
                    self.report(Rule::V9, &path, format!("{kind} is deprecated"));
                }
                Some(kind)
            }
            None => {
                self.report(Rule::V3, &path, "the event type is unknown");
                None
            }
        }
    }

    fn event_id(&mut self, id: &Json, path: &str) {
        match id.text().and_then(text_format::uuid) {
            None => self.report(Rule::V2, path, "must be a UUID as a URN"),
            Some(uuid) => {
                let is_random =
                    uuid.get_version_num() == 4 && uuid.get_variant() == uuid::Variant::RFC4122;
                if !is_random {
                    self.report(Rule::V2s, path, "should be a UUID of version 4");
                }
            }
        }
    }

    fn check_action(&mut self, event: &Json, kind: &str, path: &str) {
        let Some(action) = event.get("action").filter(|value| !value.is_empty()) else {
            return;
        };
        let path = pointer(path, "action");
        let Some(action) = action
            .text()
            .filter(|name| self.vocabulary.has_action(name))
        else {
            // A value that is not a string was reported already.
            if matches!(action, Json::Text(_)) {
                self.report(Rule::V4, &path, "the action is unknown");
            }
            return;
        };
        let Some(term) = self.vocabulary.events.get(kind) else {
            return;
        };
        let is_same = |name: &String| same_action(name, action);
        if term
            .actions
            .as_ref()
            .is_none_or(|actions| actions.iter().any(is_same))
        {
            return;
        }
        if term.deprecated_actions.iter().any(is_same) {
            self.report(
                Rule::V5s,
                &path,
                format!("{action} is deprecated for {kind}"),
            );
        } else {
            self.report(Rule::V5, &path, format!("{kind} does not allow {action}"));
        }
    }

    /// Checks the rules of the metric profiles.
    fn check_profiles(&mut self, event: &Json, kind: &str, path: &str) {
        let action = event.get("action").and_then(Json::text).unwrap_or_default();
        let type_of = |name| {
            event
                .get(name)
                .and_then(|value| value.get("type"))
                .and_then(Json::text)
        };
        let has_generated = event
            .get("generated")
            .is_some_and(|value| !value.is_empty());
        let generated_path = pointer(path, "generated");
        match kind {
            "Event" => {
                if let Some(object) = type_of("object")
                    && let Some(better) = self.better_type(action, object)
                {
                    let detail = format!(
                        "the event type must be {better}, because the action is {action} and the object is a {object}"
                    );
                    self.report(Rule::P5, &pointer(path, "type"), detail);
                }
            }
            "SessionEvent" => {
                let (actor, object) = match action {
                    "TimedOut" => ("SoftwareApplication", "Session"),
                    _ => ("Person", "SoftwareApplication"),
                };
                for (name, wanted) in [("actor", actor), ("object", object)] {
                    // A type that the event never allows was reported already.
                    let session_types = ["Person", "SoftwareApplication", "Session"];
                    let is_other = type_of(name)
                        .is_some_and(|found| found != wanted && session_types.contains(&found));
                    let allowed = self
                        .vocabulary
                        .event_property(kind, name)
                        .unwrap_or_default();
                    if is_other && type_of(name).is_some_and(|found| allowed.contains(found)) {
                        let detail =
                            format!("must be of type {wanted}, because the action is {action}");
                        self.report(Rule::V10, &pointer(path, name), detail);
                    }
                }
                if event.get("session").is_none_or(Json::is_empty)
                    && type_of("object") != Some("Session")
                {
                    self.report(
                        Rule::P4s,
                        &pointer(path, "session"),
                        "the session is missing",
                    );
                }
            }
            "GradeEvent" if !has_generated => {
                self.report(Rule::P1, &generated_path, "the score is missing");
            }
            "AssessmentEvent" if !has_generated => {
                self.report(Rule::P2, &generated_path, "the attempt is missing");
            }
            "AssignableEvent"
                if matches!(action, "Started" | "Completed" | "Submitted" | "Reviewed") =>
            {
                if !has_generated {
                    self.report(Rule::P3, &generated_path, "the attempt is missing");
                }
                if let (Some("Attempt"), Some(attempt)) =
                    (type_of("generated"), event.get("generated"))
                {
                    for name in ["assignee", "assignable", "count"] {
                        if attempt.get(name).is_none_or(Json::is_empty) {
                            let detail = format!("the attempt has no {name}");
                            self.report(Rule::P4, &pointer(&generated_path, name), detail);
                        }
                    }
                }
            }
            _ => (),
        }
    }

    /// Returns the event type that fits this action on this type of object better than `Event`.
    fn better_type(&self, action: &str, object: &str) -> Option<&'static str> {
        let mut names: Vec<_> = self.vocabulary.events.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        names.into_iter().find_map(|(name, term)| {
            let has_action =
                |names: &Vec<String>| names.iter().any(|name| same_action(name, action));
            let allows = !term.deprecated && term.actions.as_ref().is_some_and(has_action);
            let objects = self.vocabulary.event_property(name, "object")?;
            let fits = objects
                .split(" | ")
                .any(|allowed| self.vocabulary.is_a(object, allowed));
            (allows && fits).then_some(name.as_str())
        })
    }

    /// Checks the rules of the level `Sense`.
    fn check_sense(&mut self, event: &Json, path: &str, send_time: Option<&str>) {
        // An entity is either an object or a string with its id.
        let id_of = |entity: &'_ Json| -> Option<String> {
            let id = entity
                .text()
                .or_else(|| entity.get("id").and_then(Json::text));
            id.map(str::to_owned)
        };
        let event_member_id = |name| event.get(name).and_then(id_of);
        let is_membership =
            |entity: &&Json| entity.get("type").and_then(Json::text) == Some("Membership");
        if let Some(membership) = event.get("membership").filter(is_membership) {
            let path = pointer(path, "membership");
            let member_id = membership.get("member").and_then(id_of);
            if member_id.is_some() && member_id != event_member_id("actor") {
                self.report(Rule::X1, &pointer(&path, "member"), "is not the actor");
            }
            let organization = membership.get("organization").and_then(id_of);
            match event_member_id("group") {
                None => self.report(Rule::X3, &path, "the group is missing"),
                Some(group) if organization.is_some() && organization != Some(group.clone()) => {
                    let detail = "must be the same as the group of the event";
                    self.report(Rule::X2, &pointer(&path, "organization"), detail);
                }
                Some(_) => (),
            }
            if membership.get("roles").is_none() {
                self.report(Rule::X4, &path, "roles are missing");
            }
        }
        // Times in this fixed format compare like strings.
        let event_time = event.get("eventTime").and_then(Json::text);
        let both = event_time.zip(send_time);
        if both.is_some_and(|(event, sent)| {
            text_format::is_time(event) && text_format::is_time(sent) && event > sent
        }) {
            let detail = "is after the send time";
            self.report(Rule::X5, &pointer(path, "eventTime"), detail);
        }
    }
}

/// Returns whether two names mean the same action. The standard spells `MarkedAsUnread` in two ways.
fn same_action(one: &str, other: &str) -> bool {
    one == other
        || [one, other]
            .iter()
            .all(|name| name.eq_ignore_ascii_case("MarkedAsUnread"))
}
