//! Makes the sinks of subscriptions, all on connections that can be replaced while they run.
//!
//! A file of certificate authorities that is renewed makes new connections, which every attempt
//! from then on uses; attempts under way end on the old ones.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use easel_deliver::MakeSink;
use easel_sinks::{Endpoint, Parcel, SendError, Sink, Webhook, WebhookClient};
use easel_subscriptions::Spec;

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
                timeout: spec.webhook.timeout,
            }) as Arc<dyn Sink>)
        })
    }

    /// What makes a webhook for one attempt.
    pub(crate) fn make_webhook(&self) -> MakeWebhook {
        let webhooks = self.clone();
        Arc::new(move |spec: &Spec| {
            let endpoint = endpoint(spec)?;
            Ok(Webhook::new(
                webhooks.client(),
                endpoint,
                spec.webhook.timeout,
            ))
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
    timeout: Duration,
}

#[async_trait]
impl Sink for ReplaceableWebhook {
    async fn send(&self, parcel: Parcel) -> Result<(), SendError> {
        let webhook = Webhook::new(self.webhooks.client(), self.endpoint.clone(), self.timeout);
        webhook.send(parcel).await
    }
}

/// Where a subscription's events are sent, or what is wrong with it.
pub(crate) fn endpoint(spec: &Spec) -> Result<Endpoint, String> {
    Endpoint::parse(&spec.webhook.url).map_err(|error| error.to_string())
}
