//! Parses and formats durations and sizes: `30s`, `2h`, `16MiB`.

use std::time::Duration;

/// Units of size, the largest first. A name comes before every name that is its suffix: `TiB` before `B`.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// Units of duration in milliseconds, the largest first.
const DURATION_UNITS: [(&str, u128); 4] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
];

/// Parses a size: a number of bytes, or a whole number with a unit.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = SIZE_UNITS
        .iter()
        .find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)))
        .unwrap_or((text, 1));
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

/// Formats a size in the largest unit that represents it exactly.
pub(super) fn show_size(bytes: u64) -> String {
    match SIZE_UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// Parses a duration.
pub(super) fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

/// Formats a duration in the largest unit that represents it exactly.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match DURATION_UNITS
        .iter()
        .find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => humantime::format_duration(duration).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_size(text: &str, wanted: Option<u64>) {
        assert_eq!(size(text), wanted, "{text:?}");
    }

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        check_size("16777216", Some(16 << 20));
        check_size("16MiB", Some(16 << 20));
        check_size("16 MiB", Some(16 << 20));
        check_size("5GB", Some(5_000_000_000));
        check_size("12B", Some(12));
        check_size("1.5MiB", None);
        check_size("MiB", None);
        check_size("-1", None);
        check_size("lots", None);
        check_size("99999999999TiB", None);
    }

    #[test]
    fn a_formatted_value_parses_to_the_same_value() {
        for bytes in [0, 1, 1023, 1024, 1536, 1 << 20, 10_000_000, 3 << 40] {
            assert_eq!(size(&show_size(bytes)), Some(bytes), "{}", show_size(bytes));
        }
        for millis in [
            0,
            1,
            999,
            1000,
            1500,
            60_000,
            3_600_000,
            90_000_000,
            60 * 86_400_000,
        ] {
            let wanted = Duration::from_millis(millis);
            assert_eq!(
                duration(&show_duration(wanted)),
                Some(wanted),
                "{}",
                show_duration(wanted)
            );
        }
    }

    #[test]
    fn values_are_formatted_in_the_largest_exact_unit() {
        assert_eq!(show_size(16 << 20), "16MiB");
        assert_eq!(show_size(20_000_000_000), "20GB");
        assert_eq!(show_size(1_234_567), "1234567B");
        assert_eq!(show_duration(Duration::from_hours(60 * 24)), "60d");
        assert_eq!(show_duration(Duration::from_secs(30)), "30s");
    }
}
