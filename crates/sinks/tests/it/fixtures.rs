//! A sample client, webhook and batch.

use std::sync::Arc;
use std::time::Duration;

use easel_sinks::{
    Batch, Endpoint, Guard, Resolve, Results, SendError, Sink, Webhook, WebhookClient,
    WebhookOptions, WebhookSettings,
};
use easel_testkit::event;
use jiff::Timestamp;

/// Returns a client whose clock always shows 2025-03-03T08:00:00Z.
pub(crate) fn client(options: &WebhookOptions) -> WebhookClient {
    WebhookClient::new(options, Arc::new(now)).unwrap()
}

/// Returns a webhook whose client uses this resolver.
pub(crate) fn resolving_webhook<R: Resolve + 'static>(
    options: &WebhookOptions,
    resolver: &Arc<R>,
    url: &str,
) -> Webhook {
    let resolver = Arc::<R>::clone(resolver);
    let client = WebhookClient::with_resolver(options, resolver, Arc::new(now)).unwrap();
    let endpoint = Endpoint::parse(url).unwrap();
    Webhook::new(client, endpoint, settings(LONG_TIMEOUT))
}

fn now() -> Timestamp {
    Timestamp::constant(1_740_988_800, 0)
}

/// Returns options for receivers on this machine.
pub(crate) fn local_options() -> WebhookOptions {
    let guard = Guard {
        loopback_allowed: true,
        ..Guard::default()
    };
    WebhookOptions {
        guard,
        ..WebhookOptions::default()
    }
}

/// The timeout of an attempt in tests that do not test timeouts.
pub(crate) const LONG_TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) fn webhook(url: &str) -> Webhook {
    webhook_within(url, LONG_TIMEOUT)
}

/// Returns a webhook with a short timeout.
pub(crate) fn impatient_webhook(url: &str) -> Webhook {
    webhook_within(url, Duration::from_millis(200))
}

/// Returns settings with this timeout, one request in flight and one event per request.
pub(crate) fn settings(timeout: Duration) -> WebhookSettings {
    WebhookSettings {
        timeout,
        max_items: 1,
        max_in_flight: 1,
    }
}

fn webhook_within(url: &str, timeout: Duration) -> Webhook {
    let client = client(&local_options());
    Webhook::new(client, Endpoint::parse(url).unwrap(), settings(timeout))
}

pub(crate) fn batch() -> Batch {
    easel_testkit::batch(event("course_created", 1))
}

/// Returns a batch that is small enough for one write.
pub(crate) fn short_batch() -> Batch {
    easel_testkit::batch("{}")
}

/// Returns the bytes of the only event of a batch.
pub(crate) fn body(batch: &Batch) -> &[u8] {
    batch.items[0].form.bytes()
}

/// Makes one attempt, which must have the same result for all events of the batch.
pub(crate) trait Post {
    async fn post(&self, batch: Batch) -> Result<(), SendError>;
}

impl Post for Webhook {
    async fn post(&self, batch: Batch) -> Result<(), SendError> {
        match self.send(&batch).await.results {
            Results::All(result) => result,
            Results::Each(results) => panic!("{results:?}"),
        }
    }
}

/// Returns the error for an answer with this status, which blames the endpoint.
pub(crate) fn refused(status: u16) -> SendError {
    SendError::Refused {
        reason: format!("the endpoint answered {status}"),
    }
}
