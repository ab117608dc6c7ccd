//! The webhook sink: one POST per parcel.
//!
//! The request is the event itself as JSON, and says in headers what it is:
//!
//! | header | value |
//! | --- | --- |
//! | `webhook-id` | the event's id, the same at every attempt |
//! | `webhook-timestamp` | when this attempt was made, in seconds since 1970 |
//! | `easel-event-name`, `easel-event-time` | the event's type and time, as the event spells them |
//! | `easel-attempt` | which attempt this is, from 1 |
//! | `easel-subscription` | the subscription's name |
//! | `easel-mapper-version` | the version of the mapping, in Caliper formats |
//!
//! What a header cannot hold is percent-encoded. Any 2xx means that the subscriber has taken the
//! event over; the body of an answer is never looked at. Redirects are not followed: the URL is
//! the operator's choice, not the endpoint's.
//!
//! An attempt is one request. The exception is a kept-alive connection that was used before and
//! breaks before any byte of an answer: the receiver has closed it, so the request goes out once
//! more, at once, on a new connection. Any other connection that breaks is
//! [`SendError::Unreachable`], and whether to try again is not decided here.

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

use std::time::Duration;

use async_trait::async_trait;

use crate::{Parcel, SendError, Sink};

/// A sink that posts to one endpoint.
#[derive(Clone, Debug)]
pub struct Webhook {
    client: WebhookClient,
    endpoint: Endpoint,
    timeout: Duration,
}

impl Webhook {
    /// A sink that posts to `endpoint` over the connections of `client`, each attempt within
    /// `timeout`.
    pub const fn new(client: WebhookClient, endpoint: Endpoint, timeout: Duration) -> Self {
        Self {
            client,
            endpoint,
            timeout,
        }
    }
}

#[async_trait]
impl Sink for Webhook {
    async fn send(&self, parcel: Parcel) -> Result<(), SendError> {
        let now = self.client.now();
        let answer = self
            .client
            .exchange(
                || request::build(&self.endpoint, &parcel, now),
                self.timeout,
            )
            .await?;
        answer::judge(&answer, self.client.now())
    }
}
