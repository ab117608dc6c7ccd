//! Validates events.

use easel_catalog::Json;

use crate::rule::Rule;

use super::{Checker, form, member, pointer};

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
                self.breach(Rule::V1, &pointer(path, name), format!("{name} is missing"));
            }
        }
        let kind = self.event_kind(event, path);
        // An event of unknown type is checked as a plain `Event`.
        let known_as = kind.unwrap_or("Event");
        for (key, value) in event.members() {
            let path = member(path, key);
            let name = key.as_str().unwrap_or_default();
            if name == "@context" {
                continue;
            }
            if value.is_empty() {
                if !REQUIRED.contains(&name) {
                    self.breach(Rule::N8, &path, "must not be empty");
                }
                continue;
            }
            match self.vocabulary.event_property(known_as, name) {
                None => {
                    self.breach(Rule::V6, &path, format!("{known_as} has no such property"));
                }
                Some(_) if name == "extensions" && !value.is_object() => {
                    self.breach(Rule::V6, &path, "extensions must be an object");
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

    /// Checks the type of an event and returns it if it is a term.
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
                    self.breach(Rule::V9, &path, format!("{kind} is deprecated"));
                }
                Some(kind)
            }
            None => {
                self.breach(Rule::V3, &path, "the event type is unknown");
                None
            }
        }
    }

    fn event_id(&mut self, id: &Json, path: &str) {
        match id.text().and_then(form::uuid) {
            None => self.breach(Rule::V2, path, "must be a UUID as a URN"),
            Some(uuid) => {
                let is_random =
                    uuid.get_version_num() == 4 && uuid.get_variant() == uuid::Variant::RFC4122;
                if !is_random {
                    self.breach(Rule::V2s, path, "should be a UUID of version 4");
                }
            }
        }
    }

    fn action(&mut self, event: &Json, kind: &str, path: &str) {
        let Some(action) = event.get("action").filter(|value| !value.is_empty()) else {
            return;
        };
        let path = pointer(path, "action");
        let Some(action) = action
            .text()
            .filter(|name| self.vocabulary.knows_action(name))
        else {
            // A value that is not a string was reported already.
            if matches!(action, Json::Text(_)) {
                self.breach(Rule::V4, &path, "the action is unknown");
            }
            return;
        };
        let Some(term) = self.vocabulary.events.get(kind) else {
            return;
        };
        let is_same = |known: &String| same_action(known, action);
        if term
            .actions
            .as_ref()
            .is_none_or(|actions| actions.iter().any(is_same))
        {
            return;
        }
        if term.deprecated_actions.iter().any(is_same) {
            self.breach(
                Rule::V5s,
                &path,
                format!("{action} is deprecated for {kind}"),
            );
        } else {
            self.breach(Rule::V5, &path, format!("{kind} does not allow {action}"));
        }
    }

    /// Checks the rules of the metric profiles.
    fn profile(&mut self, event: &Json, kind: &str, path: &str) {
        let action = event.get("action").and_then(Json::text).unwrap_or_default();
        let type_of = |name| {
            event
                .get(name)
                .and_then(|value| value.get("type"))
                .and_then(Json::text)
        };
        let generates = event
            .get("generated")
            .is_some_and(|value| !value.is_empty());
        let generated = pointer(path, "generated");
        match kind {
            "Event" => {
                if let Some(object) = type_of("object")
                    && let Some(better) = self.better_type(action, object)
                {
                    let detail = format!("{action} on a {object} must be a {better}");
                    self.breach(Rule::P5, &pointer(path, "type"), detail);
                }
            }
            "SessionEvent" => {
                let (actor, object) = match action {
                    "TimedOut" => ("SoftwareApplication", "Session"),
                    _ => ("Person", "SoftwareApplication"),
                };
                for (name, wanted) in [("actor", actor), ("object", object)] {
                    // A type that the event never allows was reported already.
                    let other = ["Person", "SoftwareApplication", "Session"];
                    let is_other = type_of(name)
                        .is_some_and(|found| found != wanted && other.contains(&found));
                    let allowed = self
                        .vocabulary
                        .event_property(kind, name)
                        .unwrap_or_default();
                    if is_other && type_of(name).is_some_and(|found| allowed.contains(found)) {
                        let detail = format!("must be a {wanted} for {action}");
                        self.breach(Rule::V10, &pointer(path, name), detail);
                    }
                }
                if event.get("session").is_none_or(Json::is_empty)
                    && type_of("object") != Some("Session")
                {
                    self.breach(
                        Rule::P4s,
                        &pointer(path, "session"),
                        "the session is missing",
                    );
                }
            }
            "GradeEvent" if !generates => {
                self.breach(Rule::P1, &generated, "the score is missing");
            }
            "AssessmentEvent" if !generates => {
                self.breach(Rule::P2, &generated, "the attempt is missing");
            }
            "AssignableEvent"
                if matches!(action, "Started" | "Completed" | "Submitted" | "Reviewed") =>
            {
                if !generates {
                    self.breach(Rule::P3, &generated, "the attempt is missing");
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

    /// Returns the specific event type for this action on this type of object.
    fn better_type(&self, action: &str, object: &str) -> Option<&'static str> {
        let mut names: Vec<_> = self.vocabulary.events.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        names.into_iter().find_map(|(name, term)| {
            let knows = |known: &Vec<String>| known.iter().any(|name| same_action(name, action));
            let is_for = !term.deprecated && term.actions.as_ref().is_some_and(knows);
            let objects = self.vocabulary.event_property(name, "object")?;
            let fits = objects
                .split(" | ")
                .any(|allowed| self.vocabulary.is_a(object, allowed));
            (is_for && fits).then_some(name.as_str())
        })
    }

    /// Checks rules that the standard does not state but that sensible data follows.
    fn sense(&mut self, event: &Json, path: &str, send_time: Option<&str>) {
        // An entity is an object or only its id.
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
                self.breach(Rule::X1, &pointer(&path, "member"), "is not the actor");
            }
            let organization = membership.get("organization").and_then(id_of);
            match event_member_id("group") {
                None => self.breach(Rule::X3, &path, "the group is missing"),
                Some(group) if organization.is_some() && organization != Some(group.clone()) => {
                    let detail = "is not the group";
                    self.breach(Rule::X2, &pointer(&path, "organization"), detail);
                }
                Some(_) => (),
            }
            if membership.get("roles").is_none() {
                self.breach(Rule::X4, &path, "roles are missing");
            }
        }
        // Times in this fixed format compare like strings.
        let event_time = event.get("eventTime").and_then(Json::text);
        let both = event_time.zip(send_time);
        if both.is_some_and(|(event, sent)| {
            form::is_time(event) && form::is_time(sent) && event > sent
        }) {
            let detail = "is after the send time";
            self.breach(Rule::X5, &pointer(path, "eventTime"), detail);
        }
    }
}

/// Returns whether two names mean the same action. The standard spells one action in two ways.
fn same_action(one: &str, other: &str) -> bool {
    one == other
        || [one, other]
            .iter()
            .all(|name| name.eq_ignore_ascii_case("MarkedAsUnread"))
}
