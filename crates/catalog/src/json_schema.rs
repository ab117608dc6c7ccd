//! The catalogue as JSON Schema, draft 2020-12.
//!
//! A schema asks of an event what [`Catalog::check`] does, except that it lets pass what is
//! unknown: fields and values that are not listed where others are to be expected. What JSON
//! Schema has no word for is said in members of our own: `x-id-scope`, `x-privacy`, `x-old-value-of`.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::event_type::{EventOrigin, EventType};
use crate::field::{Field, IdKind, IdScope, Kind, Precision, Privacy, Spelling, Values};

/// What [`parse_timestamp`](crate::parse_timestamp) reads, but for the calendar.
const TIMESTAMP: &str =
    r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?( ?[Zz]| UTC| ?[+-]\d{2}(:?\d{2})?)$";
/// The same, or a day alone.
const TIMESTAMP_OR_DAY: &str =
    r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?( ?[Zz]| UTC| ?[+-]\d{2}(:?\d{2})?))?$";

impl Catalog {
    /// The JSON Schema of an event of this type in the Canvas format.
    pub fn json_schema(&self, of: &EventType) -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:easel:canvas:{}", of.name),
            "title": of.name,
            "description": format!("{} {}", of.meaning, of.trigger),
            "type": "object",
            "required": ["metadata", "body"],
            "properties": {
                "metadata": self.metadata_schema(of.name),
                "body": object(&of.body),
            },
        })
    }

    fn metadata_schema(&self, event_type: &str) -> Value {
        let fields = self.metadata().iter();
        let mut properties: Map<_, _> = fields
            .map(|it| (it.field.name.to_owned(), schema(&it.field)))
            .collect();
        if let Some(Value::Object(name)) = properties.get_mut("event_name") {
            name.insert("const".to_owned(), event_type.into());
        }
        let always = |origin| {
            let sent = self.metadata().iter().filter(move |it| it.is_sent(origin));
            let always = sent.map(|it| &it.field).filter(|it| it.is_always_there());
            always.map(|it| it.name).collect::<Vec<_>>()
        };
        json!({
            "type": "object",
            "required": always(EventOrigin::Neither),
            "properties": properties,
            "if": { "required": ["request_id"] },
            "then": { "required": always(EventOrigin::Request) },
            "else": {
                "if": { "required": ["job_id"] },
                "then": { "required": always(EventOrigin::Job) },
            },
        })
    }
}

fn object(fields: &[Field]) -> Value {
    let always = fields.iter().filter(|it| it.is_always_there());
    let properties = fields.iter().map(|it| (it.name.to_owned(), schema(it)));
    json!({
        "type": "object",
        "required": always.map(|it| it.name).collect::<Vec<_>>(),
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
    if let Some(old) = field.old {
        put("x-old-value-of", old.into());
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
            let null = field.null.then_some(Value::Null);
            let values = listed.iter().map(|it| Value::from(*it)).chain(null);
            put("enum", values.collect());
        }
        None => {
            let example = field.example.and_then(|it| serde_json::from_str(it).ok());
            if let Some(example) = example {
                put("examples", Value::Array(vec![example]));
            }
        }
    }
    if field.null {
        let types = match members.remove("type") {
            Some(Value::Array(types)) => types,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let types = types.into_iter().chain([Value::from("null")]);
        members.insert("type".to_owned(), types.collect());
    }
}

/// The pattern of a text that has values which a list alone does not tell.
fn pattern(values: &Values) -> String {
    let listed = values.listed.iter().map(|it| escaped(it));
    let numbered = values.numbered.map(|it| format!("{}[0-9]+", escaped(it)));
    let any = listed.chain(numbered).collect::<Vec<_>>().join("|");
    match values.separator {
        None => format!("^({any})$"),
        Some(separator) => {
            let separator = escaped(&separator.to_string());
            format!("^ ?({any})({separator} ?({any}))*$")
        }
    }
}

/// The text as a pattern that matches it alone.
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
