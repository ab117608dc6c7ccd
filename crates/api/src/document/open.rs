//! Objects with members that no schema names.
//!
//! JSON Schema allows any member where nothing is said. Generators of clients take silence for an
//! object without members, so an object of which nothing is known says that it takes any.

use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::{Content, RefOr};

/// Opens the schema of a body.
pub(super) fn open_content(content: &mut Content) {
    if let Some(schema) = &mut content.schema {
        open(schema);
    }
}

/// Says of each object in a schema of which nothing is known that it takes any member.
pub(super) fn open(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) => {
            let is_object = object.schema_type == SchemaType::Type(Type::Object);
            if is_object && object.properties.is_empty() {
                object
                    .additional_properties
                    .get_or_insert_with(|| Box::new(AdditionalProperties::FreeForm(true)));
            }
            object.properties.values_mut().for_each(open);
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                open(items);
            }
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(open),
        Schema::AllOf(all) => all.items.iter_mut().for_each(open),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(open),
        _ => (),
    }
}
