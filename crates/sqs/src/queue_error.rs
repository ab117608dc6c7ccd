//! Why a request to a queue failed, and who is to blame.

use std::error::Error;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::BatchResultErrorEntry;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use easel_sinks::{SendError, text_with_causes};
use thiserror::Error;

use crate::aws_http::AwsHttpError;

/// The most characters of a message of the service.
const MAX_MESSAGE_CHARS: usize = 500;

/// Parts of the codes that ask for fewer requests.
const THROTTLES: [&str; 6] = [
    "throttl",
    "toomanyrequests",
    "overlimit",
    "requestlimitexceeded",
    "slowdown",
    "limitexceeded",
];

/// Why a request to a queue failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueError {
    /// The service answered with an error.
    #[error("the queue answered {code}: {message}")]
    Answered {
        /// The status of the answer; `None` for an error of one message in a batch.
        status: Option<u16>,
        /// The code, such as `AccessDenied`.
        code: String,
        /// What the service says about it.
        message: String,
        /// True if the service says that the message itself is at fault.
        is_sender_fault: bool,
    },
    /// There was no answer in time. The request may have had an effect.
    #[error("no answer in time")]
    TimedOut,
    /// No connection was made.
    #[error("{reason}")]
    Unconnected {
        /// The error with its causes.
        reason: String,
    },
    /// The connection broke, or the answer is unreadable. The request may have had an effect.
    #[error("{reason}")]
    Broken {
        /// The error with its causes.
        reason: String,
    },
    /// Nothing was sent, for example because there are no credentials.
    #[error("{reason}")]
    NotSent {
        /// The error with its causes.
        reason: String,
    },
}

impl QueueError {
    /// Returns the error of one message of a batch.
    pub(crate) fn of_entry(entry: &BatchResultErrorEntry) -> Self {
        Self::Answered {
            status: None,
            code: entry.code.clone(),
            message: shorten(entry.message.as_deref()),
            is_sender_fault: entry.sender_fault,
        }
    }

    /// True if the service says that the request has too many bytes.
    pub(crate) fn is_too_long(&self) -> bool {
        let Self::Answered { code, message, .. } = self else {
            return false;
        };
        let message = message.to_ascii_lowercase();
        code.contains("BatchRequestTooLong")
            || [
                "shorter than",
                "too long",
                "maximum allowed size",
                "payload too large",
            ]
            .iter()
            .any(|part| message.contains(part))
            || code.contains("RequestEntityTooLarge")
    }

    /// Returns the status of the answer.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => *status,
            Self::TimedOut
            | Self::Unconnected { .. }
            | Self::Broken { .. }
            | Self::NotSent { .. } => None,
        }
    }

    /// Returns the error of the attempt to send a message. A missing queue, wrong credentials and missing rights
    /// are the endpoint's fault, because every other message fails too.
    pub(crate) fn into_send_error(self) -> SendError {
        let is_too_long = self.is_too_long();
        let reason = self.to_string();
        match self {
            Self::Answered { .. } if is_too_long => SendError::Rejected { reason },
            Self::Answered {
                code,
                is_sender_fault,
                ..
            } => {
                let code = code.to_ascii_lowercase();
                if THROTTLES.iter().any(|part| code.contains(part)) {
                    let retry_after = None;
                    return SendError::Throttled {
                        reason,
                        retry_after,
                    };
                }
                // The key of an encrypted queue, and rights, concern all messages.
                let concerns_queue = code.contains("kms") || code.contains("accessdenied");
                if code.contains("invalidmessagecontents") || is_sender_fault && !concerns_queue {
                    return SendError::Rejected { reason };
                }
                SendError::Refused { reason }
            }
            Self::TimedOut => SendError::TimedOut,
            Self::Unconnected { .. } => SendError::Unconnected { reason },
            Self::Broken { .. } => SendError::Unreachable { reason },
            Self::NotSent { .. } => SendError::NotSent { reason },
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for QueueError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(failure) => {
                let cause = failure.as_connector_error().and_then(Error::source);
                let http = cause.and_then(|cause| cause.downcast_ref::<AwsHttpError>());
                let reason = |error: &AwsHttpError| text_with_causes(error);
                match http {
                    Some(error @ AwsHttpError::Connect(_)) => Self::Unconnected {
                        reason: reason(error),
                    },
                    Some(error @ (AwsHttpError::Send(_) | AwsHttpError::Read(_))) => Self::Broken {
                        reason: reason(error),
                    },
                    Some(AwsHttpError::TimedOut) => Self::TimedOut,
                    Some(AwsHttpError::Tls { .. }) | None => Self::NotSent {
                        reason: text_with_causes(&error),
                    },
                }
            }
            SdkError::ServiceError(answer) => Self::Answered {
                status: Some(answer.raw().status().as_u16()),
                code: answer.err().code().unwrap_or("an error").to_owned(),
                message: shorten(answer.err().message()),
                is_sender_fault: false,
            },
            SdkError::ResponseError(answer) => Self::Broken {
                reason: format!(
                    "the answer with the status {} is unreadable",
                    answer.raw().status()
                ),
            },
            _ => Self::NotSent {
                reason: text_with_causes(&error),
            },
        }
    }
}

fn shorten(message: Option<&str>) -> String {
    let message = message.unwrap_or("without a message");
    let chars = message.chars();
    chars
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use easel_sinks::Blame;

    use super::*;

    #[track_caller]
    fn check(code: &str, message: &str, is_sender_fault: bool, wanted: Blame) {
        let error = QueueError::Answered {
            status: Some(400),
            code: code.to_owned(),
            message: message.to_owned(),
            is_sender_fault,
        };
        assert_eq!(error.into_send_error().blame(), wanted, "{code}");
    }

    #[test]
    fn a_message_that_no_queue_takes_is_the_events_fault() {
        check("InvalidMessageContents", "", false, Blame::Event);
        check("InternalError", "", true, Blame::Event);
        let long = "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.";
        check("InvalidParameterValue", long, false, Blame::Event);
        check(
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "",
            false,
            Blame::Event,
        );
    }

    #[test]
    fn what_concerns_the_queue_is_the_endpoints_fault() {
        let endpoint = Blame::Endpoint { retry_after: None };
        check("QueueDoesNotExist", "", false, endpoint);
        check(
            "AWS.SimpleQueueService.NonExistentQueue",
            "",
            false,
            endpoint,
        );
        check("InvalidClientTokenId", "", false, endpoint);
        check("SignatureDoesNotMatch", "", false, endpoint);
        check("AccessDenied", "", true, endpoint);
        check("KmsAccessDenied", "", true, endpoint);
        check("InternalError", "", false, endpoint);
        check(
            "InvalidParameterValue",
            "The queue is a FIFO queue",
            false,
            endpoint,
        );
        let pause = Blame::Pause { retry_after: None };
        check("RequestThrottled", "", false, pause);
        check("ThrottlingException", "", true, pause);
    }
}
