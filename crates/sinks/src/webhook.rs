//! The webhook sink: one POST per batch.
//!
//! The body is the event itself as JSON, or in a Caliper format an envelope with all events of the
//! batch. Headers say what it is:
//!
//! | header | value |
//! | --- | --- |
//! | `webhook-id` | the event's id, the same at every attempt; of several events, made of their ids |
//! | `webhook-timestamp` | when this attempt was made, in seconds since 1970 |
//! | `easel-event-name`, `easel-event-time` | the event's type and time, as the event spells them; of several, with commas between |
//! | `easel-attempt` | which attempt this is, from 1 |
//! | `easel-subscription` | the subscription's name |
//! | `easel-replay` | the number of the replay, if it is one |
//! | `easel-mapper-version` | the version of the mapping, in Caliper formats |
//!
//! What a header cannot hold is percent-encoded. Any 2xx means that the subscriber has taken the
//! event over. Of a failure, the start of the answer's body is kept, for people to read. A receiver
//! may say more by the header `webhook-delivery`: `abort-message` with a failure means that this
//! request must not be repeated, `disable` that the subscription is to be paused. Redirects are not
//! followed: the URL is the operator's choice, not the endpoint's.
//!
//! An attempt is one request. The exception is a kept-alive connection that was used before and
//! breaks before any byte of an answer: the receiver has closed it, so the request goes out once
//! more, at once, on a new connection. Any other connection that breaks is
//! [`SendError::Unreachable`](crate::SendError::Unreachable), and whether to try again is not
//! decided here.

mod answer;
mod client;
mod endpoint;
mod request;
mod retry_after;
mod trial;
mod wire;

pub use client::{ClientError, TimeSource, WebhookClient, WebhookOptions};
pub use endpoint::{Endpoint, EndpointError};
pub use trial::Trial;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;

use crate::{Batch, EndpointAnswer, Item, Order, Outcome, Sink, SinkLimits};

/// The most bytes of events in one envelope; an event larger than that goes alone.
const MAX_ENVELOPE_BYTES: usize = 256 * 1024;

/// The most bytes of event types in one header: common servers take 8 KiB of a line.
const MAX_NAME_BYTES: usize = 4096;

/// Deliveries that a crash may repeat.
const MAX_REPEATED: u64 = 1_000;

/// A sink that posts to one endpoint.
#[derive(Clone, Debug)]
pub struct Webhook {
    client: WebhookClient,
    endpoint: Endpoint,
    settings: WebhookSettings,
}

/// How a webhook sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many events one envelope may have.
    pub batch: usize,
    /// How many requests may be under way at once.
    pub in_flight: usize,
}

impl Webhook {
    /// A sink that posts to `endpoint` over the connections of `client`.
    pub const fn new(client: WebhookClient, endpoint: Endpoint, settings: WebhookSettings) -> Self {
        Self {
            client,
            endpoint,
            settings,
        }
    }

    /// Whether events can share an envelope, which names one sensor, and a header of their types.
    pub fn share_an_envelope(items: &[Arc<Item>], item: &Item) -> bool {
        let Some(first) = items.first() else {
            return true;
        };
        let name_bytes: usize = items.iter().map(|it| it.event_type.len() + 1).sum();
        match (first.form.caliper(), item.form.caliper()) {
            (Some(first), Some(event)) => {
                first.sensor() == event.sensor()
                    && name_bytes + item.event_type.len() <= MAX_NAME_BYTES
            }
            _ => false,
        }
    }
}

impl WebhookSettings {
    /// What a lane must keep to.
    pub const fn limits(&self) -> SinkLimits {
        SinkLimits {
            max_items: self.batch,
            max_bytes: MAX_ENVELOPE_BYTES,
            gather: Duration::ZERO,
            max_in_flight: self.in_flight,
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

    fn goes_with(&self, items: &[Arc<Item>], item: &Item) -> bool {
        Self::share_an_envelope(items, item)
    }

    fn host(&self) -> Option<&str> {
        Some(self.endpoint.host())
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        let content = request::content(batch, self.client.now());
        let request = || request::build(&self.endpoint, batch, &content);
        let timeout = self.settings.timeout;
        let body_limit = |status: StatusCode| match status {
            _ if status.is_success() => 0,
            _ => EndpointAnswer::MAX_BODY_BYTES,
        };
        let exchange = self.client.exchange(request, timeout, body_limit);
        match exchange.await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let status = head.status.as_u16();
                let head = http::Response::from_parts(head, ());
                Outcome {
                    closes: answer::closes(&head),
                    answer: Some(EndpointAnswer { status, body }),
                    ..Outcome::all(answer::judge(&head, self.client.now()))
                }
            }
            Err(error) => Outcome::all(Err(error)),
        }
    }
}
