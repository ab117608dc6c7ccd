//! A record: its columns and their values.

use easel_catalog::parse_timestamp;
use serde_json::{Map, Value};

use crate::computed::id_of;

/// A record: its columns and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(pub Map<String, Value>);

impl Row {
    /// The value of a column; none where it is not given.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column)
    }

    /// The value of a column that has one: what is not given or null is none.
    pub fn value(&self, column: &str) -> Option<&Value> {
        self.get(column).filter(|it| !it.is_null())
    }

    /// The text of a column.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column).and_then(Value::as_str)
    }

    /// Whether a column holds `true`.
    pub fn is_true(&self, column: &str) -> bool {
        self.get(column) == Some(&Value::Bool(true))
    }

    /// The columns that differ from those of `before`; what is not given counts as null.
    pub fn changed<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        let gone = before.0.keys().filter(|it| !self.0.contains_key(*it));
        let columns = self.0.keys().chain(gone);
        columns
            .map(String::as_str)
            .filter(|column| !is_same(column, self.value(column), before.value(column)))
    }
}

/// Whether two values of a column are the same; numbers and times are, however they are spelled.
pub(crate) fn is_same(column: &str, one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if column == "id" || column.ends_with("_id") => {
            one == other || id_of(one).is_some() && id_of(one) == id_of(other)
        }
        (Some(Value::Number(one)), Some(Value::Number(other))) => {
            one == other || one.as_f64() == other.as_f64() && (one.is_f64() || other.is_f64())
        }
        (Some(Value::String(one)), Some(Value::String(other))) => {
            one == other || column.ends_with("_at") && is_same_time(one, other)
        }
        _ => one == other,
    }
}

fn is_same_time(one: &str, other: &str) -> bool {
    let one = parse_timestamp(one);
    one.is_some() && one == parse_timestamp(other)
}
