//! Every timestamp in an accepted format is parsed.

use easel_catalog::parse_timestamp;
use jiff::Timestamp;
use jiff::tz::Offset;
use proptest::prelude::*;

/// The years 0 to 9999 in seconds, less one day at both ends, so that any offset stays in this range.
const SECONDS: std::ops::Range<i64> = -62_167_132_800..253_402_128_000;

proptest! {
    #[test]
    fn a_time_is_parsed_from_every_format(
        second in SECONDS,
        nanosecond in 0..1_000_000_000_i32,
        decimals in 0..=9_usize,
        offset in -1439..=1439_i32,
        separator in prop::sample::select(vec!['T', 't', ' ']),
        space in prop::sample::select(vec!["", " "]),
        zone_format in 0..6_u8,
    ) {
        // The short formats allow only a zero offset, or an offset of whole hours.
        let minutes = match zone_format {
            0..=2 => 0,
            3 => offset / 60 * 60,
            _ => offset,
        };
        let (sign, hour, minute) =
            (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
        let zone = match zone_format {
            0 => format!("{space}Z"),
            1 => format!("{space}z"),
            2 => " UTC".to_owned(),
            3 => format!("{space}{sign}{hour:02}"),
            4 => format!("{space}{sign}{hour:02}{minute:02}"),
            _ => format!("{space}{sign}{hour:02}:{minute:02}"),
        };
        let unit = 10_i32.pow(u32::try_from(9 - decimals).unwrap());
        let instant = Timestamp::new(second, nanosecond / unit * unit).unwrap();
        let civil = Offset::from_seconds(minutes * 60).unwrap().to_datetime(instant);
        let fraction = match decimals {
            0 => String::new(),
            _ => format!(".{:0decimals$}", nanosecond / unit),
        };
        let text = format!("{}{separator}{}{fraction}{zone}", civil.date(), civil.strftime("%H:%M:%S"));
        prop_assert_eq!(parse_timestamp(&text), Some(instant), "{}", text);
    }

    #[test]
    fn any_text_is_rejected_without_a_panic(text in "\\PC{0,40}") {
        prop_assert_eq!(parse_timestamp(&text), None);
    }

    #[test]
    fn a_stricter_parser_gives_the_same_time_if_it_accepts_the_text(
        text in "[0-9é]{3,5}-[0-9]{2}-[0-9]{2}[T é]?[0-9]{2}:[0-9]{2}:[0-9]{1,3}(\\.[0-9]{0,11})? ?[-+Zz]?[0-9:]{0,6}",
    ) {
        if let (Some(found), Ok(wanted)) = (parse_timestamp(&text), text.parse::<Timestamp>()) {
            prop_assert_eq!(found, wanted, "{}", text);
        }
    }
}
