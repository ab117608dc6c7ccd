//! How single values are written.
//!
//! A value comes as the event spells it and is copied wherever that will do. What has no value,
//! null, an empty text, array or object, is nothing that is written.

use std::borrow::Cow;
use std::str::FromStr;

use easel_catalog::{Kind, Precision, parse_day, parse_timestamp};
use jiff::Timestamp;

use crate::json_writer::JsonWriter;

/// How the value of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueFormat {
    /// As a text, digits included.
    Text,
    /// As a number.
    Number,
    /// As a number without a fraction.
    Integer,
    /// As a truth.
    Truth,
    /// As `YYYY-MM-DDTHH:mm:ss.SSSZ`.
    Time(Precision),
    /// Not at all: Caliper has no place for it.
    Nothing,
}

impl ValueFormat {
    pub(crate) const fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Text | Kind::Id(_) => Self::Text,
            Kind::Integer => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Boolean => Self::Truth,
            Kind::Timestamp(precision) => Self::Time(*precision),
            Kind::Object(_) | Kind::Texts | Kind::Ids(_) | Kind::Objects(_) => Self::Nothing,
        }
    }

    /// Writes `value`, or nothing when it has none of this form.
    pub(crate) fn write(self, value: &[u8], out: &mut JsonWriter) -> bool {
        match self {
            Self::Text => text_of(value).is_some_and(|text| {
                out.raw(b"\"");
                out.raw(text);
                out.raw(b"\"");
                true
            }),
            Self::Number => number(value).is_some_and(|number| {
                let is_finite = parsed(number).is_some_and(f64::is_finite);
                if is_finite {
                    out.raw(number);
                }
                is_finite
            }),
            Self::Integer => number(value).is_some_and(|number| {
                let is_whole = parsed::<i64>(number).is_some();
                if is_whole {
                    out.raw(number);
                }
                is_whole
            }),
            Self::Truth => {
                let is_truth = matches!(value, b"true" | b"false");
                if is_truth {
                    out.raw(value);
                }
                is_truth
            }
            Self::Time(precision) => time_of(value, precision).is_some_and(|time| {
                if is_written(value) {
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

/// Whether a value says something, so that leaving it out is a loss.
pub(crate) fn says_something(value: &[u8]) -> bool {
    !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}")
}

fn parsed<T: FromStr>(number: &[u8]) -> Option<T> {
    str::from_utf8(number).ok()?.parse().ok()
}

/// The text that a value is, as it stands between quotes: a string, or a number's digits.
pub(crate) fn text_of(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', text @ .., b'"'] if !text.is_empty() => Some(text),
        [b'-' | b'0'..=b'9', ..] => Some(value),
        _ => None,
    }
}

/// A number without the zeros that end its fraction.
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
            // The point goes with the last of them.
            let point = usize::from(zeros == fraction.len());
            value.get(..value.len() - zeros - point)
        }
        _ => Some(value),
    }
}

/// The moment that a value is.
pub(crate) fn time_of(value: &[u8], precision: Precision) -> Option<Timestamp> {
    let text = read(value)?;
    let day = || parse_day(&text).filter(|_| precision == Precision::Day);
    parse_timestamp(&text).or_else(day)
}

/// The text that a value is, with what is escaped in it read.
pub(crate) fn read(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = text_of(value)?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(value).ok().map(Cow::Owned);
    }
    str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// Whether a time is spelled in the one form that Caliper knows; a leap second is not.
fn is_written(value: &[u8]) -> bool {
    const PATTERN: &[u8; 26] = b"\"0000-00-00T00:00:00.000Z\"";
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte == wanted,
    };
    value.len() == PATTERN.len()
        && value.iter().zip(PATTERN).all(fits)
        && value.get(18..20) != Some(b"60")
}

/// Writes a moment in the one form that Caliper knows; what is finer than it is cut off.
pub(crate) fn write_time(time: Timestamp, out: &mut JsonWriter) {
    out.raw(b"\"");
    out.raw(easel_catalog::event_time(time).as_bytes());
    out.raw(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: ValueFormat, value: &str, wanted: &str) {
        let mut out = JsonWriter::default();
        let written = form.write(value.as_bytes(), &mut out);
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
        for nothing in ["null", "\"\"", "true", "{}", "[1]", "{\"a\":null}"] {
            check(ValueFormat::Text, nothing, "");
        }
    }

    #[test]
    fn truths_are_truths() {
        check(ValueFormat::Truth, "true", "true");
        check(ValueFormat::Truth, "1", "");
        check(ValueFormat::Nothing, "[1]", "");
    }

    #[test]
    fn numbers_lose_their_last_zeros() {
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
    fn times_have_one_form() {
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
