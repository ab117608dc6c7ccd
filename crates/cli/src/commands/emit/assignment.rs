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
        let part = if path.starts_with("metadata.") {
            ""
        } else {
            "body."
        };
        let names = part.split_terminator('.').chain(path.split('.'));
        if set(&mut event, names, value.clone()).is_none() {
            let error = anyhow!("--set {path}: a part of this path is a value, not an object");
            return Err(Failure::new(Code::Usage, error));
        }
    }
    Ok(event)
}

/// Sets the field at `path`. Creates missing objects of the path.
fn set<'a>(place: &mut Value, path: impl Iterator<Item = &'a str>, value: Value) -> Option<()> {
    let mut place = place;
    for name in path {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut()?.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Some(())
}

/// A finding of the catalogue about a field that was set.
#[derive(Debug)]
pub(super) struct Remark {
    /// Whether the catalogue does not know the field.
    pub(super) is_unknown: bool,
    pub(super) text: String,
}

/// Returns the catalogue's findings about the fields that were set in `event`.
pub(super) fn remarks(
    catalog: &Catalog,
    event_type: &EventType,
    event: &Value,
    fields: &[FieldAssignment],
) -> Vec<Remark> {
    let mut remarks = Vec::new();
    catalog.check(event_type.name, event.to_string().as_bytes(), |finding| {
        let place = finding.pointer();
        let Some(set) = fields.iter().find(|field| field.touches(&place)) else {
            return;
        };
        let path = &set.path;
        let text = if finding.rule == Rule::UnknownField {
            let near = suggestion(catalog, event_type, &place);
            let near = near.map(|near| format!("; did you mean {near}?"));
            let (name, near) = (event_type.name, near.unwrap_or_default());
            format!("--set {path}: unknown field of {name}{near}")
        } else {
            format!("--set {path}: {finding}")
        };
        remarks.push(Remark {
            is_unknown: finding.rule == Rule::UnknownField,
            text,
        });
    });
    remarks
}

/// Returns the path of the known field that is nearest to the unknown one at the JSON pointer `place`.
fn suggestion(catalog: &Catalog, event_type: &EventType, place: &str) -> Option<String> {
    let mut names = place.split('/').skip(1);
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

    /// Returns whether the assigned field is at the JSON pointer `place`, inside it or around it.
    fn touches(&self, place: &str) -> bool {
        let path = self
            .path
            .replace('~', "~0")
            .replace('/', "~1")
            .replace('.', "/");
        let set = if self.path.starts_with("metadata.") {
            format!("/{path}/")
        } else {
            format!("/body/{path}/")
        };
        let place = format!("{place}/");
        set.starts_with(&place) || place.starts_with(&set)
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
    fn a_field_is_in_the_body_unless_its_path_starts_with_metadata() {
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
    fn a_field_inside_a_plain_value_is_rejected() {
        assert!(assigned(&["a=1", "a.b=2"]).is_err());
    }

    #[test]
    fn a_field_needs_a_name() {
        for text in ["name", "=1", ".a=1", "a..b=1", "a.=1"] {
            assert!(FieldAssignment::parse(text).is_err(), "{text:?}");
        }
    }
}
