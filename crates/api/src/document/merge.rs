//! One object in place of a schema that is all of several.
//!
//! A type with a flattened member is described as all of that member's schema and its own fields.
//! If the member's schema refuses other fields, no value is valid against both.

use utoipa::openapi::schema::{AllOf, Object, ObjectBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};

/// The schemas of a document by their names.
type Schemas = std::collections::BTreeMap<String, RefOr<Schema>>;

/// Replaces every schema that is all of several objects by one object with the fields of all.
pub(super) fn merge_all_of(schemas: &mut Schemas) {
    let merged: Vec<_> = schemas
        .iter()
        .filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::AllOf(all)) => Some((name.clone(), one_object(all, schemas)?)),
            RefOr::T(_) | RefOr::Ref(_) => None,
        })
        .collect();
    for (name, object) in merged {
        schemas.insert(name, RefOr::T(Schema::Object(object)));
    }
}

/// The object with the fields of all; `None` if one of them is no object.
fn one_object(all: &AllOf, schemas: &Schemas) -> Option<Object> {
    let mut whole = ObjectBuilder::new().description(all.description.clone());
    for part in &all.items {
        let part = match part {
            RefOr::T(Schema::Object(object)) => object,
            RefOr::Ref(reference) => named(reference, schemas)?,
            RefOr::T(_) => return None,
        };
        for (name, schema) in &part.properties {
            whole = whole.property(name, schema.clone());
        }
        for name in &part.required {
            whole = whole.required(name);
        }
    }
    Some(whole.build())
}

fn named<'a>(reference: &Ref, schemas: &'a Schemas) -> Option<&'a Object> {
    let (_, name) = reference.ref_location.rsplit_once('/')?;
    match schemas.get(name)? {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(_) | RefOr::Ref(_) => None,
    }
}
