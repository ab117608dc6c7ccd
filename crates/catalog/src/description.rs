//! The catalogue as JSON, for programs. It has all content of the data files.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::event_type::{EventOrigin, EventType, MadeBy, MetadataField};
use crate::example::example_value;
use crate::field::{Field, Kind, Precision, Privacy};

impl Catalog {
    /// Returns everything about an event type, as `easel catalog --json` prints it. `at` is the time of
    /// the example.
    pub fn describe(&self, event_type: &EventType, at: jiff::Timestamp) -> Value {
        let example = self.example(event_type, EventOrigin::Request, at);
        json!({
            "event": event_type.name,
            "category": event_type.category,
            "meaning": event_type.meaning,
            "trigger": event_type.trigger,
            "notes": event_type.notes.to_vec(),
            "known_from": event_type.known_from,
            "published": event_type.published,
            "columns_only": event_type.columns_only,
            "made_by": event_type.made_by.map(|made_by| match made_by {
                MadeBy::ByRecord(record) => json!({ "record": record }),
                MadeBy::ByAction(action) => json!({ "action": action }),
            }),
            "context": event_type.context.name(),
            "open": event_type.open,
            "further": event_type.further.map(|column| column.to_string()),
            "body": event_type.body.iter().map(describe_field).collect::<Vec<_>>(),
            "example": serde_json::from_str::<Value>(&example).unwrap_or_default(),
        })
    }

    /// Returns everything about the fields of the metadata.
    pub fn describe_metadata(&self) -> Value {
        self.metadata()
            .iter()
            .map(describe_metadata_field)
            .collect()
    }
}

impl EventType {
    /// Returns a summary of the event type, for a list.
    pub fn summary(&self) -> Value {
        json!({
            "event": self.name,
            "category": self.category,
            "meaning": self.meaning,
            "published": self.published,
            "columns_only": self.columns_only,
            "known_from": self.known_from,
        })
    }
}

fn describe_metadata_field(metadata_field: &MetadataField) -> Value {
    let mut described = describe_field(&metadata_field.field);
    if let Value::Object(members) = &mut described {
        let uses = metadata_field.used_in.iter();
        let names: Vec<_> = uses.map(|metadata_use| metadata_use.name()).collect();
        members.insert("in".to_owned(), names.into());
    }
    described
}

/// Returns everything about a field. Omits members that do not apply.
fn describe_field(field: &Field) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        members.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("field", Some(field.name.into()));
    put("type", Some(field.kind.name().into()));
    put("scope", field.kind.scope().map(|scope| scope.name().into()));
    put("null", field.can_be_null.then_some(true.into()));
    put("when", field.when.map(Value::from));
    put("published", (!field.published).then_some(false.into()));
    let values = field.values;
    put("values", values.map(|values| values.listed.to_vec().into()));
    let is_open = values.is_some_and(|values| values.open);
    put("open", is_open.then_some(true.into()));
    let numbered = values.and_then(|values| values.numbered);
    put("numbered", numbered.map(Value::from));
    let separator = values.and_then(|values| values.separator);
    put(
        "separator",
        separator.map(|separator| separator.to_string().into()),
    );
    let is_day = matches!(field.kind, Kind::Timestamp(Precision::Day));
    put("date_only", is_day.then_some(true.into()));
    let can_be_empty = matches!(field.kind, Kind::Id(id) if id.can_be_empty);
    put("empty", can_be_empty.then_some(true.into()));
    put("max_chars", field.max_chars.map(Value::from));
    put(
        "privacy",
        (field.privacy != Privacy::Nothing).then(|| field.privacy.name().into()),
    );
    put("old_value_of", field.old_value_of.map(Value::from));
    let from: Vec<_> = field.from.iter().map(ToString::to_string).collect();
    put("from", (!from.is_empty()).then(|| from.into()));
    put("about", Some(field.about.into()));
    let inner = field.kind.fields();
    if inner.is_empty() {
        let example = example_value(field).and_then(|json| serde_json::from_str(&json).ok());
        put("example", example);
    } else {
        put("fields", Some(inner.iter().map(describe_field).collect()));
    }
    Value::Object(members)
}
