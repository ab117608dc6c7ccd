//! Replaces an `allOf` of objects by one object.
//!
//! utoipa describes a type with a flattened member as `allOf` of two schemas: the schema of the
//! member and the schema of the other fields. If the member's schema refuses unknown fields, no
//! value is valid against both schemas.

use utoipa::openapi::schema::{AllOf, Object, ObjectBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};

/// The schemas of a document, by name.
type Schemas = std::collections::BTreeMap<String, RefOr<Schema>>;

/// Replaces every `allOf` of objects by one object with all their fields.
pub(super) fn merge_all_of(schemas: &mut Schemas) {
    let merged: Vec<_> = schemas
        .iter()
        .filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::AllOf(all)) => Some((name.clone(), merge_objects(all, schemas)?)),
            RefOr::T(_) | RefOr::Ref(_) => None,
        })
        .collect();
    for (name, object) in merged {
        schemas.insert(name, RefOr::T(Schema::Object(object)));
    }
}

/// Returns one object with the fields of all; `None` if one of the schemas is not an object.
fn merge_objects(all: &AllOf, schemas: &Schemas) -> Option<Object> {
    let mut merged = ObjectBuilder::new().description(all.description.clone());
    for part in &all.items {
        let part = match part {
            RefOr::T(Schema::Object(object)) => object,
            RefOr::Ref(reference) => find_object(reference, schemas)?,
            RefOr::T(_) => return None,
        };
        for (name, schema) in &part.properties {
            merged = merged.property(name, schema.clone());
        }
        for name in &part.required {
            merged = merged.required(name);
        }
    }
    Some(merged.build())
}

fn find_object<'a>(reference: &Ref, schemas: &'a Schemas) -> Option<&'a Object> {
    let (_, name) = reference.ref_location.rsplit_once('/')?;
    match schemas.get(name)? {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(_) | RefOr::Ref(_) => None,
    }
}
