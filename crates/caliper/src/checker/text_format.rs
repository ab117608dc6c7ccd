//! Validates the format of strings and numbers.

use crate::iri::is_iri;

/// Returns whether a text is a time in the format of the standard: `YYYY-MM-DDTHH:mm:ss.SSSZ`.
pub(super) fn is_time(text: &str) -> bool {
    let pattern = b"0000-00-00T00:00:00.000Z";
    text.len() == pattern.len()
        && text
            .bytes()
            .zip(pattern)
            .all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                _ => byte == *wanted,
            })
        && easel_catalog::parse_timestamp(text).is_some()
}

/// Returns whether a text is a valid id: an absolute IRI, a URN or a blank node.
pub(super) fn is_id(text: &str) -> bool {
    match text.strip_prefix("_:") {
        Some(label) => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic()),
        None => is_iri(text),
    }
}

/// Returns whether a text is a duration of ISO 8601, such as `PT30M`.
pub(super) fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else {
        return false;
    };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let parts = |text: &str, units: &str| {
        let mut units = units.chars();
        let mut number = String::new();
        for letter in text.chars() {
            match letter {
                '0'..='9' | '.' => number.push(letter),
                unit => {
                    let is_number = number.parse::<f64>().is_ok()
                        && number.starts_with(|first: char| first.is_ascii_digit());
                    if !is_number || !units.any(|known| known == unit) {
                        return None;
                    }
                    number.clear();
                }
            }
        }
        number.is_empty().then_some(!text.is_empty())
    };
    match (parts(days, "YMWD"), time.map(|time| parts(time, "HMS"))) {
        (Some(has_days), None) => has_days,
        (Some(_), Some(Some(has_time))) => has_time,
        _ => false,
    }
}

/// Returns whether the value of a JSON number has no fraction. `2.0` and `2e0` are integers.
///
/// JSON-LD, the base of Caliper, and JSON Schema both use the value, not the spelling.
pub(super) fn is_integer(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = [whole, fraction].concat();
    let significant = all_digits.trim_end_matches('0').len();
    if significant == 0 {
        return true;
    }
    let Ok(exponent) = exponent.parse::<i64>() else {
        // The exponent is so large that only its sign matters.
        return !exponent.starts_with('-');
    };
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    let significant = i64::try_from(significant).unwrap_or(i64::MAX);
    significant <= point.saturating_add(exponent)
}

/// Returns the UUID of a `urn:uuid:` URN.
pub(super) fn uuid(text: &str) -> Option<uuid::Uuid> {
    let text = text.strip_prefix("urn:uuid:")?;
    // Only the format with hyphens is valid.
    (text.len() == 36).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_iris_urns_or_blank_nodes() {
        for id in [
            "http://oxana.example/",
            "urn:instructure:canvas:lti/tool_proxy:7",
            "urn:uuid:3f672715-6aa8-4293-b62a-3b3319ff5701",
            "_:anonymous",
            "https://example.edu/ø",
            "mailto:a@b",
        ] {
            assert!(is_id(id), "{id}");
        }
        for invalid in [
            "",
            "www.canvaslms.com",
            "urn:x:y",
            "urn:canvas:",
            "urn:-a:b",
            "http://",
            "http://a b",
            "1a:b",
            "_:",
            "http://a/{b}",
            ":a",
        ] {
            assert!(!is_id(invalid), "{invalid}");
        }
        assert!(!is_iri("_:a"));
    }

    #[test]
    fn only_times_and_durations_in_standard_format_are_valid() {
        assert!(is_time("2019-11-01T19:11:05.222Z"));
        for invalid in [
            "2019-11-01T19:11:05Z",
            "2019-11-01T19:11:05.222+00:00",
            "2019-02-30T19:11:05.222Z",
        ] {
            assert!(!is_time(invalid), "{invalid}");
        }
        for duration in ["PT30M", "P1Y2M3DT4H5M6.5S", "P2W"] {
            assert!(is_duration(duration), "{duration}");
        }
        for invalid in ["", "P", "PT", "30M", "P30", "PT5D", "PM5", "P1D2Y", "PT.5H"] {
            assert!(!is_duration(invalid), "{invalid}");
        }
    }
}
