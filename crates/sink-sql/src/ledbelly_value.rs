//! How a JSON value becomes a value of a column in the layout `ledbelly`.
//!
//! `LEDbelly` casts every value to the type of its column, and it cuts a text that is too long. So does this
//! file, but it says when the column does not have the whole value.
//!
//! - A text column accepts any value. Numbers and booleans are written as in JSON. A list of strings or ids
//!   is joined with commas, and an empty list is NULL. Objects and other arrays are written as JSON.
//! - A number column accepts a string of digits. The empty string is NULL in an integer column.
//! - A number that the column cannot hold is NULL.

use std::borrow::Cow;

use crate::json_text::{elements, storable_text};
use crate::sql_type::SqlType;
use crate::sql_value::{FieldShape, Fit, SqlValue, fit, has_at_most};

/// Returns the value of a column of the type `sql_type` for the value `json` of a field.
pub(crate) fn fit_leniently(json: &[u8], shape: FieldShape, sql_type: SqlType) -> Fit<'_> {
    if json == b"null" {
        return Fit::Whole(SqlValue::Null);
    }
    match sql_type {
        SqlType::Text => text_of(json, shape),
        SqlType::Varchar(max_chars) => cut(text_of(json, shape), max_chars),
        SqlType::SmallInt | SqlType::Integer | SqlType::BigInt | SqlType::Numeric => {
            fit(json, FieldShape::Id { can_be_empty: true }, sql_type)
        }
        SqlType::Real | SqlType::Double | SqlType::Boolean => match without_quotes(json) {
            Some(inner) => rounded(fit(inner, shape, sql_type)),
            None => fit(json, shape, sql_type),
        },
        SqlType::Timestamp | SqlType::LocalTimestamp => {
            fit(json, FieldShape::Time { can_be_day: true }, sql_type)
        }
        SqlType::Uuid | SqlType::Json => fit(json, shape, sql_type),
    }
}

