//! The timestamps of events.
//!
//! A timestamp has a date, a `T`, `t` or space, a time with up to nine decimals, and a zone. The zone
//! is ` UTC`, or one of `Z`, `z`, `±HH:MM`, `±HHMM` and `±HH` after an optional space. These are all
//! formats that Canvas has used over the years, and a few more. A timestamp without a zone is
//! rejected, because the zone cannot be guessed. The year must have four digits. The last day of the
//! year 9999 is out of range.
//!
//! Easel writes two formats, as the newest Canvas does: [`event_time`] and [`body_time`].

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Parses a timestamp of an event. A leap second becomes the second before it.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let day = date(&mut rest)?;
    take(&mut rest, b"Tt ")?;
    let hour = number(&mut rest, 2)?;
    take(&mut rest, b":")?;
    let minute = number(&mut rest, 2)?;
    take(&mut rest, b":")?;
    let second = match number(&mut rest, 2)? {
        60 => 59,
        second => second,
    };
    let nanosecond = match take(&mut rest, b".") {
        Some(_) => decimals(&mut rest)?,
        None => 0,
    };
    let time = Time::new(hour, minute, second, nanosecond).ok()?;
    let civil = DateTime::from_parts(day, time);
    zone(rest)?.to_timestamp(civil).ok()
}

/// Parses a day, `YYYY-MM-DD`, as the start of that day in UTC.
pub fn parse_day(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let midnight = DateTime::from_parts(date(&mut rest)?, Time::midnight());
    rest.is_empty()
        .then(|| Offset::UTC.to_timestamp(midnight).ok())?
}

/// Parses `YYYY-MM-DD` at the start of `rest`.
fn date(rest: &mut &[u8]) -> Option<Date> {
    let year = number(rest, 4)?;
    take(rest, b"-")?;
    let month = number(rest, 2)?;
    take(rest, b"-")?;
    let day = number(rest, 2)?;
    Date::new(year, month, day).ok()
}

/// Formats a time for `event_time`: UTC, three decimals, `Z`. Finer digits are cut off.
pub fn event_time(time: Timestamp) -> String {
    let mut written = body_time(time);
    written.pop();
    let millisecond = Offset::UTC.to_datetime(time).millisecond();
    written.push('.');
    push_digits(&mut written, millisecond, 3);
    written.push('Z');
    written
}

/// Formats a time for a body, as the newest Canvas does: UTC, no decimals, `Z`.
pub fn body_time(time: Timestamp) -> String {
    let time = Offset::UTC.to_datetime(time);
    let mut written = String::with_capacity(24);
    push_digits(&mut written, time.year(), 4);
    for (separator, number) in [
        ('-', time.month()),
        ('-', time.day()),
        ('T', time.hour()),
        (':', time.minute()),
        (':', time.second()),
    ] {
        written.push(separator);
        push_digits(&mut written, i16::from(number), 2);
    }
    written.push('Z');
    written
}

/// Appends the last `count` digits of a number, with leading zeros. The number must not be negative.
fn push_digits(out: &mut String, number: i16, count: u32) {
    for place in (0..count).rev() {
        let digit = number / 10_i16.pow(place) % 10;
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
    }
}

/// Parses a zone.
fn zone(text: &[u8]) -> Option<Offset> {
    if text == b" UTC" {
        return Some(Offset::UTC);
    }
    let mut rest = text.strip_prefix(b" ").unwrap_or(text);
    let sign = match take(&mut rest, b"Zz+-")? {
        b'-' => -1,
        b'+' => 1,
        _ => return rest.is_empty().then_some(Offset::UTC),
    };
    let hours: i32 = number(&mut rest, 2)?;
    let minutes: i32 = match rest {
        [] => 0,
        _ => {
            rest = rest.strip_prefix(b":").unwrap_or(rest);
            number(&mut rest, 2)?
        }
    };
    if !rest.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()
}

/// Parses one to nine decimals, as nanoseconds.
fn decimals(rest: &mut &[u8]) -> Option<i32> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let missing = 9_u32.checked_sub(u32::try_from(count).ok()?)?;
    if count == 0 {
        return None;
    }
    Some(number::<i32>(rest, count)? * 10_i32.pow(missing))
}

/// Parses exactly `count` digits; `count` must be at most nine.
fn number<T: TryFrom<i32>>(rest: &mut &[u8], count: usize) -> Option<T> {
    let (digits, after) = rest.split_at_checked(count)?;
    *rest = after;
    let value = digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i32::from(digit - b'0'))
    })?;
    T::try_from(value).ok()
}

