//! Marks objects without known members as objects that allow any member.
//!
//! By default, JSON Schema allows any member. But client generators read an object without properties
//! as an empty object. So the document says explicitly that any member is allowed.

use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::{Content, RefOr};

/// Applies [`open`] to the schema of a body.
pub(super) fn open_content(content: &mut Content) {
    if let Some(schema) = &mut content.schema {
        open(schema);
    }
}

/// Allows any member in each object of a schema that has no known members.
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
