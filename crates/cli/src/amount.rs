//! Formats numbers and sizes for people.

/// Formats a number with a comma before every third digit from the right.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of bytes in the largest unit in which it is at least 1. Below 100 of this unit, the text
/// has one decimal.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    let Some((unit, factor)) = UNITS.into_iter().find(|(_, factor)| bytes >= *factor) else {
        return format!("{bytes} bytes");
    };
    let (whole, rest) = (bytes / factor, bytes % factor);
    if whole < 100 {
        format!("{whole}.{} {unit}", rest / (factor / 10 + 1))
    } else {
        format!("{} {unit}", number(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_short() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size((1 << 30) - 1), "1,023 MiB");
        assert_eq!(size(20 * (1 << 30) - 1), "19.9 GiB");
        assert_eq!(
            (number(999), number(1_234_567)),
            ("999".to_owned(), "1,234,567".to_owned())
        );
    }
}
