//! Makes the sinks of subscriptions, all on connections that can be replaced while they run.
//!
//! A file of certificate authorities that is renewed makes new connections, which every attempt
//! from then on uses; attempts under way end on the old ones.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use easel_deliver::MakeSink;
use easel_sinks::{
    Batch, Endpoint, Item, Outcome, Sink, SinkLimits, Webhook, WebhookClient, WebhookSettings,
};
use easel_subscriptions::{SinkSpec, Spec};

use crate::test_delivery::MakeWebhook;

/// The connections of all webhooks; its clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks(Arc<RwLock<WebhookClient>>);

impl Webhooks {
    /// Webhooks over the connections of `client`.
    pub(crate) fn new(client: WebhookClient) -> Self {
        Self(Arc::new(RwLock::new(client)))
    }

    /// Has every attempt from now on use the connections of `client`.
    pub(crate) fn replace(&self, client: WebhookClient) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// What makes the sink of a subscription.
    pub(crate) fn maker(&self) -> MakeSink {
        let webhooks = self.clone();
        Box::new(move |spec: &Spec| {
            Ok(Arc::new(ReplaceableWebhook {
                webhooks: webhooks.clone(),
                endpoint: endpoint(spec)?,
                settings: settings(spec),
            }) as Arc<dyn Sink>)
        })
    }

    /// What makes a webhook for one attempt.
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

/// A webhook whose connections can be replaced.
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

    fn goes_with(&self, items: &[Arc<Item>], item: &Item) -> bool {
        Webhook::share_an_envelope(items, item)
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        self.webhook().send(batch).await
    }
}

/// How a subscription's webhook sends.
fn settings(spec: &Spec) -> WebhookSettings {
    let SinkSpec::Webhook(webhook) = &spec.sink;
    WebhookSettings {
        timeout: webhook.timeout,
        batch: webhook.batch.get(),
        in_flight: spec.in_flight.get(),
    }
}

/// Where a subscription's events are sent, or what is wrong with it.
pub(crate) fn endpoint(spec: &Spec) -> Result<Endpoint, String> {
    let SinkSpec::Webhook(webhook) = &spec.sink;
    Endpoint::parse(webhook.url.expose()).map_err(|error| error.to_string())
}
