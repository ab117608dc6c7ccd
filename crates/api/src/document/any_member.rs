//! Marks objects without known members as objects that allow any member.
//!
//! By default, JSON Schema allows any member. But client generators read an object without properties
//! as an empty object. So the document says explicitly that any member is allowed.

use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema, SchemaType, Type};
use utoipa::openapi::{Content, RefOr};

/// Applies [`allow_any_member`] to the schema of a body.
pub(super) fn allow_any_member_in_body(content: &mut Content) {
    if let Some(schema) = &mut content.schema {
        allow_any_member(schema);
    }
}

/// Allows any member in each object of a schema that has no known members.
pub(super) fn allow_any_member(schema: &mut RefOr<Schema>) {
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
            object.properties.values_mut().for_each(allow_any_member);
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                allow_any_member(items);
            }
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(allow_any_member),
        Schema::AllOf(all) => all.items.iter_mut().for_each(allow_any_member),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(allow_any_member),
        _ => (),
    }
}
