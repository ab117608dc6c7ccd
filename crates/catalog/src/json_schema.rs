//! The catalogue as JSON Schema, draft 2020-12.
//!
//! The schema of an event type that is known only from columns does not limit the fields of the body.
//!
//! A schema rejects what [`Catalog::check`] finds, with two exceptions: it accepts unknown fields and
//! new values of open lists. JSON Schema has no keywords for some properties of a field. Our own
//! members `x-id-scope`, `x-privacy` and `x-old-value-of` describe these properties.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::event_type::{EventOrigin, EventType};
use crate::explanation::COLUMNS_ONLY;
use crate::field::{Field, IdKind, IdScope, Kind, Precision, Privacy, Spelling, Values};

/// The formats that [`parse_timestamp`](crate::parse_timestamp) accepts. The pattern does not validate the calendar.
const TIMESTAMP: &str =
    r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?( ?[Zz]| UTC| ?[+-]\d{2}(:?\d{2})?)$";
/// The same formats, or a day without a time.
const TIMESTAMP_OR_DAY: &str =
    r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?( ?[Zz]| UTC| ?[+-]\d{2}(:?\d{2})?))?$";

impl Catalog {
    /// Returns the JSON Schema of an event of this type in the Canvas format.
    pub fn json_schema(&self, event_type: &EventType) -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:easel:canvas:{}", event_type.name),
            "title": event_type.name,
            "description": description(event_type),
            "type": "object",
            "required": ["metadata", "body"],
            "properties": {
                "metadata": self.metadata_schema(event_type.name),
                "body": body(event_type),
            },
        })
    }

    fn metadata_schema(&self, event_type: &str) -> Value {
        let fields = self.metadata().iter();
        let mut properties: Map<_, _> = fields
            .map(|metadata| (metadata.field.name.to_owned(), schema(&metadata.field)))
            .collect();
        if let Some(Value::Object(name)) = properties.get_mut("event_name") {
            name.insert("const".to_owned(), event_type.into());
        }
        let required = |origin| {
            let present = self
                .metadata()
                .iter()
                .filter(move |metadata| metadata.is_in_events_of(origin));
            let required = present
                .map(|metadata| &metadata.field)
                .filter(|field| field.is_required());
            required.map(|field| field.name).collect::<Vec<_>>()
        };
        json!({
            "type": "object",
            "required": required(EventOrigin::Neither),
            "properties": properties,
            "if": { "required": ["request_id"] },
            "then": { "required": required(EventOrigin::Request) },
            "else": {
                "if": { "required": ["job_id"] },
                "then": { "required": required(EventOrigin::Job) },
            },
        })
    }
}

fn description(event_type: &EventType) -> String {
    let EventType {
        meaning, trigger, ..
    } = event_type;
    if event_type.columns_only {
        format!("{meaning} {trigger} {COLUMNS_ONLY}")
    } else {
        format!("{meaning} {trigger}")
    }
}

/// Returns the schema of a body. Without known spellings, it describes the fields and accepts every value.
fn body(event_type: &EventType) -> Value {
    if !event_type.columns_only {
        return object(&event_type.body);
    }
    let described = event_type.body.iter().map(|field| {
        let description = format!("{} Type of the column: {}.", field.about, field.kind.name());
        (field.name.to_owned(), json!({ "description": description }))
    });
    json!({ "type": "object", "properties": described.collect::<Map<_, _>>() })
}

fn object(fields: &[Field]) -> Value {
    let required = fields.iter().filter(|field| field.is_required());
    let properties = fields
        .iter()
        .map(|field| (field.name.to_owned(), schema(field)));
    json!({
        "type": "object",
        "required": required.map(|field| field.name).collect::<Vec<_>>(),
        "properties": properties.collect::<Map<_, _>>(),
    })
}

fn schema(field: &Field) -> Value {
    let mut schema = match &field.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Id(id) => id_schema(*id),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Timestamp(Precision::Moment) => json!({ "type": "string", "pattern": TIMESTAMP }),
        Kind::Timestamp(Precision::Day) => json!({ "type": "string", "pattern": TIMESTAMP_OR_DAY }),
        Kind::Object(fields) if fields.is_empty() => json!({ "type": "object" }),
        Kind::Object(fields) => object(fields),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Ids(id) => json!({ "type": "array", "items": id_schema(*id) }),
        Kind::Objects(fields) => json!({ "type": "array", "items": object(fields) }),
    };
    if let Value::Object(members) = &mut schema {
        describe(members, field);
    }
    schema
}

fn describe(members: &mut Map<String, Value>, field: &Field) {
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    let when = field.when.map(|when| format!(" Present if {when}."));
    put(
        "description",
        format!("{}{}", field.about, when.unwrap_or_default()).into(),
    );
    if let Some(scope) = field.kind.scope() {
        put("x-id-scope", scope.name().into());
    }
    if field.privacy != Privacy::Nothing {
        put("x-privacy", field.privacy.name().into());
    }
    if let Some(current) = field.old_value_of {
        put("x-old-value-of", current.into());
    }
    if let Some(max) = field.max_chars {
        put("maxLength", max.into());
    }
    match field.values {
        Some(Values {
            listed, open: true, ..
        }) => {
            put("examples", listed.to_vec().into());
        }
        Some(values) if values.separator.is_some() || values.numbered.is_some() => {
            put("pattern", pattern(&values).into());
        }
        Some(Values { listed, .. }) => {
            let null = field.can_be_null.then_some(Value::Null);
            let values = listed.iter().map(|value| Value::from(*value)).chain(null);
            put("enum", values.collect());
        }
        None => {
            let example = field
                .example
                .and_then(|json| serde_json::from_str(json).ok());
            if let Some(example) = example {
                put("examples", Value::Array(vec![example]));
            }
        }
    }
    if field.can_be_null {
        let types = match members.remove("type") {
            Some(Value::Array(types)) => types,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        let types = types.into_iter().chain([Value::from("null")]);
        members.insert("type".to_owned(), types.collect());
    }
}

/// Returns the regular expression for values with a separator or a numbered prefix.
fn pattern(values: &Values) -> String {
    let listed = values.listed.iter().map(|value| escaped(value));
    let numbered = values
        .numbered
        .map(|prefix| format!("{}[0-9]+", escaped(prefix)));
    let any = listed.chain(numbered).collect::<Vec<_>>().join("|");
    match values.separator {
        None => format!("^({any})$"),
        Some(separator) => {
            let separator = escaped(&separator.to_string());
            format!("^ ?({any})({separator} ?({any}))*$")
        }
    }
}

/// Escapes the text for use in a regular expression.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if r"\^$.|?*+()[]{}/-".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn id_schema(id: IdKind) -> Value {
    let digits = match (id.scope, id.can_be_empty) {
        (IdScope::Global, false) => "^[0-9]+$",
        (IdScope::Global, true) => "^[0-9]*$",
        (IdScope::Local, false) => "^0*[0-9]{1,13}$",
        (IdScope::Local, true) => "^[0-9]{0,13}$",
    };
    match id.spelling {
        Spelling::Digits => json!({ "type": "string", "pattern": digits }),
        Spelling::Numeral => json!({ "type": ["string", "integer"], "pattern": digits }),
    }
}