/// Cuts a text that has more characters than its column.
pub(crate) fn cut_to(text: Cow<'_, str>, max_chars: u32) -> Cow<'_, str> {
    if has_at_most(&text, max_chars) {
        return text;
    }
    let max_chars = usize::try_from(max_chars).unwrap_or(usize::MAX);
    Cow::Owned(text.chars().take(max_chars).collect())
}

fn cut(fitted: Fit<'_>, max_chars: u32) -> Fit<'_> {
    match fitted {
        Fit::Whole(SqlValue::Text(text)) if !has_at_most(&text, max_chars) => {
            Fit::Rounded(SqlValue::Text(cut_to(text, max_chars)))
        }
        Fit::Rounded(SqlValue::Text(text)) => Fit::Rounded(SqlValue::Text(cut_to(text, max_chars))),
        other => other,
    }
}

/// The value does not show that the event had a string.
fn rounded(fitted: Fit<'_>) -> Fit<'_> {
    match fitted {
        Fit::Whole(value) => Fit::Rounded(value),
        other => other,
    }
}

fn without_quotes(json: &[u8]) -> Option<&[u8]> {
    json.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn text_of(json: &[u8], shape: FieldShape) -> Fit<'_> {
    match (json.first(), shape) {
        (Some(b'"'), _) => match storable_text(json) {
            Some(text) if shape == FieldShape::Json && looks_like_json(&text) => {
                Fit::Rounded(SqlValue::Text(text))
            }
            Some(text) => Fit::Whole(SqlValue::Text(text)),
            None => Fit::No,
        },
        (Some(b'['), FieldShape::List) => joined(json).unwrap_or_else(|| spelled(json)),
        (_, FieldShape::Text) => rounded(spelled(json)),
        _ => spelled(json),
    }
}

/// True if the text could also be the spelling of another JSON value.
fn looks_like_json(text: &str) -> bool {
    text.starts_with(['{', '[', '-'])
        || text.starts_with(|first: char| first.is_ascii_digit())
        || matches!(text, "true" | "false")
}

/// Returns the JSON of the value as a text.
fn spelled(json: &[u8]) -> Fit<'_> {
    match str::from_utf8(json) {
        Ok(text) => Fit::Whole(SqlValue::Text(Cow::Borrowed(text))),
        Err(_) => Fit::No,
    }
}

/// Joins the elements of a list with commas. `None` if an element is not a string or a number.
fn joined(json: &[u8]) -> Option<Fit<'_>> {
    let mut texts = Vec::new();
    for element in elements(json).ok()? {
        match element.first()? {
            b'"' => texts.push(storable_text(element)?),
            b'-' | b'0'..=b'9' => texts.push(Cow::Borrowed(str::from_utf8(element).ok()?)),
            _ => return None,
        }
    }
    if texts.is_empty() {
        return Some(Fit::Whole(SqlValue::Null));
    }
    let text = SqlValue::Text(Cow::Owned(texts.join(",")));
    let is_ambiguous = |text: &Cow<'_, str>| text.is_empty() || text.contains(',');
    Some(if texts.iter().any(is_ambiguous) {
        Fit::Rounded(text)
    } else {
        Fit::Whole(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: FieldShape = FieldShape::Json;

    #[track_caller]
    fn check(json: &str, shape: FieldShape, sql_type: SqlType, wanted: &Fit<'_>) {
        let found = fit_leniently(json.as_bytes(), shape, sql_type);
        assert_eq!(&found, wanted, "{json}");
    }

    fn text(text: &str) -> SqlValue<'_> {
        SqlValue::Text(text.into())
    }

    #[test]
    fn a_text_column_has_any_value() {
        let check = |json, shape, wanted: &Fit<'_>| check(json, shape, SqlType::Text, wanted);
        check("true", FieldShape::Boolean, &Fit::Whole(text("true")));
        check("5.0", FieldShape::Number, &Fit::Whole(text("5.0")));
        check("\"5\"", FieldShape::Number, &Fit::Whole(text("5")));
        check("5", FieldShape::Text, &Fit::Rounded(text("5")));
        check("{\"a\": 1}", ANY, &Fit::Whole(text("{\"a\": 1}")));
        check("\"{}\"", ANY, &Fit::Rounded(text("{}")));
        check("null", FieldShape::Text, &Fit::Whole(SqlValue::Null));
        check("\"\\u0000\"", FieldShape::Text, &Fit::No);
    }

    #[test]
    fn a_list_is_joined_with_commas() {
        let check = |json, wanted: &Fit<'_>| check(json, FieldShape::List, SqlType::Text, wanted);
        check(
            "[\"name\", \"start_at\"]",
            &Fit::Whole(text("name,start_at")),
        );
        check("[7,\"8\"]", &Fit::Whole(text("7,8")));
        check("[]", &Fit::Whole(SqlValue::Null));
        check("[\"a,b\"]", &Fit::Rounded(text("a,b")));
        check("[[1]]", &Fit::Whole(text("[[1]]")));
    }

    #[test]
    fn a_text_is_cut_to_the_characters_of_its_column() {
        let column = SqlType::Varchar(3);
        check(
            "\"äöü\"",
            FieldShape::Text,
            column,
            &Fit::Whole(text("äöü")),
        );
        check(
            "\"äöüß\"",
            FieldShape::Text,
            column,
            &Fit::Rounded(text("äöü")),
        );
        check(
            "false",
            FieldShape::Boolean,
            column,
            &Fit::Rounded(text("fal")),
        );
    }

    #[test]
    fn an_integer_that_its_column_cannot_hold_does_not_fit() {
        let integer = |integer| Fit::Whole(SqlValue::BigInt(integer));
        check("\"42\"", ANY, SqlType::Integer, &integer(42));
        check("10.0", ANY, SqlType::Integer, &integer(10));
        check("\"\"", ANY, SqlType::Integer, &Fit::Whole(SqlValue::Null));
        check("\"70000000000031\"", ANY, SqlType::Integer, &Fit::No);
        check(
            "\"70000000000031\"",
            ANY,
            SqlType::BigInt,
            &integer(70_000_000_000_031),
        );
        check("70000", ANY, SqlType::SmallInt, &Fit::No);
        check("true", FieldShape::Boolean, SqlType::Integer, &Fit::No);
    }

    #[test]
    fn numbers_and_booleans_in_strings_are_read() {
        let double = |number| SqlValue::Double(number);
        check("8.5", ANY, SqlType::Double, &Fit::Whole(double(8.5)));
        check("\"8.5\"", ANY, SqlType::Double, &Fit::Rounded(double(8.5)));
        check("\"B+\"", ANY, SqlType::Double, &Fit::No);
        check("8.5", ANY, SqlType::Real, &Fit::Whole(double(8.5)));
        check(
            "0.1",
            ANY,
            SqlType::Real,
            &Fit::Rounded(double(f64::from(0.1_f32))),
        );
        let truth = Fit::Rounded(SqlValue::Boolean(true));
        check("\"true\"", ANY, SqlType::Boolean, &truth);
    }
}
