//! The Caliper templates as JSON Schema, draft 2020-12.

use serde_json::{Map, Value, json};

use crate::caliper_template::{Computed, DialectTemplate, TemplateProperty, ValueSource};
use crate::catalog::Catalog;
use crate::event_type::EventType;
use crate::field::{Field, Kind};

const CONTEXT: &str = "http://purl.imsglobal.org/ctx/caliper/v1p1";
const TIME: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$";

impl Catalog {
    /// Returns the JSON Schema of an envelope with events of this type in the dialect of
    /// `template`. `format` is the name of the dialect.
    ///
    /// The schema has the properties and their types. The checker of `easel-caliper` validates the
    /// other rules of the standard.
    pub fn caliper_schema(
        &self,
        event_type: &EventType,
        format: &str,
        template: &DialectTemplate,
    ) -> Value {
        let schema = Schema {
            catalog: self,
            event_type,
        };
        let mut event = json!({
            "@context": { "const": CONTEXT },
            "id": { "type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$" },
            "type": { "const": template.kind },
            "actor": entity_with_id(),
            "action": { "const": template.action },
            "object": schema.entity(&template.object),
            "eventTime": { "type": "string", "pattern": TIME },
            "referrer": { "type": "string" },
            "edApp": entity_with_id(),
            "group": entity_with_id(),
            "membership": entity_with_id(),
            "session": entity_with_id(),
            "extensions": { "type": "object" },
        });
        if !template.generated.is_empty()
            && let Value::Object(members) = &mut event
        {
            members.insert("generated".to_owned(), schema.entity(&template.generated));
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:easel:{format}:{}", event_type.name),
            "title": event_type.name,
            "description": event_type.meaning,
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

/// Returns the schema of an entity that every event can have, such as the actor.
fn entity_with_id() -> Value {
    json!({ "type": "object", "required": ["id", "type"] })
}

struct Schema<'a> {
    catalog: &'a Catalog,
    event_type: &'a EventType,
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
            .map(|property| (property.key.to_owned(), self.value(&property.value)))
            .collect()
    }

    fn value(&self, source: &ValueSource) -> Value {
        match source {
            ValueSource::Constant(constant) => json!({ "const": constant }),
            ValueSource::OfBody(name) => {
                let field = self
                    .event_type
                    .body
                    .iter()
                    .find(|field| field.name == *name);
                field.map_or(json!({}), field_schema)
            }
            ValueSource::OfMetadata(name) => {
                let field = self
                    .catalog
                    .metadata()
                    .iter()
                    .find(|metadata| metadata.field.name == *name);
                field.map_or(json!({}), |metadata| field_schema(&metadata.field))
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
                | Computed::GraderUrn
                | Computed::AssetClass
                | Computed::AssetStrictClass
                | Computed::AssetName,
            ) => json!({ "type": "string" }),
        }
    }
}

fn field_schema(field: &Field) -> Value {
    let about = field.about;
    match &field.kind {
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
