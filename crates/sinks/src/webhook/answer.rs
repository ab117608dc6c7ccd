//! The meaning of an endpoint's answer.

use http::{Response, StatusCode};
use jiff::Timestamp;

use super::retry_after::retry_after;
use crate::SendError;

/// A header in which a receiver can abort a batch or disable the subscription. Svix uses the same header.
const DELIVERY_HEADER: &str = "webhook-delivery";

/// Returns the reason to pause the subscription, if the receiver asks for it.
pub(super) fn pause_reason(answer: &Response<()>) -> Option<String> {
    let code = answer.status().as_u16();
    has_delivery_value(answer, "disable")
        .then(|| format!("the endpoint asked to be disabled ({code})"))
}

fn has_delivery_value(answer: &Response<()>, wanted: &str) -> bool {
    let delivery = answer.headers().get(DELIVERY_HEADER);
    delivery.is_some_and(|delivery| delivery.as_bytes().trim_ascii() == wanted.as_bytes())
}

/// Returns the result of an attempt whose answer arrived at `now`.
pub(super) fn judge(answer: &Response<()>, now: Timestamp) -> Result<(), SendError> {
    let status = answer.status();
    let code = status.as_u16();
    let reason = format!("the endpoint answered {code}");
    match status {
        _ if status.is_success() => Ok(()),
        _ if has_delivery_value(answer, "abort-message") => Err(SendError::Aborted {
            reason: format!("the endpoint asked not to receive this again ({code})"),
        }),
        StatusCode::GONE => Err(SendError::Gone {
            reason: "the endpoint is gone (410)".to_owned(),
        }),
        StatusCode::TOO_MANY_REQUESTS => Err(SendError::Throttled {
            reason: format!("the endpoint asks for fewer requests ({code})"),
            retry_after: retry_after(answer.headers(), now),
        }),
        StatusCode::SERVICE_UNAVAILABLE => Err(SendError::Busy {
            reason: format!("the endpoint is busy ({code})"),
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
    fn check_blame(status: u16, retry_after: Option<&str>, blame: Blame) {
        let error = judged(status, retry_after).unwrap_err();
        assert_eq!(error.blame(), blame, "{status} {retry_after:?}");
    }

    fn judge_delivery_header(
        status: u16,
        delivery: &str,
    ) -> (Result<(), SendError>, Option<String>) {
        let answer = Response::builder().status(status);
        let answer = answer.header(DELIVERY_HEADER, delivery).body(()).unwrap();
        (judge(&answer, Timestamp::UNIX_EPOCH), pause_reason(&answer))
    }

    #[test]
    fn every_2xx_accepts_the_event() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(status, None), Ok(()), "{status}");
        }
    }

    #[test]
    fn the_status_of_a_failure_decides_who_is_to_blame() {
        let blame = |status| judged(status, None).unwrap_err().blame();
        assert_eq!(blame(410), Blame::Gone);
        for status in [400, 413, 415, 422] {
            assert_eq!(blame(status), Blame::Event, "{status}");
        }
        for status in [
            301, 302, 307, 308, 401, 403, 404, 409, 500, 502, 503, 504, 999,
        ] {
            let endpoint = Blame::Endpoint { retry_after: None };
            assert_eq!(blame(status), endpoint, "{status}");
        }
    }

    #[test]
    fn retry_after_counts_with_503_and_429() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let busy = |retry_after| Blame::Endpoint { retry_after };
        check_blame(
            503,
            Some("Mon, 03 Mar 2025 08:05:00 GMT"),
            busy(seconds(300)),
        );
        check_blame(503, None, busy(None));
        let pause = |retry_after| Blame::Pause { retry_after };
        check_blame(429, Some("120"), pause(seconds(120)));
        check_blame(429, Some("soon"), pause(None));
    }

    #[test]
    fn a_receiver_can_abort_a_batch_that_it_did_not_accept() {
        for status in [200, 204] {
            assert_eq!(judge_delivery_header(status, "abort-message").0, Ok(()));
        }
        for status in [400, 429, 500, 503] {
            let (outcome, pause_reason) = judge_delivery_header(status, " abort-message ");
            assert_eq!(outcome.unwrap_err().blame(), Blame::Batch, "{status}");
            assert_eq!(pause_reason, None);
            assert_eq!(
                judge_delivery_header(status, "later").0,
                judged(status, None)
            );
        }
    }

    #[test]
    fn a_receiver_can_disable_the_subscription_with_any_status() {
        for status in [200, 400, 500] {
            let (outcome, pause_reason) = judge_delivery_header(status, "disable");
            assert_eq!(outcome, judged(status, None));
            let reason = format!("the endpoint asked to be disabled ({status})");
            assert_eq!(pause_reason, Some(reason));
        }
    }

    #[test]
    fn retry_after_is_ignored_with_another_status() {
        let reason = "the endpoint answered 500".to_owned();
        assert_eq!(judged(500, Some("120")), Err(SendError::Refused { reason }));
    }
}
