//! JSON Schemas of changes, draft 2020-12: components of an OpenAPI document.
//!
//! A schema rejects a change that has a fault. It accepts a change that only has warnings.

use easel_catalog::{Column, EventOrigin, Field, Kind, Values};
use serde_json::{Map, Value, json};

use crate::column_reads::ColumnType;
use crate::operation::Operation;
use crate::shape::{ChangeShape, ShapeColumn};
use crate::triggers::Triggers;

impl Triggers {
    /// Returns the components that describe a change, with their names. `Change` is a
    /// `ChangeOfRecord` or a `ChangeOfAction`. Each of them is one of several schemas, such as
    /// `Change.WikiPage.update`.
    pub fn schemas(&self) -> Vec<(String, Value)> {
        let shapes = self.shapes();
        let mut schemas = Vec::new();
        for (name, is_action) in [("ChangeOfRecord", false), ("ChangeOfAction", true)] {
            let mut shapes = shapes.iter();
            let shapes = shapes
                .by_ref()
                .filter(|shape| (shape.operation == Operation::Act) == is_action);
            let names = shapes.map(|shape| reference(&shape.schema_name()));
            schemas.push((
                name.to_owned(),
                json!({ "oneOf": names.collect::<Vec<_>>() }),
            ));
        }
        let either = [reference("ChangeOfRecord"), reference("ChangeOfAction")];
        schemas.push(("Change".to_owned(), json!({ "oneOf": either })));
        let many = json!({ "type": "array", "items": reference("Change") });
        schemas.push((
            "Changes".to_owned(),
            json!({ "oneOf": [reference("Change"), many] }),
        ));
        schemas.push(("ChangeContext".to_owned(), self.context_schema()));
        for shape in &shapes {
            let row = format!("Row.{}", shape.name());
            schemas.push((row.clone(), row_schema(&shape.columns)));
            schemas.push((shape.schema_name(), shape.schema(&row)));
        }
        schemas
    }

    fn context_schema(&self) -> Value {
        let origin_schema = |origin: EventOrigin| {
            let is_written_by_easel = |name| ["event_name", "event_time"].contains(&name);
            let present = self.catalog().metadata().iter();
            let present = present.filter(|metadata| metadata.is_in_events_of(origin));
            let fields = present.map(|metadata| &metadata.field);
            let fields = fields.filter(|field| !is_written_by_easel(field.name));
            let properties = fields.map(|field| (field.name.to_owned(), field_schema(field)));
            json!({
                "type": "object",
                "properties": properties.collect::<Map<_, _>>(),
            })
        };
        json!({
            "type": "object",
            "description": "The request or the job in which the change happened. Optional.",
            "properties": {
                "request": origin_schema(EventOrigin::Request),
                "job": origin_schema(EventOrigin::Job),
            },
        })
    }
}

impl ChangeShape {
    fn name(&self) -> String {
        let subject = self.subject.replace("::", ".");
        match self.operation {
            Operation::Act => subject,
            operation => format!("{subject}.{}", operation.name()),
        }
    }

    fn schema_name(&self) -> String {
        format!("Change.{}", self.name())
    }