/// Takes the first byte if it is one of `choices`.
fn take(rest: &mut &[u8], choices: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    choices.contains(first).then(|| {
        *rest = after;
        *first
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wanted: Option<&str>) {
        let wanted = wanted.map(|text| text.parse::<Timestamp>().expect("an RFC 3339 timestamp"));
        assert_eq!(parse_timestamp(text), wanted, "{text}");
    }

    #[test]
    fn every_published_format_is_accepted() {
        check("2019-11-01T19:11:05.222Z", Some("2019-11-01T19:11:05.222Z"));
        check("2019-11-01T19:11:05Z", Some("2019-11-01T19:11:05Z"));
        check("2019-11-01T13:11:05-06:00", Some("2019-11-01T19:11:05Z"));
        check("2019-11-05 07:38:00 -0800", Some("2019-11-05T15:38:00Z"));
        check("2019-11-05 07:38:00 UTC", Some("2019-11-05T07:38:00Z"));
    }

    #[test]
    fn separators_decimals_and_zones_may_differ() {
        check("2019-11-05t07:38:00z", Some("2019-11-05T07:38:00Z"));
        check(
            "2019-11-05 07:38:00.000000001 +0530",
            Some("2019-11-05T02:08:00.000000001Z"),
        );
        check("2019-11-05T07:38:00+05", Some("2019-11-05T02:38:00Z"));
        check("2019-11-05T07:38:00 Z", Some("2019-11-05T07:38:00Z"));
        check("2019-11-05T07:38:00-00:00", Some("2019-11-05T07:38:00Z"));
    }

    #[test]
    fn a_day_becomes_its_start_in_utc() {
        let day = |text| parse_day(text).map(body_time);
        assert_eq!(day("2019-11-05").as_deref(), Some("2019-11-05T00:00:00Z"));
        for text in [
            "",
            "2019-11-5",
            "2019-02-29",
            "2019-11-05T",
            "2019-11-05Z",
            "201-11-05",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn an_event_time_has_three_decimals_and_a_body_time_has_no_decimals() {
        let time = parse_timestamp("2019-11-01T13:11:05.222987-06:00").unwrap();
        assert_eq!(event_time(time), "2019-11-01T19:11:05.222Z");
        assert_eq!(body_time(time), "2019-11-01T19:11:05Z");
    }

    #[test]
    fn a_leap_second_becomes_the_second_before_it() {
        check("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z"));
        check("2016-12-31T23:59:61Z", None);
    }

    #[test]
    fn dates_must_be_in_the_calendar() {
        check("2020-02-29T00:00:00Z", Some("2020-02-29T00:00:00Z"));
        check("2019-02-29T00:00:00Z", None);
        check("2019-13-01T00:00:00Z", None);
        check("2019-00-01T00:00:00Z", None);
        check("2019-11-31T00:00:00Z", None);
        check("2019-11-05T24:00:00Z", None);
        check("2019-11-05T00:60:00Z", None);
    }

    #[test]
    fn any_other_text_is_rejected() {
        for text in [
            "",
            "2019-11-05",
            "2019-11-05T07:38:00",
            "2019-11-05T07:38Z",
            "201-11-05T07:38:00Z",
            "12019-11-05T07:38:00Z",
            "-2019-11-05T07:38:00Z",
            "2019-11-05T07:38:00.Z",
            "2019-11-05T07:38:00.1234567890Z",
            "2019-11-05T07:38:00,5Z",
            "2019-11-05T7:38:00Z",
            "2019-11-05  07:38:00Z",
            "2019-11-05T07:38:00  Z",
            "2019-11-05T07:38:00UTC",
            "2019-11-05T07:38:00 utc",
            "2019-11-05T07:38:00+24:00",
            "2019-11-05T07:38:00+05:60",
            "2019-11-05T07:38:00+5",
            "2019-11-05T07:38:00+05:",
            "2019-11-05T07:38:00+05:3",
            "2019-11-05T07:38:00+05:300",
            "2019-11-05T07:38:00Z ",
            " 2019-11-05T07:38:00Z",
            "2019-11-05T07:38:00ZZ",
            "2019-11-05T07:38:00 ",
            "٢٠١٩-11-05T07:38:00Z",
            "2019-11-05T07:38:00\u{2212}06:00",
            "9999-12-31T23:59:59Z",
            "+019-11-05T07:38:00Z",
        ] {
            check(text, None);
        }
    }
}
