//! Examples of events, made of what the catalogue gives as an example of each field.

use jiff::Timestamp;

use crate::catalog::Catalog;
use crate::event_time;
use crate::event_type::{Context, EventOrigin, EventType, MetadataUse};
use crate::field::{Field, Kind};

impl Catalog {
    /// An example of an event: one line of JSON in the stored form, with every field that an
    /// example is given for and that an event of this origin has.
    pub fn example(&self, of: &EventType, origin: EventOrigin, at: Timestamp) -> String {
        let mut metadata = Vec::new();
        for it in self.metadata() {
            let tells_record =
                of.context == Context::Record && it.sent.contains(&MetadataUse::OfRecord);
            if !it.is_sent(origin) && !tells_record {
                continue;
            }
            match it.field.name {
                "event_name" => metadata.push(member("event_name", &quoted(of.name))),
                "event_time" => metadata.push(member("event_time", &quoted(&event_time(at)))),
                _ => metadata.extend(example_member(&it.field)),
            }
        }
        format!(
            "{{\"metadata\":{{{}}},\"body\":{}}}",
            metadata.join(","),
            object(&of.body)
        )
    }
}

/// The example of an object with these fields.
pub(crate) fn object(fields: &[Field]) -> String {
    let members: Vec<_> = fields.iter().filter_map(example_member).collect();
    format!("{{{}}}", members.join(","))
}

fn example_member(field: &Field) -> Option<String> {
    Some(member(field.name, &value(field)?))
}

/// The example of a field's value, as JSON; an object has one when its fields have.
pub(crate) fn value(field: &Field) -> Option<String> {
    if let Some(json) = field.example {
        return Some(json.to_owned());
    }
    match field.kind {
        Kind::Object(fields) if !fields.is_empty() => {
            let json = object(&fields);
            // An object that is there under a condition needs an example of its own, as any field.
            (field.when.is_none() || json != "{}").then_some(json)
        }
        Kind::Objects(fields) if !fields.is_empty() => Some(format!("[{}]", object(&fields))),
        _ => None,
    }
}

fn member(name: &str, json: &str) -> String {
    format!("{}:{json}", quoted(name))
}

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
