//! What an endpoint's answer means.

use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::SendError;

/// The outcome of an attempt whose answer came in at `now`.
pub(super) fn judge(answer: &Response<()>, now: Timestamp) -> Result<(), SendError> {
    let status = answer.status();
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::GONE => Err(SendError::Gone),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(SendError::Busy {
            status: status.as_u16(),
            retry_after: retry_after(answer.headers(), now),
        }),
        _ => Err(SendError::Refused {
            status: status.as_u16(),
        }),
    }
}

/// How long the endpoint asks to be left alone, told in seconds or as a date; a date that is past
/// means no time at all, and what is neither counts as not said.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: Option<&str>) -> Result<(), SendError> {
        let mut answer = Response::builder().status(status);
        if let Some(value) = retry_after {
            answer = answer.header(RETRY_AFTER, value);
        }
        // 2025-03-03T08:00:00Z
        let now = Timestamp::constant(1_740_988_800, 0);
        judge(&answer.body(()).unwrap(), now)
    }

    #[track_caller]
    fn check_busy(status: u16, said: Option<&str>, seconds: Option<u64>) {
        let retry_after = seconds.map(Duration::from_secs);
        let wanted = Err(SendError::Busy {
            status,
            retry_after,
        });
        assert_eq!(judged(status, said), wanted, "{status} {said:?}");
    }

    #[test]
    fn every_2xx_takes_the_event_over() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(status, None), Ok(()), "{status}");
        }
    }

    #[test]
    fn gone_is_told_from_other_refusals() {
        assert_eq!(judged(410, None), Err(SendError::Gone));
        for status in [301, 302, 307, 308, 400, 404, 413, 422, 500, 502, 504, 999] {
            assert_eq!(
                judged(status, None),
                Err(SendError::Refused { status }),
                "{status}"
            );
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        check_busy(429, Some("120"), Some(120));
        check_busy(503, Some(" 0 "), Some(0));
    }

    #[test]
    fn retry_after_is_read_as_a_date() {
        check_busy(503, Some("Mon, 03 Mar 2025 08:05:00 GMT"), Some(300));
        check_busy(503, Some("Mon, 03 Mar 2025 07:00:00 GMT"), Some(0));
    }

    #[test]
    fn a_senseless_retry_after_counts_as_not_said() {
        for value in [
            "",
            "soon",
            "-5",
            "1.5",
            "99999999999999999999",
            "Mon, 99 Mar 2025",
        ] {
            check_busy(429, Some(value), None);
        }
        check_busy(429, None, None);
    }

    #[test]
    fn retry_after_means_nothing_beside_other_answers() {
        assert_eq!(
            judged(500, Some("120")),
            Err(SendError::Refused { status: 500 })
        );
    }
}
