//! A client, a webhook and a batch to begin with.

use std::sync::Arc;
use std::time::Duration;

use easel_sinks::{
    Batch, Endpoint, Results, SendError, Sink, Webhook, WebhookClient, WebhookOptions,
    WebhookSettings,
};
use easel_testkit::event;
use jiff::Timestamp;

/// A client for which it is always 2025-03-03T08:00:00Z.
pub(crate) fn client(options: &WebhookOptions) -> WebhookClient {
    WebhookClient::new(options, Arc::new(|| Timestamp::constant(1_740_988_800, 0))).unwrap()
}

/// The longest an attempt may take where the test is not about that.
pub(crate) const PATIENT: Duration = Duration::from_secs(15);

pub(crate) fn webhook(url: &str) -> Webhook {
    webhook_within(url, PATIENT)
}

/// A webhook that gives up almost at once.
pub(crate) fn hasty_webhook(url: &str) -> Webhook {
    webhook_within(url, Duration::from_millis(200))
}

/// One request at a time, with one event.
pub(crate) fn within(timeout: Duration) -> WebhookSettings {
    WebhookSettings {
        timeout,
        batch: 1,
        in_flight: 1,
    }
}

fn webhook_within(url: &str, timeout: Duration) -> Webhook {
    let client = client(&WebhookOptions::default());
    Webhook::new(client, Endpoint::parse(url).unwrap(), within(timeout))
}

pub(crate) fn batch() -> Batch {
    easel_testkit::batch(event("course_created", 1))
}

/// A batch that goes out in one write.
pub(crate) fn short_batch() -> Batch {
    easel_testkit::batch("{}")
}

/// What is sent of the only event of a batch.
pub(crate) fn body(batch: &Batch) -> &[u8] {
    batch.items[0].form.bytes()
}

/// One attempt, which ends alike for all events of a batch.
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

/// What an endpoint's answer with this status, which blames the endpoint, comes to.
pub(crate) fn refused(status: u16) -> SendError {
    SendError::Refused {
        reason: format!("the endpoint answered {status}"),
    }
}
