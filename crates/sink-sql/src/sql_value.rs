//! A value of a row, and how a JSON value becomes one.

use std::borrow::Cow;

use easel_catalog::{Kind, parse_day, parse_timestamp};
use jiff::Timestamp;
use uuid::Uuid;

use crate::decimal::Decimal;
use crate::json_text::{MAX_DECIMALS, MAX_WHOLE_DIGITS, is_storable_json, storable_text};
use crate::sql_type::SqlType;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue<'a> {
    /// No value.
    Null,
    /// A UUID.
    Uuid(Uuid),
    /// An integer.
    BigInt(i64),
    /// A decimal number.
    Numeric(Decimal),
    /// A floating-point number.
    Double(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A moment, without parts of microseconds.
    Timestamp(Timestamp),
    /// A text without `\0`.
    Text(Cow<'a, str>),
    /// A JSON value that a JSON column stores without loss.
    Json(Cow<'a, [u8]>),
}

/// What a field's JSON values are expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldShape {
    /// A string of digits without leading zeros, or an integer.
    Id {
        /// True if the empty string means that there is no id.
        can_be_empty: bool,
    },
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A string with a moment.
    Time {
        /// True if the string may be a day.
        can_be_day: bool,
    },
    /// A string.
    Text,
    /// A string with a UUID.
    Uuid,
    /// An array of strings or ids.
    List,
    /// Any value.
    Json,
}

/// How a JSON value fits into a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fit<'a> {
    /// The column has the whole value.
    Whole(SqlValue<'a>),
    /// The column has the value with less precision.
    Rounded(SqlValue<'a>),
    /// The column cannot have the value.
    No,
}

impl FieldShape {
    /// Returns the shape of the values of a kind of field.
    pub(crate) const fn of_kind(kind: &Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Id(id) => Self::Id {
                can_be_empty: id.can_be_empty,
            },
            Kind::Integer => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Boolean => Self::Boolean,
            Kind::Timestamp(precision) => Self::Time {
                can_be_day: matches!(precision, easel_catalog::Precision::Day),
            },
            Kind::Texts | Kind::Ids(_) => Self::List,
            Kind::Object(_) | Kind::Objects(_) => Self::Json,
        }
    }

    /// Returns the shape of the values of a column that the catalogue does not know.
    pub(crate) fn of_column(name: &str, sql_type: SqlType) -> Self {
        match sql_type {
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt | SqlType::Numeric
                if is_id_name(name) =>
            {
                Self::Id {
                    can_be_empty: false,
                }
            }
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => Self::Integer,
            SqlType::Numeric | SqlType::Real | SqlType::Double => Self::Number,
            SqlType::Boolean => Self::Boolean,
            SqlType::Timestamp | SqlType::LocalTimestamp => Self::Time { can_be_day: true },
            SqlType::Text | SqlType::Varchar(_) => Self::Text,
            SqlType::Uuid => Self::Uuid,
            SqlType::Json => Self::Json,
        }
    }

    /// Returns the type of the column for values of this shape.
    pub(crate) const fn sql_type(self) -> SqlType {
        match self {
            Self::Id { .. } | Self::Integer => SqlType::BigInt,
            Self::Number => SqlType::Double,
            Self::Boolean => SqlType::Boolean,
            Self::Time { .. } => SqlType::Timestamp,
            Self::Text => SqlType::Text,
            Self::Uuid => SqlType::Uuid,
            Self::List | Self::Json => SqlType::Json,
        }
    }
}

/// Returns true if a field with this name is probably an id.
pub(crate) fn is_id_name(name: &str) -> bool {
    name == "id" || name.ends_with("_id")
}

/// Returns the value of a column of the type `sql_type` for the value `json` of a field.
pub(crate) fn fit(json: &[u8], shape: FieldShape, sql_type: SqlType) -> Fit<'_> {
    if json == b"null" {
        return Fit::Whole(SqlValue::Null);
    }
    match sql_type {
        SqlType::Json if is_storable_json(json) => Fit::Whole(SqlValue::Json(Cow::Borrowed(json))),
        SqlType::Json => Fit::No,
        SqlType::Text => match storable_text(json) {
            Some(text) => Fit::Whole(SqlValue::Text(text)),
            None => Fit::No,
        },
        SqlType::Varchar(max_chars) => match storable_text(json) {
            Some(text) if has_at_most(&text, max_chars) => Fit::Whole(SqlValue::Text(text)),
            _ => Fit::No,
        },
        SqlType::SmallInt | SqlType::Integer | SqlType::BigInt => match integer(json, shape) {
            IntegerFit::Integer(integer) if is_in_range(integer, sql_type) => {
                Fit::Whole(SqlValue::BigInt(integer))
            }
            IntegerFit::Empty => Fit::Whole(SqlValue::Null),
            IntegerFit::Integer(_) | IntegerFit::No => Fit::No,
        },
        SqlType::Numeric => fit_numeric(json, shape),
        SqlType::Double => fit_double(json),
        SqlType::Real => fit_real(json),
        SqlType::Boolean => match json {
            b"true" => Fit::Whole(SqlValue::Boolean(true)),
            b"false" => Fit::Whole(SqlValue::Boolean(false)),
            _ => Fit::No,
        },
        SqlType::Timestamp | SqlType::LocalTimestamp => fit_timestamp(json, shape),
        SqlType::Uuid => match storable_text(json).and_then(|text| canonical_uuid(&text)) {
            Some(uuid) => Fit::Whole(SqlValue::Uuid(uuid)),
            None => Fit::No,
        },
    }
}

