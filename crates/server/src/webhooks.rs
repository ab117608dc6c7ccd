//! Creates the sinks of subscriptions. They share a client that can be replaced while they run.
//!
//! If the file of certificate authorities changes, a new client is created, and every new attempt
//! uses it. Running attempts finish with the old client.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use easel_deliver::MakeSink;
use easel_sinks::{
    Batch, Endpoint, Item, Outcome, Sink, SinkLimits, Webhook, WebhookClient, WebhookSettings,
};
use easel_subscriptions::{SinkSpec, Spec};

use crate::test_delivery::MakeWebhook;

/// The client of all webhooks. Clones share the client.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks(Arc<RwLock<WebhookClient>>);

impl Webhooks {
    /// Creates webhooks that use `client`.
    pub(crate) fn new(client: WebhookClient) -> Self {
        Self(Arc::new(RwLock::new(client)))
    }

    /// Makes every new attempt use `client`.
    pub(crate) fn replace(&self, client: WebhookClient) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// Returns a function that creates the sink of a subscription.
    pub(crate) fn make_sink(&self) -> MakeSink {
        let webhooks = self.clone();
        Box::new(move |spec: &Spec| {
            Ok(Arc::new(ReplaceableWebhook {
                webhooks: webhooks.clone(),
                endpoint: endpoint(spec)?,
                settings: settings(spec),
            }) as Arc<dyn Sink>)
        })
    }

    /// Returns a function that creates a webhook for one attempt.
    pub(crate) fn make_webhook(&self) -> MakeWebhook {
        let webhooks = self.clone();
        Arc::new(move |spec: &Spec| {
            let endpoint = endpoint(spec)?;
            Ok(Webhook::new(webhooks.client(), endpoint, settings(spec)))
        })
    }

    fn client(&self) -> WebhookClient {
        let client = self.0.read().unwrap_or_else(PoisonError::into_inner);
        client.clone()
    }
}

/// A webhook whose client can be replaced.
#[derive(Debug)]
struct ReplaceableWebhook {
    webhooks: Webhooks,
    endpoint: Endpoint,
    settings: WebhookSettings,
}

impl ReplaceableWebhook {
    fn webhook(&self) -> Webhook {
        Webhook::new(self.webhooks.client(), self.endpoint.clone(), self.settings)
    }
}

#[async_trait]
impl Sink for ReplaceableWebhook {
    fn limits(&self) -> SinkLimits {
        self.settings.limits()
    }

    fn host(&self) -> Option<&str> {
        Some(self.endpoint.host())
    }

    fn can_join_batch(&self, items: &[Arc<Item>], item: &Item) -> bool {
        Webhook::can_share_envelope(items, item)
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.webhook().send(batch).await
    }
}

/// Returns the settings of a subscription's webhook.
fn settings(spec: &Spec) -> WebhookSettings {
    let SinkSpec::Webhook(webhook) = &spec.sink;
    WebhookSettings {
        timeout: webhook.timeout,
        max_items: webhook.batch.get(),
        max_in_flight: spec.in_flight.get(),
    }
}

/// Returns the endpoint of a subscription, or the fault of its URL.
pub(crate) fn endpoint(spec: &Spec) -> Result<Endpoint, String> {
    let SinkSpec::Webhook(webhook) = &spec.sink;
    Endpoint::parse(webhook.url.expose()).map_err(|error| error.to_string())
}
