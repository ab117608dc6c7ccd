//! Examples of events, built from the examples of the fields.

use jiff::Timestamp;

use crate::catalog::Catalog;
use crate::event_time;
use crate::event_type::{Context, EventOrigin, EventType, MetadataUse};
use crate::field::{Field, Kind};

impl Catalog {
    /// Returns an example of an event: one line of JSON in the stored form. It has every field that
    /// events of this origin have and that has an example. If the event type is known only from columns,
    /// the metadata has only what every event has.
    pub fn example(&self, event_type: &EventType, origin: EventOrigin, at: Timestamp) -> String {
        let origin = if event_type.columns_only {
            EventOrigin::Neither
        } else {
            origin
        };
        let mut metadata = Vec::new();
        for metadata_field in self.metadata() {
            let describes_row = event_type.context == Context::Row
                && metadata_field.used_in.contains(&MetadataUse::OfRow);
            if !metadata_field.is_in_events_of(origin) && !describes_row {
                continue;
            }
            match metadata_field.field.name {
                "event_name" => metadata.push(member("event_name", &quoted(event_type.name))),
                "event_time" => metadata.push(member("event_time", &quoted(&event_time(at)))),
                _ => metadata.extend(example_member(&metadata_field.field)),
            }
        }
        format!(
            "{{\"metadata\":{{{}}},\"body\":{}}}",
            metadata.join(","),
            example_object(&event_type.body)
        )
    }
}

/// Returns an example of an object with these fields.
pub(crate) fn example_object(fields: &[Field]) -> String {
    let members: Vec<_> = fields.iter().filter_map(example_member).collect();
    format!("{{{}}}", members.join(","))
}

fn example_member(field: &Field) -> Option<String> {
    Some(member(field.name, &example_value(field)?))
}

/// Returns an example of a field's value, as JSON. An object takes the examples of its fields.
pub(crate) fn example_value(field: &Field) -> Option<String> {
    if let Some(json) = field.example {
        return Some(json.to_owned());
    }
    match field.kind {
        Kind::Object(fields) if !fields.is_empty() => {
            let json = example_object(&fields);
            // If no inner field has an example, an object that is not always present is left out. An
            // object that is always present becomes `{}`.
            (field.when.is_none() || json != "{}").then_some(json)
        }
        Kind::Objects(fields) if !fields.is_empty() => {
            Some(format!("[{}]", example_object(&fields)))
        }
        _ => None,
    }
}

fn member(name: &str, json: &str) -> String {
    format!("{}:{json}", quoted(name))
}

/// Returns the text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
