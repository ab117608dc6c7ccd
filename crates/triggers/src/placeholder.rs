//! Placeholder values for the columns of a template.

use std::collections::BTreeSet;

use easel_catalog::{Column, Field, Kind};
use serde_json::{Map, Value, json};

use crate::column_reads::{ColumnRead, ColumnType};
use crate::rules;

const TIME: &str = "2026-02-11T08:15:42Z";

/// Returns a value of the right type for the column of a field.
pub(crate) fn placeholder(field: &Field) -> Value {
    let example = field
        .example
        .and_then(|json| serde_json::from_str(json).ok());
    match field.kind {
        Kind::Id(_) => local_id(example.as_ref()),
        Kind::Ids(_) => {
            let first = example.as_ref().and_then(|ids| ids.get(0));
            Value::Array(vec![local_id(first)])
        }
        Kind::Object(fields) if !fields.is_empty() => object(&fields),
        Kind::Objects(fields) if !fields.is_empty() => Value::Array(vec![object(&fields)]),
        Kind::Timestamp(_) => example.unwrap_or_else(|| TIME.into()),
        Kind::Text => example.unwrap_or_else(|| {
            let listed = field
                .values
                .and_then(|values| values.listed.first().copied());
            listed.unwrap_or("text").into()
        }),
        Kind::Integer => example.unwrap_or_else(|| 1.into()),
        Kind::Number => example.unwrap_or_else(|| json!(1.5)),
        Kind::Boolean => example.unwrap_or_else(|| false.into()),
        Kind::Object(_) => example.unwrap_or_else(|| json!({})),
        Kind::Texts => example.unwrap_or_else(|| json!(["text"])),
        Kind::Objects(_) => example.unwrap_or_else(|| json!([])),
    }
}

/// Returns a value for a column without a field, by the type that a gate or a computed value reads it as.
pub(crate) fn placeholder_for_type(column: &str, column_type: &ColumnType) -> Value {
    match column_type {
        ColumnType::Text => "text".into(),
        ColumnType::Word(word) => word.as_str().into(),
        ColumnType::Boolean => false.into(),
        ColumnType::Time => TIME.into(),
        ColumnType::Object => json!({}),
        ColumnType::List => json!([]),
        ColumnType::Any if column == "id" || column.ends_with("_id") => 1.into(),
        ColumnType::Any if column.ends_with("_at") => TIME.into(),
        ColumnType::Any => Value::Null,
    }
}

/// Returns values of a column that can change the result of a gate or a computed value. `text` describes the
/// gate or the computed value in words. For a string column, each word of `text` is a candidate, because the
/// column may be compared with it.
pub(crate) fn candidates(read: &ColumnRead, text: &str) -> Vec<Value> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_.:".contains(letter);
    match &read.column_type {
        ColumnType::Any => vec![Value::Null, 1.into(), true.into(), json!([1]), TIME.into()],
        ColumnType::Boolean => vec![false.into(), true.into()],
        ColumnType::Time => vec![Value::Null, TIME.into()],
        ColumnType::Object => vec![Value::Null, json!({})],
        ColumnType::List => vec![Value::Null, json!([]), "".into()],
        ColumnType::Word(word) => vec![word.as_str().into(), Value::Null],
        ColumnType::Text => {
            let words = text.split(|letter| !is_part(letter));
            let words = words.filter(|word| !word.is_empty());
            let subjects = rules::all().map(|rule| rule.subject);
            let texts: BTreeSet<_> = words.chain(subjects).collect();
            let texts = texts.into_iter().map(Value::from);
            texts.chain([Value::Null]).collect()
        }
    }
}

/// Returns the local part of an example id, or 1.
fn local_id(example: Option<&Value>) -> Value {
    /// Local ids are smaller than this.
    const SHARD: u64 = 10_000_000_000_000;
    let digits = example.and_then(Value::as_str);
    let id = digits.and_then(|digits| digits.parse::<u64>().ok());
    id.map_or(1, |id| id % SHARD).into()
}

fn object(fields: &[Field]) -> Value {
    let members = fields.iter().map(|field| {
        let name = match field.from.first() {
            Some(Column::Own(column)) => column,
            _ => field.name,
        };
        (name.to_owned(), placeholder(field))
    });
    Value::Object(members.collect::<Map<_, _>>())
}
