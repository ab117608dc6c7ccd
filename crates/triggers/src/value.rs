//! Converts the values of columns to the values of fields.

use std::borrow::Cow;

use easel_catalog::{
    Column, Field, IdScope, Kind, Precision, body_time, cut_text, parse_day, parse_timestamp,
};
use serde_json::{Map, Value};

use crate::change_path::ChangePath;
use crate::fault::Notes;
use crate::id::{id_of, with_shard};
use crate::options::TriggerOptions;

/// What a time must be, as a text that follows "must be".
pub(crate) const A_TIME: &str = "a time with a zone, such as 2026-02-11T08:15:42Z";

/// The maximum number of characters of a value in a warning.
const MAX_SHOWN_CHARS: usize = 64;

/// Converts the value of a column, which must not be null, to the value of `field`. Returns `None`
/// after a fault.
///
/// Warns about a value that is not in the field's list, and about a string that is cut.
pub(crate) fn convert<'a>(
    field: &Field,
    value: &'a Value,
    place: ChangePath<'_>,
    options: TriggerOptions,
    notes: &mut Notes,
) -> Option<Cow<'a, Value>> {
    let converted = match (field.kind, value) {
        (Kind::Text, Value::String(text)) => {
            return Some(convert_text(field, value, text, place, notes));
        }
        (Kind::Id(kind), Value::String(text)) if kind.can_be_empty && text.is_empty() => {
            Some("".into())
        }
        (Kind::Id(kind), _) => id(value, kind.scope, options),
        (Kind::Ids(kind), Value::Array(values)) => {
            let ids = values.iter().map(|value| id(value, kind.scope, options));
            ids.collect::<Option<Vec<_>>>().map(Value::from)
        }
        (Kind::Integer, Value::Number(number)) if number.is_i64() => {
            return Some(Cow::Borrowed(value));
        }
        (Kind::Number, Value::Number(_)) | (Kind::Boolean, Value::Bool(_)) => {
            return Some(Cow::Borrowed(value));
        }
        (Kind::Timestamp(precision), Value::String(text)) => time(text, precision),
        (Kind::Texts, Value::Array(values)) if values.iter().all(Value::is_string) => {
            return Some(Cow::Borrowed(value));
        }
        (Kind::Object(fields), Value::Object(_)) if fields.is_empty() => {
            Some(with_ids_as_text("", value))
        }
        (Kind::Object(fields), Value::Object(row)) => {
            return object(&fields, row, place, options, notes).map(Cow::Owned);
        }
        (Kind::Objects(fields), Value::Array(rows)) if rows.iter().all(Value::is_object) => {
            let objects = rows.iter().filter_map(Value::as_object).enumerate();
            let objects = objects.map(|(index, row)| {
                object(&fields, row, ChangePath::Nth(&place, index), options, notes)
            });
            // The first `collect` converts all elements, so that the faults of all are noted.
            let objects: Vec<_> = objects.collect();
            let objects: Option<Vec<_>> = objects.into_iter().collect();
            return objects.map(|objects| Cow::Owned(objects.into()));
        }
        _ => None,
    };
    if converted.is_none() {
        let what = format!("`{}` must be {}", field.name, wanted(&field.kind));
        notes.fault(place, what);
    }
    converted.map(Cow::Owned)
}

/// Returns the expected type of a column, as a text that follows "must be".
pub(crate) const fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "a string",
        Kind::Id(_) => "an id; an id with a shard is valid only if `triggers.shard` is set",
        Kind::Ids(_) => {
            "an array of ids; ids with a shard are valid only if `triggers.shard` is set"
        }
        Kind::Integer => "an integer",
        Kind::Number => "a number",
        Kind::Boolean => "true or false",
        Kind::Timestamp(_) => A_TIME,
        Kind::Texts => "an array of strings",
        Kind::Object(_) => "an object",
        Kind::Objects(_) => "an array of objects",
    }
}

