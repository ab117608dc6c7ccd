//! Finds the values of an event again, from its row and the row's column `extra`.
//!
//! This is the inverse of what the crate does. It reads only what a user of the tables can read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use easel_catalog::{Json, parse_day, parse_timestamp};
use easel_sink_sql::{ColumnSource, Decimal, SqlRow, SqlTable, SqlValue};

/// All values that a row shows for a JSON Pointer such as `/body/score`. A rounded value is there twice.
pub(crate) type FoundValues = BTreeMap<String, Vec<Found>>;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// From a typed column.
    Column(SqlValue<'static>),
    /// From a JSON column, or from the column `extra`.
    Json(Json),
}

fn own(value: &SqlValue<'_>) -> SqlValue<'static> {
    match value {
        SqlValue::Null => SqlValue::Null,
        SqlValue::Uuid(uuid) => SqlValue::Uuid(*uuid),
        SqlValue::BigInt(integer) => SqlValue::BigInt(*integer),
        SqlValue::Numeric(decimal) => SqlValue::Numeric(decimal.clone()),
        SqlValue::Double(number) => SqlValue::Double(*number),
        SqlValue::Boolean(truth) => SqlValue::Boolean(*truth),
        SqlValue::Timestamp(time) => SqlValue::Timestamp(*time),
        SqlValue::Text(text) => SqlValue::Text(text.clone().into_owned().into()),
        SqlValue::Json(json) => SqlValue::Json(json.clone().into_owned().into()),
    }
}

fn read(json: &[u8]) -> Json {
    Json::read(json, 1_000).unwrap()
}

fn pointer(part: &str, key: &str) -> String {
    format!("{part}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Returns the values that a row shows.
pub(crate) fn found_values(table: &SqlTable, row: &SqlRow<'_>) -> FoundValues {
    let mut found = FoundValues::new();
    let mut add = |path: String, value: Found| found.entry(path).or_default().push(value);
    for (column, value) in table.columns.iter().zip(&row.values) {
        let path = match &column.source {
            ColumnSource::EventTime => "/metadata/event_time".to_owned(),
            ColumnSource::Metadata(name) => pointer("/metadata", name),
            ColumnSource::Body(name) => pointer("/body", name),
            ColumnSource::WholeBody => "/body".to_owned(),
            ColumnSource::Extra => {
                if let SqlValue::Json(json) = value {
                    for (path, json) in extra_values(&read(json)) {
                        add(path, Found::Json(json));
                    }
                }
                continue;
            }
            _ => continue,
        };
        match value {
            SqlValue::Null => (),
            SqlValue::Json(json) => add(path, Found::Json(read(json))),
            value => add(path, Found::Column(own(value))),
        }
    }
    if let Some(event_type) = &table.event_type {
        let name = SqlValue::Text(event_type.clone().into());
        add("/metadata/event_name".to_owned(), Found::Column(name));
    }
    found
}

/// Returns the values in the column `extra`, by JSON Pointer.
fn extra_values(extra: &Json) -> Vec<(String, Json)> {
    let mut values = Vec::new();
    for (key, value) in extra.members() {
        let key = key.as_str().unwrap();
        let part = match key {
            "_metadata" => "/metadata",
            "_event" => "",
            "_mismatch" => {
                for (path, value) in value.members() {
                    let path = path.as_str().unwrap();
                    let decoded = decoded(value);
                    match (path, decoded) {
                        // Members that no JSON column can hold.
                        ("" | "/body" | "/metadata", Some(json))
                            if json.is_object() && is_odd(path, value) =>
                        {
                            for (key, value) in json.members() {
                                values.push((pointer(path, &key.to_string()), value.clone()));
                            }
                        }
                        (path, Some(json)) => values.push((path.to_owned(), json)),
                        (path, None) => values.push((path.to_owned(), value.clone())),
                    }
                }
                continue;
            }
            _ => {
                values.push((pointer("/body", key), value.clone()));
                continue;
            }
        };
        for (key, value) in value.members() {
            values.push((pointer(part, key.as_str().unwrap()), value.clone()));
        }
    }
    values
}

/// In the wide layout, `/body` is the body itself. The tests of that layout do not come here.
fn is_odd(_path: &str, value: &Json) -> bool {
    value.get("base64").is_some()
}

fn decoded(value: &Json) -> Option<Json> {
    match value.members() {
        [(key, Json::Text(text))] if key.as_str() == Some("base64") => {
            Some(read(&STANDARD.decode(text.as_str()?).ok()?))
        }
        _ => None,
    }
}

/// Returns true if a value of a row is the value of the event.
pub(crate) fn is_same(found: &Found, sent: &Json) -> bool {
    match (found, sent) {
        (Found::Json(found), sent) => same_json(found, sent),
        (Found::Column(SqlValue::Text(found)), Json::Text(sent)) => sent.as_str() == Some(found),
        (Found::Column(SqlValue::Uuid(found)), Json::Text(sent)) => {
            sent.as_str() == Some(&found.to_string())
        }
        (Found::Column(SqlValue::BigInt(found)), Json::Text(sent)) => {
            sent.as_str() == Some(&found.to_string())
        }
        (Found::Column(SqlValue::Timestamp(found)), Json::Text(sent)) => {
            let sent = sent.as_str().unwrap_or_default();
            let is_leap_second = sent.get(17..19) == Some("60");
            !is_leap_second && parse_timestamp(sent).or_else(|| parse_day(sent)) == Some(*found)
        }
        (Found::Column(SqlValue::Boolean(found)), Json::Boolean(sent)) => found == sent,
        (Found::Column(SqlValue::BigInt(found)), Json::Number(sent)) => {
            same_number(&found.to_string(), sent)
        }
        (Found::Column(SqlValue::Double(found)), Json::Number(sent)) => {
            same_number(&format!("{found:e}"), sent)
        }
        (Found::Column(SqlValue::Numeric(found)), Json::Number(sent)) => {
            Decimal::parse(sent.as_bytes()).as_ref() == Some(found)
        }
        _ => false,
    }
}

fn same_number(a: &str, b: &str) -> bool {
    a == b || Decimal::parse(a.as_bytes()).is_some_and(|a| Some(a) == Decimal::parse(b.as_bytes()))
}

/// Compares two JSON values. Key order and the spelling of numbers do not matter.
fn same_json(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => same_number(a, b),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let mut rest = b.clone();
            a.len() == b.len()
                && a.iter().all(|(key, value)| {
                    let at = rest
                        .iter()
                        .position(|(other, b)| other == key && same_json(value, b));
                    at.map(|at| rest.remove(at)).is_some()
                })
        }
        (a, b) => a == b,
    }
}

/// Asserts that every value of an event is in its row.
#[track_caller]
pub(crate) fn assert_nothing_is_lost(table: &SqlTable, row: &SqlRow<'_>, event: &[u8]) {
    let found = found_values(table, row);
    for (part, members) in read(event).members() {
        let part = part.to_string();
        let is_part = ["metadata", "body"].contains(&part.as_str()) && members.is_object();
        let values: Vec<(String, &Json)> = if is_part {
            let members = members.members().iter();
            members
                .map(|(key, value)| (pointer(&format!("/{part}"), &key.to_string()), value))
                .collect()
        } else {
            vec![(pointer("", &part), members)]
        };
        for (path, sent) in values {
            // NULL stands for null, for a missing field, and for an id that can be empty.
            if *sent == Json::Null || sent.text() == Some("") && path.ends_with("_id") {
                continue;
            }
            let shown = found.get(&path).map(Vec::as_slice).unwrap_or_default();
            assert!(
                shown.iter().any(|shown| is_same(shown, sent)),
                "{path}: {sent:?} is not in {shown:?}"
            );
        }
    }
}