/// Returns true if a text has at most this many characters.
pub(crate) fn has_at_most(text: &str, max_chars: u32) -> bool {
    let max_chars = usize::try_from(max_chars).unwrap_or(usize::MAX);
    text.len() <= max_chars || text.chars().count() <= max_chars
}

/// Returns true if an integer column of this type can have the integer.
fn is_in_range(integer: i64, sql_type: SqlType) -> bool {
    match sql_type {
        SqlType::SmallInt => i16::try_from(integer).is_ok(),
        SqlType::Integer => i32::try_from(integer).is_ok(),
        _ => true,
    }
}

enum IntegerFit {
    Integer(i64),
    Empty,
    No,
}

/// Returns the digits between the quotes of an id. `None` for other strings.
fn id_digits(json: &[u8]) -> Option<&[u8]> {
    let digits = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_canonical = match digits {
        [] => false,
        [b'0', _, ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    is_canonical.then_some(digits)
}

fn integer(json: &[u8], shape: FieldShape) -> IntegerFit {
    let number = match (json.first(), shape) {
        (Some(b'"'), FieldShape::Id { can_be_empty: true }) if json == b"\"\"" => {
            return IntegerFit::Empty;
        }
        (Some(b'"'), FieldShape::Id { .. }) => id_digits(json),
        (Some(b'"'), _) => None,
        _ => Some(json),
    };
    let plain = number
        .filter(|number| number.len() < 20)
        .and_then(|number| str::from_utf8(number).ok())
        .and_then(|number| number.parse().ok());
    let exact = || number.and_then(Decimal::parse)?.to_i64();
    plain
        .or_else(exact)
        .map_or(IntegerFit::No, IntegerFit::Integer)
}

fn fit_numeric(json: &[u8], shape: FieldShape) -> Fit<'_> {
    let number = match (json.first(), shape) {
        (Some(b'"'), FieldShape::Id { can_be_empty: true }) if json == b"\"\"" => {
            return Fit::Whole(SqlValue::Null);
        }
        (Some(b'"'), FieldShape::Id { .. }) => id_digits(json),
        (Some(b'"'), _) => None,
        _ => Some(json),
    };
    match number.and_then(Decimal::parse) {
        Some(decimal) if is_in_numeric_range(&decimal) => Fit::Whole(SqlValue::Numeric(decimal)),
        _ => Fit::No,
    }
}

fn is_in_numeric_range(decimal: &Decimal) -> bool {
    let (whole, decimals) = decimal.digit_counts();
    whole <= MAX_WHOLE_DIGITS && decimals <= MAX_DECIMALS
}

fn fit_double(json: &[u8]) -> Fit<'_> {
    let number = str::from_utf8(json)
        .ok()
        .filter(|number| !number.starts_with('"'));
    let value = number.and_then(|number| number.parse::<f64>().ok());
    let (Some(number), Some(value)) = (number, value.filter(|value| value.is_finite())) else {
        return Fit::No;
    };
    // `parse` also reads other words.
    if !json
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
    {
        return Fit::No;
    }
    // A number of at most 15 digits always survives.
    let is_short = number.len() <= 15 && !number.contains(['e', 'E']);
    if is_short || Decimal::parse(json) == Decimal::parse(format!("{value:e}").as_bytes()) {
        return Fit::Whole(SqlValue::Double(value));
    }
    Fit::Rounded(SqlValue::Double(value))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "a number that is not exactly the same counts as rounded"
)]
fn fit_real(json: &[u8]) -> Fit<'_> {
    match fit_double(json) {
        Fit::Whole(SqlValue::Double(number)) | Fit::Rounded(SqlValue::Double(number)) => {
            let rounded = f64::from(number as f32);
            if !rounded.is_finite() {
                Fit::No
            } else if rounded == number {
                fit_double(json)
            } else {
                Fit::Rounded(SqlValue::Double(rounded))
            }
        }
        other => other,
    }
}

