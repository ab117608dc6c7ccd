//! `--set FIELD=VALUE`: sets fields of an event and validates them with the catalogue.

use anyhow::anyhow;
use easel_catalog::{Catalog, EventType, Field, Kind, Rule};
use serde_json::{Map, Value};

use crate::exit_code::{Code, Failure};
use crate::settings::nearest;

/// One field and its new value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldAssignment {
    path: String,
    value: Value,
}

impl FieldAssignment {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some((path, value)) = text.split_once('=') else {
            return Err("must be FIELD=VALUE".to_owned());
        };
        if path.split('.').any(str::is_empty) {
            return Err(format!("the field name {path:?} is invalid"));
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_not_json| Value::from(value));
        Ok(Self {
            path: path.to_owned(),
            value,
        })
    }
}

/// Sets the fields of an event.
pub(super) fn assign(mut event: Value, fields: &[FieldAssignment]) -> Result<Value, Failure> {
    for FieldAssignment { path, value } in fields {
        let prefix = if path.starts_with("metadata.") {
            ""
        } else {
            "body."
        };
        let names = prefix.split_terminator('.').chain(path.split('.'));
        if let Err(name) = set_field(&mut event, names, value.clone()) {
            let error =
                anyhow!("--set {path}: `{name}` is not an object, so it cannot have fields");
            return Err(Failure::new(Code::Usage, error));
        }
    }
    Ok(event)
}

/// Sets the field at `path`. Creates missing objects of the path. If a part of the path is not an object,
/// returns the name of this part.
fn set_field<'a>(
    event: &mut Value,
    path: impl Iterator<Item = &'a str>,
    value: Value,
) -> Result<(), &'a str> {
    let (mut target, mut target_name) = (event, "the event");
    for name in path {
        if target.is_null() {
            *target = Value::Object(Map::new());
        }
        let object = target.as_object_mut().ok_or(target_name)?;
        target = object.entry(name).or_insert(Value::Null);
        target_name = name;
    }
    *target = value;
    Ok(())
}

/// A finding of the catalogue about a field that was set.
#[derive(Debug)]
pub(super) struct FieldFinding {
    /// Whether the catalogue does not know the field.
    pub(super) is_unknown: bool,
    pub(super) text: String,
}

/// Returns the catalogue's findings about the fields that were set in `event`.
pub(super) fn findings(
    catalog: &Catalog,
    event_type: &EventType,
    event: &Value,
    fields: &[FieldAssignment],
) -> Vec<FieldFinding> {
    let mut findings = Vec::new();
    catalog.check(event_type.name, event.to_string().as_bytes(), |finding| {
        let pointer = finding.pointer();
        let touching = fields.iter().find(|field| field.touches(&pointer));
        let Some(assignment) = touching else {
            return;
        };
        let path = &assignment.path;
        let text = if finding.rule == Rule::UnknownField {
            let near = suggestion(catalog, event_type, &pointer);
            let near = near.map(|near| format!("; did you mean {near}?"));
            let (name, near) = (event_type.name, near.unwrap_or_default());
            format!("--set {path}: unknown field of {name}{near}")
        } else {
            format!("--set {path}: {finding}")
        };
        findings.push(FieldFinding {
            is_unknown: finding.rule == Rule::UnknownField,
            text,
        });
    });
    findings
}

/// Returns the path of the known field that is nearest to the unknown field at `pointer`.
fn suggestion(catalog: &Catalog, event_type: &EventType, pointer: &str) -> Option<String> {
    let mut names = pointer.split('/').skip(1);
    if names.next()? == "metadata" {
        let known = catalog
            .metadata()
            .iter()
            .map(|metadata| metadata.field.name);
        return nearest(names.next()?, known).map(|name| format!("metadata.{name}"));
    }
    let (mut fields, mut path): (&[Field], _) = (&event_type.body, String::new());
    for name in names {
        match fields.iter().find(|field| field.name == name) {
            None => {
                let known = fields.iter().map(|field| field.name);
                return nearest(name, known).map(|name| format!("{path}{name}"));
            }
            Some(field) => {
                path.extend([name, "."]);
                match &field.kind {
                    Kind::Object(inner) | Kind::Objects(inner) => fields = inner,
                    _ => return None,
                }
            }
        }
    }
    None
}

impl FieldAssignment {
    /// Creates an assignment of the event time.
    pub(super) fn event_time(time: String) -> Self {
        Self {
            path: "metadata.event_time".to_owned(),
            value: time.into(),
        }
    }

    /// Returns whether the assigned field is at the JSON pointer, inside the value there, or around it.
    fn touches(&self, pointer: &str) -> bool {
        let path = self
            .path
            .replace('~', "~0")
            .replace('/', "~1")
            .replace('.', "/");
        let own_pointer = if self.path.starts_with("metadata.") {
            format!("/{path}/")
        } else {
            format!("/body/{path}/")
        };
        let pointer = format!("{pointer}/");
        own_pointer.starts_with(&pointer) || pointer.starts_with(&own_pointer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assigned(fields: &[&str]) -> Result<Value, Failure> {
        let fields: Vec<_> = fields
            .iter()
            .map(|field| FieldAssignment::parse(field).unwrap())
            .collect();
        assign(json!({ "metadata": {}, "body": {} }), &fields)
    }

    #[track_caller]
    fn check(fields: &[&str], wanted: &Value) {
        assert_eq!(&assigned(fields).unwrap(), wanted);
    }

    #[test]
    fn a_path_that_starts_with_metadata_and_a_dot_is_in_the_metadata_and_any_other_in_the_body() {
        check(
            &["name=Botany", "metadata.user_id=\"42\"", "metadata=1"],
            &json!({ "metadata": { "user_id": "42" }, "body": { "name": "Botany", "metadata": 1 } }),
        );
    }

    #[test]
    fn a_value_that_is_valid_json_is_parsed_as_json() {
        check(
            &[
                "a=1",
                "b=true",
                "c=null",
                "d=[1]",
                "e=A-",
                "f=",
                "g=x=y",
                "h={\"i\":2}",
            ],
            &json!({ "metadata": {}, "body": {
                "a": 1, "b": true, "c": null, "d": [1], "e": "A-", "f": "", "g": "x=y",
                "h": { "i": 2 },
            } }),
        );
    }

    #[test]
    fn dots_separate_nested_names() {
        check(
            &["a.b.c=1", "a.b.d=2"],
            &json!({ "metadata": {}, "body": { "a": { "b": { "c": 1, "d": 2 } } } }),
        );
    }

    #[test]
    fn a_field_inside_a_value_that_is_not_an_object_is_rejected() {
        for (fields, wanted) in [
            (
                ["a=1", "a.b=2"],
                "--set a.b: `a` is not an object, so it cannot have fields",
            ),
            (
                ["a.b=1", "a.b.c.d=2"],
                "--set a.b.c.d: `b` is not an object, so it cannot have fields",
            ),
        ] {
            let Err(Failure::Single { error, .. }) = assigned(&fields) else {
                panic!("{fields:?} was accepted");
            };
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn an_assignment_without_an_equals_sign_or_with_an_empty_name_is_rejected() {
        for text in ["name", "=1", ".a=1", "a..b=1", "a.=1"] {
            assert!(FieldAssignment::parse(text).is_err(), "{text:?}");
        }
    }
}
