//! The header `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;

/// Returns the wait that `Retry-After` asks for. The value is a number of seconds, or a date in one of the
/// three formats of RFC 9110, section 5.6.7. A date in the past means no wait. An invalid value is ignored.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number of seconds above `u64::MAX` counts as `u64::MAX`.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(value: &str, seconds: Option<u64>) {
        // 1994-11-06T08:48:37Z
        let now = Timestamp::constant(784_111_717, 0);
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        let wanted = seconds.map(Duration::from_secs);
        assert_eq!(retry_after(&headers, now), wanted, "{value:?}");
    }

    #[test]
    fn seconds_are_parsed() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("99999999999999999999", Some(u64::MAX));
    }

    #[test]
    fn each_date_format_is_parsed() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(60));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(60));
        check("Sun Nov  6 08:49:37 1994", Some(60));
        check("Sun, 06 Nov 1994 07:00:00 GMT", Some(0));
    }

    #[test]
    fn an_invalid_value_is_ignored() {
        for value in ["", "soon", "-5", "+5", "1.5", "Mon, 99 Mar 2025"] {
            check(value, None);
        }
    }
}
