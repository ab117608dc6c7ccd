//! Writes single values.
//!
//! A value is copied as the event spells it where possible. Null and empty strings, arrays and
//! objects are not written.

use std::borrow::Cow;
use std::str::FromStr;

use easel_catalog::{Kind, Precision, parse_day, parse_timestamp};
use jiff::Timestamp;

use easel_catalog::JsonWriter;

/// The output format of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueFormat {
    /// A string. A number becomes a string of its digits.
    Text,
    /// A number.
    Number,
    /// A number without a fraction.
    Integer,
    /// A boolean.
    Boolean,
    /// A time as `YYYY-MM-DDTHH:mm:ss.SSSZ`.
    Time(Precision),
    /// No output: Caliper has no place for the value.
    Nothing,
}

impl ValueFormat {
    pub(crate) const fn from_kind(kind: &Kind) -> Self {
        match kind {
            Kind::Text | Kind::Id(_) => Self::Text,
            Kind::Integer => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Boolean => Self::Boolean,
            Kind::Timestamp(precision) => Self::Time(*precision),
            Kind::Object(_) | Kind::Texts | Kind::Ids(_) | Kind::Objects(_) => Self::Nothing,
        }
    }

    /// Writes `value` and returns true, or returns false if the value does not fit this format.
    pub(crate) fn write(self, value: &[u8], out: &mut JsonWriter) -> bool {
        match self {
            Self::Text => text_of(value).is_some_and(|text| {
                out.raw(b"\"");
                out.raw(text);
                out.raw(b"\"");
                true
            }),
            Self::Number => number(value).is_some_and(|number| {
                let is_finite = parse(number).is_some_and(f64::is_finite);
                if is_finite {
                    out.raw(number);
                }
                is_finite
            }),
            Self::Integer => number(value).is_some_and(|number| {
                let is_whole = parse::<i64>(number).is_some();
                if is_whole {
                    out.raw(number);
                }
                is_whole
            }),
            Self::Boolean => {
                let is_boolean = matches!(value, b"true" | b"false");
                if is_boolean {
                    out.raw(value);
                }
                is_boolean
            }
            Self::Time(precision) => time_of(value, precision).is_some_and(|time| {
                if is_caliper_time(value) {
                    out.raw(value);
                } else {
                    write_time(time, out);
                }
                true
            }),
            Self::Nothing => false,
        }
    }
}

/// Returns whether a value has content. If such a value is not written, data is lost.
pub(crate) fn has_content(value: &[u8]) -> bool {
    !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}")
}

fn parse<T: FromStr>(number: &[u8]) -> Option<T> {
    str::from_utf8(number).ok()?.parse().ok()
}

/// Returns the raw text of a value: a string without its quotes, or the digits of a number.
pub(crate) fn text_of(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', text @ .., b'"'] if !text.is_empty() => Some(text),
        [b'-' | b'0'..=b'9', ..] => Some(value),
        _ => None,
    }
}

/// Returns a number without the zeros at the end of its fraction. `None` if the value is not a number.
fn number(value: &[u8]) -> Option<&[u8]> {
    if !matches!(value, [b'-' | b'0'..=b'9', ..]) {
        return None;
    }
    let is_plain = !value.iter().any(|byte| matches!(byte, b'e' | b'E'));
    match value.split(|byte| *byte == b'.').nth(1) {
        Some(fraction) if is_plain => {
            let zeros = fraction
                .iter()
                .rev()
                .take_while(|byte| **byte == b'0')
                .count();
            // If all digits of the fraction are zeros, the point is removed too.
            let point = usize::from(zeros == fraction.len());
            value.get(..value.len() - zeros - point)
        }
        _ => Some(value),
    }
}

/// Parses a value as a time.
pub(crate) fn time_of(value: &[u8], precision: Precision) -> Option<Timestamp> {
    let text = decoded_text(value)?;
    let day = || parse_day(&text).filter(|_| precision == Precision::Day);
    parse_timestamp(&text).or_else(day)
}

/// Returns the text of a value with its escapes decoded.
pub(crate) fn decoded_text(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = text_of(value)?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(value).ok().map(Cow::Owned);
    }
    str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// Returns whether a time is in the format that Caliper requires. Returns false for a leap second.
fn is_caliper_time(value: &[u8]) -> bool {
    const PATTERN: &[u8; 26] = b"\"0000-00-00T00:00:00.000Z\"";
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte == wanted,
    };
    value.len() == PATTERN.len()
        && value.iter().zip(PATTERN).all(fits)
        && value.get(18..20) != Some(b"60")
}

/// Writes a time in the format that Caliper requires, truncated to milliseconds.
pub(crate) fn write_time(time: Timestamp, out: &mut JsonWriter) {
    out.raw(b"\"");
    out.raw(easel_catalog::event_time(time).as_bytes());
    out.raw(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: ValueFormat, value: &str, wanted: &str) {
        let mut out = JsonWriter::default();
        let written = format.write(value.as_bytes(), &mut out);
        assert_eq!(
            String::from_utf8(out.into_bytes()).unwrap(),
            wanted,
            "{value}"
        );
        assert_eq!(written, !wanted.is_empty(), "{value}");
    }

    #[test]
    fn text_is_copied_with_its_escapes_and_numbers_become_text() {
        check(ValueFormat::Text, r#""a \/ \u00e9""#, r#""a \/ \u00e9""#);
        check(ValueFormat::Text, "70000000000001", "\"70000000000001\"");
        for without_text in ["null", "\"\"", "true", "{}", "[1]", "{\"a\":null}"] {
            check(ValueFormat::Text, without_text, "");
        }
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        check(ValueFormat::Boolean, "true", "true");
        check(ValueFormat::Boolean, "1", "");
    }

    #[test]
    fn a_value_without_a_place_in_caliper_is_not_written() {
        check(ValueFormat::Nothing, "[1]", "");
    }

    #[test]
    fn numbers_lose_the_zeros_at_the_end_of_a_fraction() {
        check(ValueFormat::Number, "100.0", "100");
        check(ValueFormat::Number, "8.50", "8.5");
        check(ValueFormat::Number, "-0.25", "-0.25");
        check(ValueFormat::Number, "100", "100");
        check(ValueFormat::Number, "1.0e2", "1.0e2");
        check(ValueFormat::Number, "\"100\"", "");
        check(ValueFormat::Integer, "2.0", "2");
        check(ValueFormat::Integer, "2.5", "");
        check(ValueFormat::Integer, "2e1", "");
        check(
            ValueFormat::Integer,
            "-9223372036854775808",
            "-9223372036854775808",
        );
        check(ValueFormat::Integer, "9223372036854775808", "");
        check(ValueFormat::Number, "1e308", "1e308");
        check(ValueFormat::Number, "1e309", "");
    }

    #[test]
    fn times_are_written_in_one_format() {
        let time = ValueFormat::Time(Precision::Moment);
        check(
            time,
            "\"2019-10-05 05:38:00 -0800\"",
            "\"2019-10-05T13:38:00.000Z\"",
        );
        check(
            time,
            "\"2019-11-01T19:11:05.222987Z\"",
            "\"2019-11-01T19:11:05.222Z\"",
        );
        check(
            time,
            r#""2019-11-01T13:11:05\u002B02:00""#,
            "\"2019-11-01T11:11:05.000Z\"",
        );
        check(time, "\"2019-11-01\"", "");
        check(time, "\"019-11-01T19:11:05Z\"", "");
        check(
            ValueFormat::Time(Precision::Day),
            "\"2019-11-01\"",
            "\"2019-11-01T00:00:00.000Z\"",
        );
    }
}
