//! The catalogue as JSON, for programs: everything the data files say.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::event_type::{EventOrigin, EventType, MadeBy, MetadataField};
use crate::example::value;
use crate::field::{Field, Kind, Precision, Privacy};

impl Catalog {
    /// Everything about an event type: what `easel catalog --json` prints.
    pub fn describe(&self, of: &EventType, at: jiff::Timestamp) -> Value {
        let example = self.example(of, EventOrigin::Request, at);
        json!({
            "event": of.name,
            "category": of.category,
            "meaning": of.meaning,
            "trigger": of.trigger,
            "notes": of.notes.to_vec(),
            "known_from": of.known_from,
            "published": of.published,
            "made_by": of.made_by.map(|it| match it {
                MadeBy::ByRecord(record) => json!({ "record": record }),
                MadeBy::ByAction(action) => json!({ "action": action }),
            }),
            "context": of.context.name(),
            "open": of.open,
            "further": of.further.map(|it| it.to_string()),
            "body": of.body.iter().map(field).collect::<Vec<_>>(),
            "example": serde_json::from_str::<Value>(&example).unwrap_or_default(),
        })
    }

    /// Everything about the fields of the metadata.
    pub fn describe_metadata(&self) -> Value {
        self.metadata().iter().map(metadata_field).collect()
    }
}

impl EventType {
    /// The event type in a line.
    pub fn summary(&self) -> Value {
        json!({
            "event": self.name,
            "category": self.category,
            "meaning": self.meaning,
            "published": self.published,
            "known_from": self.known_from,
        })
    }
}

fn metadata_field(it: &MetadataField) -> Value {
    let mut described = field(&it.field);
    if let Value::Object(members) = &mut described {
        let sent: Vec<_> = it.sent.iter().map(|sent| sent.name()).collect();
        members.insert("in".to_owned(), sent.into());
    }
    described
}

/// A field; what does not apply to it is left out.
fn field(it: &Field) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        members.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("field", Some(it.name.into()));
    put("type", Some(it.kind.name().into()));
    put("scope", it.kind.scope().map(|scope| scope.name().into()));
    put("null", it.null.then_some(true.into()));
    put("when", it.when.map(Value::from));
    put("published", (!it.published).then_some(false.into()));
    put("values", it.values.map(|it| it.listed.to_vec().into()));
    put("open", it.values.filter(|it| it.open).map(|_| true.into()));
    let numbered = it.values.and_then(|it| it.numbered);
    put("numbered", numbered.map(Value::from));
    let separator = it.values.and_then(|it| it.separator);
    put("separator", separator.map(|it| it.to_string().into()));
    let is_day = matches!(it.kind, Kind::Timestamp(Precision::Day));
    put("date_only", is_day.then_some(true.into()));
    let is_empty = matches!(it.kind, Kind::Id(id) if id.can_be_empty);
    put("empty", is_empty.then_some(true.into()));
    put("max_chars", it.max_chars.map(Value::from));
    put(
        "privacy",
        (it.privacy != Privacy::Nothing).then(|| it.privacy.name().into()),
    );
    put("old_value_of", it.old.map(Value::from));
    let from: Vec<_> = it.from.iter().map(ToString::to_string).collect();
    put("from", (!from.is_empty()).then(|| from.into()));
    put("about", Some(it.about.into()));
    let inner = it.kind.fields();
    if inner.is_empty() {
        let example = value(it).and_then(|json| serde_json::from_str(&json).ok());
        put("example", example);
    } else {
        put("fields", Some(inner.iter().map(field).collect()));
    }
    Value::Object(members)
}
