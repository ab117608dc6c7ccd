//! The Caliper forms as JSON Schema, draft 2020-12.

use serde_json::{Map, Value, json};

use crate::caliper_form::{Computed, Template, TemplateProperty, ValueSource};
use crate::catalog::Catalog;
use crate::event_type::EventType;
use crate::field::Kind;

const CONTEXT: &str = "http://purl.imsglobal.org/ctx/caliper/v1p1";
const TIME: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$";

impl Catalog {
    /// The JSON Schema of an envelope with events of this type in one of its Caliper forms.
    ///
    /// It tells what is there and of what type; what the standard asks besides, the checker knows.
    pub fn caliper_schema(&self, of: &EventType, format: &str, form: &Template) -> Value {
        let schema = Schema { catalog: self, of };
        let mut event = json!({
            "@context": { "const": CONTEXT },
            "id": { "type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$" },
            "type": { "const": form.kind },
            "actor": named(),
            "action": { "const": form.action },
            "object": schema.entity(&form.object),
            "eventTime": { "type": "string", "pattern": TIME },
            "referrer": { "type": "string" },
            "edApp": named(),
            "group": named(),
            "membership": named(),
            "session": named(),
            "extensions": { "type": "object" },
        });
        if !form.generated.is_empty()
            && let Value::Object(members) = &mut event
        {
            members.insert("generated".to_owned(), schema.entity(&form.generated));
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:easel:{format}:{}", of.name),
            "title": of.name,
            "description": of.meaning,
            "type": "object",
            "required": ["sensor", "sendTime", "dataVersion", "data"],
            "additionalProperties": false,
            "properties": {
                "sensor": { "type": "string" },
                "sendTime": { "type": "string", "pattern": TIME },
                "dataVersion": { "const": CONTEXT },
                "data": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["@context", "id", "type", "actor", "action", "object", "eventTime", "edApp", "extensions"],
                        "additionalProperties": false,
                        "properties": event,
                    },
                },
            },
        })
    }
}

/// An entity that the frame of every event has.
fn named() -> Value {
    json!({ "type": "object", "required": ["id", "type"] })
}

struct Schema<'a> {
    catalog: &'a Catalog,
    of: &'a EventType,
}

impl Schema<'_> {
    fn entity(&self, members: &[TemplateProperty]) -> Value {
        json!({
            "type": "object",
            "required": ["id", "type"],
            "additionalProperties": false,
            "properties": self.properties(members),
        })
    }

    fn properties(&self, members: &[TemplateProperty]) -> Map<String, Value> {
        let properties = members.iter();
        properties
            .map(|it| (it.key.to_owned(), self.value(&it.value)))
            .collect()
    }

    fn value(&self, source: &ValueSource) -> Value {
        match source {
            ValueSource::Constant(constant) => json!({ "const": constant }),
            ValueSource::OfBody(name) => {
                let field = self.of.body.iter().find(|it| it.name == *name);
                field.map_or(json!({}), |it| of_kind(&it.kind, it.about))
            }
            ValueSource::OfMetadata(name) => {
                let field = self
                    .catalog
                    .metadata()
                    .iter()
                    .find(|it| it.field.name == *name);
                field.map_or(json!({}), |it| of_kind(&it.field.kind, it.field.about))
            }
            ValueSource::Urn(_) => {
                json!({ "type": "string", "pattern": "^urn:instructure:canvas:" })
            }
            ValueSource::Entity(members) => self.entity(members),
            ValueSource::Array(members) => {
                json!({ "type": "array", "items": self.entity(members) })
            }
            ValueSource::Extensions(members) => json!({
                "type": "object",
                "properties": {
                    "com.instructure.canvas": { "type": "object", "properties": self.properties(members) },
                },
            }),
            ValueSource::Computed(
                Computed::Base
                | Computed::GraderName
                | Computed::AssetClass
                | Computed::AssetStrictClass
                | Computed::AssetName,
            ) => json!({ "type": "string" }),
        }
    }
}

fn of_kind(kind: &Kind, about: &str) -> Value {
    match kind {
        Kind::Text | Kind::Id(_) => json!({ "type": "string", "description": about }),
        Kind::Integer => json!({ "type": "integer", "description": about }),
        Kind::Number => json!({ "type": "number", "description": about }),
        Kind::Boolean => json!({ "type": "boolean", "description": about }),
        Kind::Timestamp(_) => json!({ "type": "string", "pattern": TIME, "description": about }),
        Kind::Object(_) | Kind::Texts | Kind::Ids(_) | Kind::Objects(_) => {
            json!({ "description": about })
        }
    }
}