    fn schema(&self, row: &str) -> Value {
        let mut properties = Map::new();
        let mut put = |name: &str, schema: Value| properties.insert(name.to_owned(), schema);
        let mut required: Vec<&str> = Vec::new();
        let constant = |text: &str| json!({ "type": "string", "enum": [text] });
        if self.operation == Operation::Act {
            put("action", constant(self.subject));
            required.push("action");
        } else {
            put("record", constant(self.subject));
            put("operation", constant(self.operation.name()));
            required.extend(["record", "operation"]);
        }
        for name in self.operation.rows() {
            put(name, reference(row));
            let has_required = self.columns.iter().any(|column| column.is_required);
            if self.operation != Operation::Act || has_required {
                required.push(name);
            }
        }
        let related = self.related.iter();
        let related = related.map(|(name, columns)| (name.clone(), row_schema(columns)));
        put(
            "related",
            json!({ "type": "object", "properties": related.collect::<Map<_, _>>() }),
        );
        put("context", reference("ChangeContext"));
        put(
            "occurred_at",
            json!({ "type": "string", "format": "date-time", "description": "The time of the event. Default: now." }),
        );
        put(
            "body",
            json!({ "type": "object", "description": "Extra members of the body, for event types whose body is only partly known." }),
        );
        let events = self.events.join(", ");
        json!({
            "type": "object",
            "description": format!("Possible events: {events}."),
            "required": required,
            "properties": properties,
        })
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn row_schema(columns: &[ShapeColumn]) -> Value {
    let properties = columns
        .iter()
        .map(|column| (column.name.clone(), column.schema()));
    let required = columns.iter().filter(|column| column.is_required);
    json!({
        "type": "object",
        "required": required.map(|column| column.name.as_str()).collect::<Vec<_>>(),
        "properties": properties.collect::<Map<_, _>>(),
    })
}

impl ShapeColumn {
    /// Returns the type of the column's value in one or two words.
    pub fn type_name(&self) -> &'static str {
        match (&self.field, &self.column_type) {
            (Some(field), _) => field.kind.name(),
            (None, ColumnType::Text | ColumnType::Word(_)) => "string",
            (None, ColumnType::Boolean) => "boolean",
            (None, ColumnType::Time) => "timestamp",
            (None, ColumnType::Object) => "object",
            (None, ColumnType::List) => "array",
            (None, ColumnType::Any) => "any",
        }
    }

    fn schema(&self) -> Value {
        let Some(field) = &self.field else {
            let types: &[&str] = match self.column_type {
                ColumnType::Any => &["array", "boolean", "number", "object", "string", "null"],
                ColumnType::Text | ColumnType::Word(_) | ColumnType::Time => &["string", "null"],
                ColumnType::Boolean => &["boolean", "null"],
                ColumnType::Object => &["object", "null"],
                ColumnType::List => &["array", "string", "null"],
            };
            return json!({ "type": types });
        };
        let mut schema = field_schema(field);
        // Null is valid in every column except the row's own id.
        if self.is_required
            && self.name == "id"
            && let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut)
        {
            types.retain(|name| name != "null");
        }
        schema
    }
}

/// Returns the schema of a field's column. Null is valid.
fn field_schema(field: &Field) -> Value {
    let id = || json!({ "type": ["string", "integer"] });
    let mut schema = match field.kind {
        Kind::Text | Kind::Timestamp(_) => json!({ "type": ["string"] }),
        Kind::Id(_) => id(),
        Kind::Integer => json!({ "type": ["integer"] }),
        Kind::Number => json!({ "type": ["number"] }),
        Kind::Boolean => json!({ "type": ["boolean"] }),
        Kind::Object(fields) => object_schema(&fields),
        Kind::Texts => json!({ "type": ["array"], "items": { "type": "string" } }),
        Kind::Ids(_) => json!({ "type": ["array"], "items": id() }),
        Kind::Objects(fields) => json!({ "type": ["array"], "items": object_schema(&fields) }),
    };
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.push("null".into());
    }
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), field.about.into());
        if let Some(Values { listed, .. }) = field.values {
            members.insert("examples".to_owned(), listed.to_vec().into());
        }
    }
    schema
}

fn object_schema(fields: &[Field]) -> Value {
    let name_of = |field: &Field| match field.from.first() {
        Some(Column::Own(column)) => *column,
        _ => field.name,
    };
    let properties = fields
        .iter()
        .map(|field| (name_of(field).to_owned(), field_schema(field)));
    let required = fields.iter().filter(|field| field.is_required());
    json!({
        "type": ["object"],
        "required": required.map(name_of).collect::<Vec<_>>(),
        "properties": properties.collect::<Map<_, _>>(),
    })
}
