//! The values of columns, as events have them.

use std::borrow::Cow;

use easel_catalog::{
    Column, Field, Kind, Precision, Scope, body_time, cut_text, parse_day, parse_timestamp,
};
use serde_json::{Map, Value};

use crate::fault::ChangeFault;
use crate::options::Options;
use crate::place::Place;
use crate::worked::{global, id_of};

/// What a field with an id takes.
const AN_ID: &str = "an id; of a shard only where `triggers.shard` says which is ours";

/// The value of a field, made of that of a column, which is not null.
pub(crate) fn convert<'a>(
    field: &Field,
    value: &'a Value,
    at: Place<'_>,
    options: Options,
) -> Result<Cow<'a, Value>, ChangeFault> {
    let wanted = |what: &str| ChangeFault::new(at, format!("`{}` is made of {what}", field.name));
    let made = match (field.kind, value) {
        (Kind::Text, Value::String(text)) => match field.max_chars {
            Some(max_chars) if text.len() > max_chars => Ok(cut_text(text, max_chars).into()),
            _ => return Ok(Cow::Borrowed(value)),
        },
        (Kind::Text, _) => Err(wanted("a text")),
        (Kind::Id(kind), Value::String(text)) if kind.can_be_empty && text.is_empty() => {
            Ok("".into())
        }
        (Kind::Id(kind), _) => id(value, kind.scope, options).ok_or_else(|| wanted(AN_ID)),
        (Kind::Ids(kind), Value::Array(them)) => {
            let ids = them.iter().map(|it| id(it, kind.scope, options));
            let ids = ids.collect::<Option<Vec<_>>>();
            ids.map(Value::from).ok_or_else(|| wanted("ids"))
        }
        (Kind::Ids(_), _) => Err(wanted("an array of ids")),
        (Kind::Integer, Value::Number(number)) if number.is_i64() => {
            return Ok(Cow::Borrowed(value));
        }
        (Kind::Integer, _) => Err(wanted("a number without a fraction")),
        (Kind::Number, Value::Number(_)) => return Ok(Cow::Borrowed(value)),
        (Kind::Number, _) => Err(wanted("a number")),
        (Kind::Boolean, Value::Bool(_)) => return Ok(Cow::Borrowed(value)),
        (Kind::Boolean, _) => Err(wanted("true or false")),
        (Kind::Timestamp(precision), Value::String(text)) => {
            time(text, precision).ok_or_else(|| wanted("a time such as 2026-02-11T08:15:42Z"))
        }
        (Kind::Timestamp(_), _) => Err(wanted("a time such as 2026-02-11T08:15:42Z")),
        (Kind::Texts, Value::Array(them)) if them.iter().all(Value::is_string) => Ok(value.clone()),
        (Kind::Texts, _) => Err(wanted("an array of texts")),
        (Kind::Object(fields), Value::Object(_)) if fields.is_empty() => {
            Ok(with_ids_as_text("", value))
        }
        (Kind::Object(fields), Value::Object(row)) => object(&fields, row, at, options),
        (Kind::Object(_), _) => Err(wanted("an object")),
        (Kind::Objects(fields), Value::Array(rows)) => {
            let objects = rows.iter().enumerate().map(|(index, row)| match row {
                Value::Object(row) => object(&fields, row, Place::Nth(&at, index), options),
                _ => Err(wanted("an array of objects")),
            });
            objects.collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        (Kind::Objects(_), _) => Err(wanted("an array of objects")),
    };
    made.map(Cow::Owned)
}

/// An object within a body: what is null in it stays.
fn object(
    fields: &[Field],
    row: &Map<String, Value>,
    at: Place<'_>,
    options: Options,
) -> Result<Value, ChangeFault> {
    let mut object = Map::new();
    for field in fields {
        let column = match field.from.first() {
            Some(Column::Own(column)) => column,
            _ => field.name,
        };
        let at = Place::Inner(&at, column);
        match row.get(column) {
            Some(Value::Null) if !field.is_always_there() => {
                object.insert(field.name.to_owned(), Value::Null);
            }
            Some(value) => {
                let value = convert(field, value, at, options)?;
                object.insert(field.name.to_owned(), value.into_owned());
            }
            None if field.is_always_there() => {
                return Err(ChangeFault::new(
                    at,
                    format!("this is missing; `{}` is made of it", field.name),
                ));
            }
            None => (),
        }
    }
    Ok(object.into())
}

/// An id as text, global or local as it has to be.
fn id(value: &Value, scope: Scope, options: Options) -> Option<Value> {
    let id = id_of(value)?;
    let id = match scope {
        Scope::Global => global(id, options)?,
        Scope::Local if id.shard() == options.shard => id.local().into(),
        // Without shards nobody knows what the digits before the last thirteen are.
        Scope::Local if options.shard == 0 => return None,
        // A record of another shard is told by its global id.
        Scope::Local => id,
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

/// The value of a member, with every integer in it a text whose key says that it is an id, or ids.
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
        // What is in an array of ids is an id; in any other, only objects have keys.
        Value::Array(them) => {
            let key = if are_ids { "id" } else { "" };
            them.iter().map(|it| with_ids_as_text(key, it)).collect()
        }
        single => single.clone(),
    }
}
