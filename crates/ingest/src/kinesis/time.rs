//! Times: seconds since 1970 in JSON, and milliseconds with the tag 1 in CBOR.
//!
//! RFC 8949 says that the tag 1 means seconds. But the SDKs for Java write the milliseconds as an integer, and read
//! nothing else. So an answer has such integers. A call can have both, with or without the tag, and also a text as in
//! RFC 3339. The size of a number decides its unit.

use std::fmt;

use ciborium::tag::Required;
use jiff::{SignedDuration, Timestamp};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The lowest number in CBOR that means milliseconds: a day in April 1970. As seconds, it is in the year 2286.
const LEAST_MILLIS: f64 = 1e10;

/// The time of a call. `None` if it is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentTime(pub(super) Option<Timestamp>);

impl<'de> Deserialize<'de> for SentTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = if deserializer.is_human_readable() {
            TimeVisitor::Seconds
        } else {
            TimeVisitor::SecondsOrMillis
        };
        deserializer.deserialize_any(visitor)
    }
}

/// Reads a time in one unit, or in the unit that fits.
#[derive(Clone, Copy)]
enum TimeVisitor {
    Seconds,
    SecondsOrMillis,
}

impl Visitor<'_> for TimeVisitor {
    type Value = SentTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<SentTime, E> {
        let since = SignedDuration::try_from_secs_f64(number).ok();
        let since = since.and_then(|since| match self {
            Self::SecondsOrMillis if number.abs() >= LEAST_MILLIS => since.checked_div(1_000),
            Self::Seconds | Self::SecondsOrMillis => Some(since),
        });
        Ok(SentTime(
            since.and_then(|since| Timestamp::from_duration(since).ok()),
        ))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<SentTime, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "only the size of the number matters"
        )]
        let size = (number as f64).abs();
        Ok(SentTime(match self {
            Self::SecondsOrMillis if size >= LEAST_MILLIS => {
                Timestamp::from_millisecond(number).ok()
            }
            Self::Seconds | Self::SecondsOrMillis => Timestamp::from_second(number).ok(),
        }))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<SentTime, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SentTime, E> {
        match self {
            Self::SecondsOrMillis => Ok(SentTime(text.parse().ok())),
            Self::Seconds => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }
}

/// The time of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownTime(pub(super) Timestamp);

impl Serialize for ShownTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_f64(self.0.as_duration().as_secs_f64())
        } else {
            Required::<_, 1>(self.0.as_millisecond()).serialize(serializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::format::KinesisFormat;

    #[track_caller]
    fn check(hex: &[u8], wanted: Option<&str>) {
        let time: SentTime = KinesisFormat::Cbor.parse(hex).unwrap();
        let wanted = wanted.map(|time| time.parse().unwrap());
        assert_eq!(time.0, wanted, "{hex:x?}");
    }

    #[test]
    fn a_time_in_cbor_is_read_in_every_usual_form() {
        let time = Some("2026-08-18T07:01:26.712Z");
        let millis = b"\xc1\x1b\x00\x00\x01\xa0\x13\xac\xcc\x38";
        check(millis, Some("2026-08-18T07:01:26.712Z"));
        check(&millis[1..], time);
        let float = |number: f64| [&b"\xc1\xfb"[..], &number.to_be_bytes()].concat();
        check(&float(1_787_036_486_712.0), time);
        check(&float(1_787_036_486.5), Some("2026-08-18T07:01:26.5Z"));
        check(b"\xc1\x1a\x6a\x84\x03\x46", Some("2026-08-18T07:01:26Z"));
        check(b"\xc0\x78\x182026-08-18T07:01:26.712Z", time);
        check(b"\x00", Some("1970-01-01T00:00:00Z"));
        check(b"\x3a\x00\x01\x51\x7f", Some("1969-12-31T00:00:00Z"));
    }

    #[test]
    fn a_time_out_of_range_is_no_time() {
        check(b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", None);
        check(b"\xf9\x7e\x00", None);
        check(b"\x64soon", None);
    }

    #[test]
    fn a_time_in_json_is_in_seconds() {
        let read = |text: &str| KinesisFormat::Json.parse::<SentTime>(text.as_bytes());
        assert_eq!(
            read("1.5").unwrap().0,
            "1970-01-01T00:00:01.5Z".parse().ok()
        );
        assert_eq!(read("1787036486712").unwrap().0, None);
        read("\"2026-08-18T07:01:26Z\"").unwrap_err();
    }

    #[test]
    fn a_time_is_shown_in_the_unit_of_its_format() {
        let time = ShownTime("2026-08-18T07:01:26.712999Z".parse().unwrap());
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, "1787036486.712999");
        let mut cbor = Vec::new();
        ciborium::into_writer(&time, &mut cbor).unwrap();
        assert_eq!(cbor, b"\xc1\x1b\x00\x00\x01\xa0\x13\xac\xcc\x38");
    }
}
