//! What an endpoint's answer means.

use http::{Response, StatusCode};
use jiff::Timestamp;

use super::retry_after::retry_after;
use crate::SendError;

/// The outcome of an attempt whose answer came in at `now`.
pub(super) fn judge(answer: &Response<()>, now: Timestamp) -> Result<(), SendError> {
    let status = answer.status();
    let reason = format!("the endpoint answered {}", status.as_u16());
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::GONE => Err(SendError::Gone {
            reason: "the endpoint is gone (410)".to_owned(),
        }),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(SendError::Busy {
            reason: format!("the endpoint is busy ({})", status.as_u16()),
            retry_after: retry_after(answer.headers(), now),
        }),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(SendError::Rejected { reason }),
        _ => Err(SendError::Refused { reason }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::RETRY_AFTER;

    use super::*;
    use crate::Blame;

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
            reason: format!("the endpoint is busy ({status})"),
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
    fn every_other_answer_says_who_is_to_blame() {
        let blame = |status| judged(status, None).unwrap_err().blame();
        assert_eq!(blame(410), Blame::Gone);
        for status in [400, 413, 415, 422] {
            assert_eq!(blame(status), Blame::Event, "{status}");
        }
        for status in [
            301, 302, 307, 308, 401, 403, 404, 409, 429, 500, 502, 503, 504, 999,
        ] {
            let endpoint = Blame::Endpoint { retry_after: None };
            assert_eq!(blame(status), endpoint, "{status}");
        }
    }

    #[test]
    fn a_busy_endpoint_says_for_how_long() {
        check_busy(429, Some("120"), Some(120));
        check_busy(503, Some("Mon, 03 Mar 2025 08:05:00 GMT"), Some(300));
        check_busy(503, None, None);
    }

    #[test]
    fn retry_after_means_nothing_beside_other_answers() {
        let reason = "the endpoint answered 500".to_owned();
        assert_eq!(judged(500, Some("120")), Err(SendError::Refused { reason }));
    }
}
