//! The webhook sink: one POST per batch.
//!
//! In the Canvas format, the body is one event as JSON. In a Caliper format, it is an envelope with all
//! events of the batch. With a [`JwtSigner`], the body is a JWT whose claims are the event or the envelope.
//! The headers are:
//!
//! | header | value |
//! | --- | --- |
//! | `webhook-id` | the event's id, the same in every attempt; for several events, a UUID derived from their ids |
//! | `webhook-timestamp` | the time of this attempt, in seconds since 1970 |
//! | `webhook-signature` | one signature for each secret; only with [`RequestSigner::Standard`] |
//! | `easel-event-name`, `easel-event-time` | the event's type and time, as in the event; comma-separated for several events |
//! | `easel-attempt` | the number of the attempt, from 1 |
//! | `easel-subscription` | the subscription's name |
//! | `easel-replay` | the number of the replay; only in a replay |
//! | `easel-mapper-version` | the version of the mapping, in Caliper formats |
//!
//! Characters that a header does not allow are percent-encoded. Any 2xx means that the subscriber has
//! accepted the event. After a failure, the webhook stores the start of the answer's body for people to read,
//! without the secrets of the webhook. A receiver can say more in the header `webhook-delivery`.
//! `abort-message` with a failure means: do not repeat this request. `disable` means: pause the subscription.
//! Redirects are not followed, because only the operator may choose the URL.
//!
//! An attempt is one request, with one exception. A reused keep-alive connection can break before any
//! byte of an answer arrives. In this case the receiver has closed the connection, and the webhook
//! immediately sends the request once more, on a new connection. Any other broken connection is
//! [`SendError::Unreachable`](crate::SendError::Unreachable). The lane decides about retries.

mod answer;
mod client;
mod client_identity;
mod connector;
mod custom_headers;
mod endpoint;
mod proxy;
mod read_counts;
mod redaction;
mod request;
mod retry_after;
mod signer;
mod trial;

pub use client::{ClientError, TimeSource, WebhookClient, WebhookOptions};
pub use client_identity::{ClientIdentity, ClientIdentityError};
pub use custom_headers::{CustomHeaders, CustomHeadersError};
pub use endpoint::{Endpoint, EndpointError};
pub use proxy::ProxyError;
pub use signer::{JwtSigner, RequestSigner, describe_metrics};
pub use trial::Trial;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;

use self::client::AnswerBody;
use self::redaction::Redaction;
use crate::{Batch, EndpointAnswer, Item, Order, Outcome, Sink, SinkLimits};

/// The maximum bytes of events in one envelope. A larger event is sent alone.
const MAX_ENVELOPE_BYTES: usize = 256 * 1024;

/// The maximum bytes of event types in one header. Common servers accept header lines of 8 KiB.
const MAX_EVENT_TYPES_BYTES: usize = 4096;

/// The maximum number of deliveries that a crash may repeat.
const MAX_REPEATED: u64 = 1_000;

/// A sink that posts to one endpoint.
#[derive(Clone, Debug)]
pub struct Webhook {
    client: WebhookClient,
    endpoint: Endpoint,
    settings: WebhookSettings,
    signer: Option<RequestSigner>,
    custom_headers: CustomHeaders,
}

/// The settings of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The timeout of one attempt.
    pub timeout: Duration,
    /// The maximum number of events in one envelope.
    pub max_items: usize,
    /// The maximum number of requests in flight.
    pub max_in_flight: usize,
}

impl Webhook {
    /// Creates a sink that posts to `endpoint` over the connections of `client`.
    pub fn new(client: WebhookClient, endpoint: Endpoint, settings: WebhookSettings) -> Self {
        Self {
            client,
            endpoint,
            settings,
            signer: None,
            custom_headers: CustomHeaders::default(),
        }
    }

    /// Signs each request.
    #[must_use]
    pub fn with_signer(self, signer: Option<RequestSigner>) -> Self {
        Self { signer, ..self }
    }

    /// Adds headers to each request.
    #[must_use]
    pub fn with_headers(self, custom_headers: CustomHeaders) -> Self {
        Self {
            custom_headers,
            ..self
        }
    }

    /// Returns at most `max_bytes` of an answer's body, with `…` for each secret of this webhook.
    fn redacted(&self, body: AnswerBody, max_bytes: usize) -> Bytes {
        // The answer to a success is not needed, so its body is empty.
        if body.bytes.is_empty() {
            return Bytes::new();
        }
        let mut secrets = self.custom_headers.secrets();
        secrets.extend(self.endpoint.secrets());
        secrets.extend(self.signer.iter().flat_map(RequestSigner::secrets));
        Redaction::new(secrets).apply(body, max_bytes)
    }

    /// True if `item` can share an envelope with `items`. An envelope has one sensor, and one header with
    /// all event types. An envelope that came in is sent as it is, so it has no other event.
    pub fn can_share_envelope(items: &[Arc<Item>], item: &Item) -> bool {
        let Some(first) = items.first() else {
            return true;
        };
        let event_types_bytes: usize = items.iter().map(|item| item.event_type.len() + 1).sum();
        match (first.form.caliper(), item.form.caliper()) {
            (Some(first), Some(event)) => {
                first.sensor() == event.sensor()
                    && event_types_bytes + item.event_type.len() <= MAX_EVENT_TYPES_BYTES
            }
            _ => false,
        }
    }
}

impl WebhookSettings {
    /// Returns the limits that a lane must respect.
    pub const fn limits(&self) -> SinkLimits {
        SinkLimits {
            max_items: self.max_items,
            max_bytes: MAX_ENVELOPE_BYTES,
            gather: Duration::ZERO,
            max_in_flight: self.max_in_flight,
            order: Order::Any,
            max_repeated: MAX_REPEATED,
        }
    }
}

#[async_trait]
impl Sink for Webhook {
    fn limits(&self) -> SinkLimits {
        self.settings.limits()
    }

    fn can_join_batch(&self, items: &[Arc<Item>], item: &Item) -> bool {
        Self::can_share_envelope(items, item)
    }

    fn host(&self) -> Option<&str> {
        Some(self.endpoint.host())
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        let content = request::content(batch, self.signer.as_ref(), self.client.now()).await;
        let content = match content {
            Ok(content) => content,
            Err(error) => return Outcome::all(Err(error)),
        };
        let build_request =
            || request::build(&self.endpoint, &self.custom_headers, batch, &content);
        let timeout = self.settings.timeout;
        let needs_body = |status: StatusCode| !status.is_success();
        let exchange = self.client.exchange(build_request, timeout, needs_body);
        match exchange.await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let body = self.redacted(body, EndpointAnswer::MAX_BODY_BYTES);
                let status = head.status.as_u16();
                let head = http::Response::from_parts(head, ());
                Outcome {
                    pause_reason: answer::pause_reason(&head),
                    answer: Some(EndpointAnswer { status, body }),
                    ..Outcome::all(answer::judge(&head, self.client.now()))
                }
            }
            Err(error) => Outcome::all(Err(error)),
        }
    }
}
