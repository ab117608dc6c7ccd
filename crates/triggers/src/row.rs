//! A row of the LMS database: its columns and their values.

use easel_catalog::parse_timestamp;
use serde_json::{Map, Value};

use crate::id::id_of;

/// A row of the LMS database: its columns and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(pub Map<String, Value>);

impl Row {
    /// Returns the content of a column, null included. `None` if the column is missing.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column)
    }

    /// Returns the value of a column. `None` if it is null or missing.
    pub fn value(&self, column: &str) -> Option<&Value> {
        self.get(column).filter(|value| !value.is_null())
    }

    /// Returns the string in a column.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column).and_then(Value::as_str)
    }

    /// Returns whether a column is `true`.
    pub fn is_true(&self, column: &str) -> bool {
        self.get(column) == Some(&Value::Bool(true))
    }

    /// Returns the columns whose values differ from `before`. A missing column counts as null.
    pub fn changed<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a str> {
        let removed = before
            .0
            .keys()
            .filter(|column| !self.0.contains_key(*column));
        let columns = self.0.keys().chain(removed);
        columns
            .map(String::as_str)
            .filter(|column| !is_same(column, self.value(column), before.value(column)))
    }
}

/// Returns whether two values of a column are equal. Different spellings of a number, of an id or of
/// a time are equal.
pub(crate) fn is_same(column: &str, left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) if column == "id" || column.ends_with("_id") => {
            left == right || id_of(left).is_some() && id_of(left) == id_of(right)
        }
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            left == right || left.as_f64() == right.as_f64() && (left.is_f64() || right.is_f64())
        }
        (Some(Value::String(left)), Some(Value::String(right))) => {
            left == right || column.ends_with("_at") && is_same_time(left, right)
        }
        _ => left == right,
    }
}

fn is_same_time(left: &str, right: &str) -> bool {
    let left = parse_timestamp(left);
    left.is_some() && left == parse_timestamp(right)
}
