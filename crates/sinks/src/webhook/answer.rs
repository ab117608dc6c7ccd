//! What an endpoint's answer means.

use http::{Response, StatusCode};
use jiff::Timestamp;

use super::retry_after::retry_after;
use crate::SendError;

/// A header by which a receiver says what is to become of a batch or of the subscription, as
/// receivers of Svix say it.
const DELIVERY_HEADER: &str = "webhook-delivery";

/// Why the subscription is to be paused after this answer, if the receiver asks for that.
pub(super) fn closes(answer: &Response<()>) -> Option<String> {
    let code = answer.status().as_u16();
    says(answer, "disable").then(|| format!("the endpoint asked to be disabled ({code})"))
}

fn says(answer: &Response<()>, wanted: &str) -> bool {
    let delivery = answer.headers().get(DELIVERY_HEADER);
    delivery.is_some_and(|delivery| delivery.as_bytes().trim_ascii() == wanted.as_bytes())
}

/// The outcome of an attempt whose answer came in at `now`.
pub(super) fn judge(answer: &Response<()>, now: Timestamp) -> Result<(), SendError> {
    let status = answer.status();
    let code = status.as_u16();
    let reason = format!("the endpoint answered {code}");
    match status {
        _ if status.is_success() => Ok(()),
        _ if says(answer, "abort-message") => Err(SendError::Aborted {
            reason: format!("the endpoint asked not to be sent this again ({code})"),
        }),
        StatusCode::GONE => Err(SendError::Gone {
            reason: "the endpoint is gone (410)".to_owned(),
        }),
        StatusCode::TOO_MANY_REQUESTS => Err(SendError::Throttled {
            reason: format!("the endpoint asks for less ({code})"),
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
    fn check_blame(status: u16, said: Option<&str>, blame: Blame) {
        let error = judged(status, said).unwrap_err();
        assert_eq!(error.blame(), blame, "{status} {said:?}");
    }

    fn judge_voice(status: u16, delivery: &str) -> (Result<(), SendError>, Option<String>) {
        let answer = Response::builder().status(status);
        let answer = answer.header(DELIVERY_HEADER, delivery).body(()).unwrap();
        (judge(&answer, Timestamp::UNIX_EPOCH), closes(&answer))
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
            301, 302, 307, 308, 401, 403, 404, 409, 500, 502, 503, 504, 999,
        ] {
            let endpoint = Blame::Endpoint { retry_after: None };
            assert_eq!(blame(status), endpoint, "{status}");
        }
    }

    #[test]
    fn a_busy_endpoint_says_for_how_long() {
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
    fn a_receiver_may_abort_a_batch_that_it_did_not_take() {
        for status in [200, 204] {
            assert_eq!(judge_voice(status, "abort-message").0, Ok(()));
        }
        for status in [400, 429, 500, 503] {
            let (outcome, closes) = judge_voice(status, " abort-message ");
            assert_eq!(outcome.unwrap_err().blame(), Blame::Batch, "{status}");
            assert_eq!(closes, None);
            assert_eq!(judge_voice(status, "later").0, judged(status, None));
        }
    }

    #[test]
    fn a_receiver_may_disable_itself_with_any_answer() {
        for status in [200, 400, 500] {
            let (outcome, closes) = judge_voice(status, "disable");
            assert_eq!(outcome, judged(status, None));
            let reason = format!("the endpoint asked to be disabled ({status})");
            assert_eq!(closes, Some(reason));
        }
    }

    #[test]
    fn retry_after_means_nothing_beside_other_answers() {
        let reason = "the endpoint answered 500".to_owned();
        assert_eq!(judged(500, Some("120")), Err(SendError::Refused { reason }));
    }
}
