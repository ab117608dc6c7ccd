//! Every timestamp that can be written can be read.

use easel_catalog::parse_timestamp;
use jiff::Timestamp;
use jiff::tz::Offset;
use proptest::prelude::*;

/// The years 0 to 9999, less a day at both ends so that any offset stays within them.
const SECONDS: std::ops::Range<i64> = -62_167_132_800..253_402_128_000;

proptest! {
    #[test]
    fn an_instant_is_read_back_from_every_form(
        second in SECONDS,
        nanosecond in 0..1_000_000_000_i32,
        decimals in 0..=9_usize,
        offset in -1439..=1439_i32,
        separator in prop::sample::select(vec!['T', 't', ' ']),
        space in prop::sample::select(vec!["", " "]),
        form in 0..6_u8,
    ) {
        // Whole hours and no offset at all are the only ones that the short forms can say.
        let minutes = match form {
            0..=2 => 0,
            3 => offset / 60 * 60,
            _ => offset,
        };
        let (sign, hour, minute) =
            (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
        let zone = match form {
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
    fn no_text_harms(text in "\\PC{0,40}") {
        prop_assert_eq!(parse_timestamp(&text), None);
    }

    #[test]
    fn no_near_timestamp_harms(
        text in "[0-9é]{3,5}-[0-9]{2}-[0-9]{2}[T é]?[0-9]{2}:[0-9]{2}:[0-9]{1,3}(\\.[0-9]{0,11})? ?[-+Zz]?[0-9:]{0,6}",
    ) {
        // A strict reader of a stricter form agrees where both read something.
        if let (Some(found), Ok(wanted)) = (parse_timestamp(&text), text.parse::<Timestamp>()) {
            prop_assert_eq!(found, wanted, "{}", text);
        }
    }
}