fn convert_text<'a>(
    field: &Field,
    value: &'a Value,
    text: &str,
    place: ChangePath<'_>,
    notes: &mut Notes,
) -> Cow<'a, Value> {
    if let Some(values) = &field.values
        && !values.contains(text)
    {
        let shown = cut_text(text, MAX_SHOWN_CHARS);
        let known = if values.open {
            "known values"
        } else {
            "values"
        };
        let what = format!("{shown:?} is not one of the {known} of `{}`", field.name);
        notes.warn(place, what);
    }
    match field.max_chars {
        Some(max_chars) if text.len() > max_chars => {
            let cut = cut_text(text, max_chars);
            if cut != text {
                let what = format!("`{}` is cut to {max_chars} characters", field.name);
                notes.warn(place, what);
            }
            Cow::Owned(cut.into())
        }
        _ => Cow::Borrowed(value),
    }
}

/// Converts an object in a body. Its null members stay.
fn object(
    fields: &[Field],
    row: &Map<String, Value>,
    place: ChangePath<'_>,
    options: TriggerOptions,
    notes: &mut Notes,
) -> Option<Value> {
    let mut object = Map::new();
    let mut is_complete = true;
    for field in fields {
        let column = match field.from.first() {
            Some(Column::Own(column)) => column,
            _ => field.name,
        };
        let place = ChangePath::Inner(&place, column);
        match row.get(column) {
            Some(Value::Null) => {
                if !field.can_be_null {
                    notes.warn(place, null_text(field));
                }
                object.insert(field.name.to_owned(), Value::Null);
            }
            Some(value) => match convert(field, value, place, options, notes) {
                Some(value) => drop(object.insert(field.name.to_owned(), value.into_owned())),
                None => is_complete = false,
            },
            None if field.is_required() => {
                notes.fault(place, missing_text(field));
                is_complete = false;
            }
            None => (),
        }
    }
    is_complete.then(|| object.into())
}

/// Returns the text for a missing column of a field.
pub(crate) fn missing_text(field: &Field) -> String {
    format!("this is missing; `{}` needs it", field.name)
}

/// Returns the text for a null in a field that must never be null according to the catalogue.
pub(crate) fn null_text(field: &Field) -> String {
    format!(
        "this is null, but the catalogue says that `{}` is never null",
        field.name
    )
}

/// Returns an id as a string: global or local, as the field requires.
fn id(value: &Value, scope: IdScope, options: TriggerOptions) -> Option<Value> {
    let id = id_of(value)?;
    let id = match scope {
        IdScope::Global => with_shard(id, options)?,
        IdScope::Local if id.shard() == options.shard => id.local().into(),
        // Without a shard setting, the digits before the last thirteen have no known meaning.
        IdScope::Local if options.shard == 0 => return None,
        // A row of another shard keeps its global id.
        IdScope::Local => id,
    };
    Some(id.to_string().into())
}

fn time(text: &str, precision: Precision) -> Option<Value> {
    match precision {
        Precision::Day if parse_day(text).is_some() => Some(text.into()),
        Precision::Day | Precision::Moment => {
            parse_timestamp(text).map(|time| body_time(time).into())
        }
    }
}

/// Returns the value of a member. Integers become strings where the key says that they are ids.
pub(crate) fn with_ids_as_text(key: &str, value: &Value) -> Value {
    let is_id = key == "id" || key.ends_with("_id");
    let are_ids = key == "ids" || key.ends_with("_ids");
    match value {
        Value::Number(number) if is_id && !number.is_f64() => number.to_string().into(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), with_ids_as_text(key, value)));
            Value::Object(members.collect())
        }
        // The elements of an array of ids are ids. In other arrays, only objects have keys.
        Value::Array(elements) => {
            let key = if are_ids { "id" } else { "" };
            let elements = elements.iter();
            elements
                .map(|element| with_ids_as_text(key, element))
                .collect()
        }
        single => single.clone(),
    }
}