fn fit_timestamp(json: &[u8], shape: FieldShape) -> Fit<'_> {
    let Some(text) = storable_text(json) else {
        return Fit::No;
    };
    let can_be_day = matches!(shape, FieldShape::Time { can_be_day: true });
    let parsed = parse_timestamp(&text).or_else(|| parse_day(&text).filter(|_day| can_be_day));
    let Some(time) = parsed else {
        return Fit::No;
    };
    let whole = Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
    // A leap second is read as the second before it.
    let is_leap_second = text.as_bytes().get(17..19) == Some(b"60");
    if whole == time && !is_leap_second {
        Fit::Whole(SqlValue::Timestamp(whole))
    } else {
        Fit::Rounded(SqlValue::Timestamp(whole))
    }
}

/// Parses a UUID in lower case with hyphens, the spelling that a database returns.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.hyphenated().to_string() == text).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: FieldShape = FieldShape::Id { can_be_empty: true };
    const TIME: FieldShape = FieldShape::Time { can_be_day: true };

    #[track_caller]
    fn check(json: &str, shape: FieldShape, wanted: &Fit<'_>) {
        assert_eq!(
            &fit(json.as_bytes(), shape, shape.sql_type()),
            wanted,
            "{json}"
        );
    }

    #[test]
    fn an_id_is_digits_without_leading_zeros() {
        let id = |id| Fit::Whole(SqlValue::BigInt(id));
        check("\"70000000000031\"", ID, &id(70_000_000_000_031));
        check("70000000000031", ID, &id(70_000_000_000_031));
        check("\"0\"", ID, &id(0));
        check("\"\"", ID, &Fit::Whole(SqlValue::Null));
        check(
            "\"\"",
            FieldShape::Id {
                can_be_empty: false,
            },
            &Fit::No,
        );
        for json in [
            "\"007\"",
            "\"-7\"",
            "\"+7\"",
            "\"7 \"",
            "\"9223372036854775808\"",
            "\"7~44\"",
            "true",
            "{}",
        ] {
            check(json, ID, &Fit::No);
        }
    }

    #[test]
    fn numbers_fit_if_their_value_is_whole() {
        check(
            "10.0",
            FieldShape::Integer,
            &Fit::Whole(SqlValue::BigInt(10)),
        );
        check("-7", FieldShape::Integer, &Fit::Whole(SqlValue::BigInt(-7)));
        check("1.5", FieldShape::Integer, &Fit::No);
        check("\"7\"", FieldShape::Integer, &Fit::No);
        check(
            "8.50",
            FieldShape::Number,
            &Fit::Whole(SqlValue::Double(8.5)),
        );
        check(
            "66.66666666666667",
            FieldShape::Number,
            &Fit::Whole(SqlValue::Double(66.666_666_666_666_67)),
        );
        check(
            "9007199254740993",
            FieldShape::Number,
            &Fit::Rounded(SqlValue::Double(9_007_199_254_740_992.0)),
        );
        check("1e400", FieldShape::Number, &Fit::No);
        check("NaN", FieldShape::Number, &Fit::No);
        check("\"NaN\"", FieldShape::Number, &Fit::No);
    }

    #[test]
    fn a_time_finer_than_a_microsecond_is_rounded() {
        let time = |text: &str| SqlValue::Timestamp(text.parse().unwrap());
        let utc = time("2019-11-05T15:38:00Z");
        check(
            "\"2019-11-05 07:38:00 -0800\"",
            TIME,
            &Fit::Whole(utc.clone()),
        );
        check(
            "\"2019-11-05T15:38:00.000000999Z\"",
            TIME,
            &Fit::Rounded(utc),
        );
        check(
            "\"2016-12-31T23:59:60Z\"",
            TIME,
            &Fit::Rounded(time("2016-12-31T23:59:59Z")),
        );
        check(
            "\"2019-11-05\"",
            TIME,
            &Fit::Whole(time("2019-11-05T00:00:00Z")),
        );
        check(
            "\"2019-11-05\"",
            FieldShape::Time { can_be_day: false },
            &Fit::No,
        );
        check("1572939480", TIME, &Fit::No);
    }

    #[test]
    fn text_that_a_database_cannot_store_does_not_fit() {
        check(r#""a\u0000""#, FieldShape::Text, &Fit::No);
        check(r#""\ud800""#, FieldShape::Text, &Fit::No);
        check("5", FieldShape::Text, &Fit::No);
        check(
            r#""\u00e9""#,
            FieldShape::Text,
            &Fit::Whole(SqlValue::Text("é".into())),
        );
        check(r#"{"a":1,"a":1}"#, FieldShape::Json, &Fit::No);
    }
}
