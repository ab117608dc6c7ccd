//! A decimal number, exactly as JSON spells it.

/// A decimal number: `digits` × 10^`exponent`, in normal form. Two spellings of a number are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// True for a negative number. Zero is never negative.
    is_negative: bool,
    /// The digits, each from 0 to 9, without zeros at either end. Zero has no digits.
    digits: Vec<u8>,
    /// The power of ten of the last digit. It is 0 for zero.
    exponent: i64,
}

impl Decimal {
    /// Parses a JSON number. `None` for other text, and for an exponent beyond 64 bits.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let (is_negative, unsigned) = match json.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, json),
        };
        let mut digits = Vec::with_capacity(unsigned.len());
        let mut exponent = 0_i64;
        let mut rest = unsigned;
        let mut is_fraction = false;
        while let [first, after @ ..] = rest {
            match first {
                b'0'..=b'9' => {
                    digits.push(first - b'0');
                    exponent -= i64::from(is_fraction);
                }
                b'.' if !is_fraction => is_fraction = true,
                b'e' | b'E' => {
                    let power = str::from_utf8(after).ok()?.parse::<i64>().ok()?;
                    exponent = exponent.checked_add(power)?;
                    break;
                }
                _ => return None,
            }
            rest = after;
        }
        if digits.is_empty() {
            return None;
        }
        while digits.pop_if(|digit| *digit == 0).is_some() {
            exponent = exponent.checked_add(1)?;
        }
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        if digits.is_empty() {
            return Some(Self {
                is_negative: false,
                digits,
                exponent: 0,
            });
        }
        Some(Self {
            is_negative,
            digits,
            exponent,
        })
    }

    /// Returns the number as an integer of 64 bits, if it is one.
    pub fn to_i64(&self) -> Option<i64> {
        if self.exponent < 0 || self.digits.len() > 19 {
            return None;
        }
        let digits = self.digits.iter();
        let value = digits.fold(0_i128, |value, digit| value * 10 + i128::from(*digit));
        let power = 10_i128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let value = value.checked_mul(power)?;
        i64::try_from(if self.is_negative { -value } else { value }).ok()
    }

    /// Returns the number of digits before the decimal point, and after it.
    pub(crate) fn digit_counts(&self) -> (i64, i64) {
        let count = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let whole = count.saturating_add(self.exponent);
        (std::cmp::max(whole, 0), std::cmp::max(-self.exponent, 0))
    }

    /// Returns the sign, the digits in groups of four as base 10,000, and the power of 10,000 of the first
    /// group. The decimal point is at a border of groups.
    pub(crate) fn groups(&self) -> (bool, Vec<i16>, i64) {
        let padding = self.exponent.rem_euclid(4);
        let exponent = self.exponent - padding;
        let mut digits = self.digits.clone();
        digits.extend((0..padding).map(|_place| 0));
        let groups: Vec<i16> = digits
            .rchunks(4)
            .rev()
            .map(|group| {
                group
                    .iter()
                    .fold(0, |value, digit| value * 10 + i16::from(*digit))
            })
            .collect();
        let count = i64::try_from(groups.len()).unwrap_or(i64::MAX);
        (self.is_negative, groups, exponent / 4 + count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        for (a, b) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.001", "1E-3"),
            ("-0", "0"),
            ("0e5", "0"),
            ("12.50", "125e-1"),
        ] {
            assert_eq!(decimal(a), decimal(b), "{a} {b}");
        }
        assert_ne!(decimal("9007199254740993"), decimal("9007199254740992"));
        for text in ["", "-", "NaN", "1.2.3", "1e", "1e99999999999999999999", "x"] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_of_64_bits_are_recognized() {
        let integer = |text: &str| decimal(text).to_i64();
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer("9223372036854775808"), None);
        assert_eq!(integer("1e18"), Some(1_000_000_000_000_000_000));
        assert_eq!(integer("1e40"), None);
        assert_eq!(integer("1.5"), None);
        assert_eq!(integer("10.0"), Some(10));
    }

    #[test]
    fn groups_have_four_digits_on_both_sides_of_the_point() {
        assert_eq!(
            decimal("12345.678").groups(),
            (false, vec![1, 2345, 6780], 1)
        );
        assert_eq!(decimal("-0.00012").groups(), (true, vec![1, 2000], -1));
        assert_eq!(decimal("1e4").groups(), (false, vec![1], 1));
        assert_eq!(decimal("0").groups(), (false, vec![], -1));
    }
}
