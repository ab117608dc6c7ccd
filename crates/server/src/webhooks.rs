//! Creates the webhooks of subscriptions.
//!
//! New clients replace the old ones when a setting of `[webhook]` or the certificate authorities change. Each
//! new attempt uses the new clients. Running attempts finish with the old ones.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use easel_keys::{Keys, SigningAlgorithm};
use easel_log::{Clock, SystemClock, run_blocking};
use easel_sinks::{
    Batch, CheckedAddress, Guard, Item, JwtSigner, Outcome, RequestSigner, SendError, Sink,
    SinkLimits, Webhook, describe_metrics,
};
use easel_subscriptions::{GuardState, Spec, Subscription};
use tracing::error;

use crate::test_delivery::MakeWebhook;
use crate::webhook_clients::WebhookClients;
use crate::webhook_parts::{SigningParts, WebhookParts};

/// Creates the webhooks of subscriptions. Clones share the clients and keys.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks(Arc<WebhookDeps>);

/// What all webhooks share.
#[derive(Debug)]
struct WebhookDeps {
    clients: RwLock<CurrentClients>,
    keys: Arc<Keys>,
    /// The claim `iss` of signed events.
    issuer: Arc<str>,
}

#[derive(Debug)]
struct CurrentClients {
    /// Counts the replacements.
    number: u64,
    clients: WebhookClients,
}

impl Webhooks {
    /// Creates webhooks that use `clients`, and sign with `keys`.
    pub(crate) fn new(clients: WebhookClients, keys: Arc<Keys>, issuer: &str) -> Self {
        describe_metrics();
        Self(Arc::new(WebhookDeps {
            clients: RwLock::new(CurrentClients { number: 0, clients }),
            keys,
            issuer: issuer.into(),
        }))
    }

    /// Makes every new attempt use `clients`. Returns the old clients.
    pub(crate) fn replace(&self, clients: WebhookClients) -> WebhookClients {
        let mut current = self
            .0
            .clients
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        current.number += 1;
        std::mem::replace(&mut current.clients, clients)
    }

    /// Creates the sink of a subscription with a webhook.
    pub(crate) fn make_sink(&self, subscription: &Subscription) -> Result<Arc<dyn Sink>, String> {
        let parts = WebhookParts::from_spec(&subscription.spec)?;
        Ok(Arc::new(ReplaceableWebhook {
            signer: self.signer(&parts),
            webhooks: self.clone(),
            guard: subscription.guard,
            parts,
            latest: Mutex::new(None),
        }))
    }

    /// Returns a function that creates a webhook for one attempt.
    pub(crate) fn make_webhook(&self) -> MakeWebhook {
        let webhooks = self.clone();
        Arc::new(move |spec: &Spec| {
            let parts = WebhookParts::from_spec(spec)?;
            let signer = webhooks.signer(&parts);
            webhooks.webhook(&parts, signer, GuardState::Enforced)
        })
    }

    /// Returns a webhook that uses the current clients.
    fn webhook(
        &self,
        parts: &WebhookParts,
        signer: Option<RequestSigner>,
        guard: GuardState,
    ) -> Result<Webhook, String> {
        let client = self.clients().get(guard).clone();
        let client = match &parts.client_identity {
            None => client,
            Some(identity) => client
                .with_identity(identity)
                .map_err(|error| error.to_string())?,
        };
        let webhook = Webhook::new(client, parts.endpoint.clone(), parts.settings);
        Ok(webhook
            .with_signer(signer)
            .with_headers(parts.custom_headers.clone()))
    }

    /// Returns the signer of a webhook. Until its algorithm has a key, attempts are not sent.
    fn signer(&self, parts: &WebhookParts) -> Option<RequestSigner> {
        match &parts.signing {
            None => None,
            Some(SigningParts::Standard(secrets)) => {
                Some(RequestSigner::Standard(Arc::clone(secrets)))
            }
            Some(SigningParts::Jwt(algorithm)) => Some(RequestSigner::Jwt(JwtSigner {
                keys: self.0.keys.signing(),
                algorithm: *algorithm,
                issuer: Arc::clone(&self.0.issuer),
            })),
        }
    }

    /// Checks the address of a subscription that is older than the guard. Resolves its name once.
    pub(crate) async fn resolve(&self, spec: &Spec) -> Result<CheckedAddress, String> {
        let endpoint = WebhookParts::from_spec(spec)?.endpoint;
        let clients = self.clients();
        let checked = clients.get(GuardState::Enforced).check(&endpoint).await;
        checked.map_err(|refused| format!("webhook.url: {refused}"))
    }

    /// Generates signing keys for algorithms that have none. An error is logged. The next start, and the next
    /// change of a subscription with the algorithm, try again.
    pub(crate) async fn ensure_keys(&self, specs: &[Spec]) {
        let algorithms: BTreeSet<SigningAlgorithm> = specs
            .iter()
            .filter_map(|spec| {
                let webhook = spec.sink.webhook()?;
                webhook.jwt_algorithm()
            })
            .collect();
        for algorithm in algorithms {
            let keys = Arc::clone(&self.0.keys);
            let ensured = run_blocking(move || keys.ensure(algorithm, SystemClock.now())).await;
            if let Err(error) = ensured {
                let error: &dyn std::error::Error = &error;
                error!(error, %algorithm, "signing keys not generated");
            }
        }
    }

    /// Validates everything that needs no network, except the address.
    pub(crate) fn check(spec: &Spec) -> Result<(), String> {
        WebhookParts::from_spec(spec).map(drop)
    }

    /// Rejects a URL with an address that the guard refuses.
    pub(crate) fn check_address(&self, spec: &Spec) -> Result<(), String> {
        let endpoint = WebhookParts::from_spec(spec)?.endpoint;
        let checked = self.guard().check_host(endpoint.host_name());
        checked.map_err(|refused| format!("webhook.url: {refused}"))
    }

    /// Returns the current rules about addresses.
    pub(crate) fn guard(&self) -> Guard {
        self.clients().guard().clone()
    }

    fn clients(&self) -> WebhookClients {
        let current = self
            .0
            .clients
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        current.clients.clone()
    }

    fn clients_number(&self) -> u64 {
        let current = self
            .0
            .clients
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        current.number
    }
}

/// A webhook whose clients can be replaced.
#[derive(Debug)]
struct ReplaceableWebhook {
    webhooks: Webhooks,
    guard: GuardState,
    parts: WebhookParts,
    signer: Option<RequestSigner>,
    /// The latest webhook, and the number of its clients.
    latest: Mutex<Option<(u64, Arc<Webhook>)>>,
}

impl ReplaceableWebhook {
    /// Returns a webhook that uses the current clients.
    fn webhook(&self) -> Result<Arc<Webhook>, SendError> {
        let number = self.webhooks.clients_number();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, webhook)) = latest.as_ref().filter(|(latest, _)| *latest == number) {
            return Ok(Arc::clone(webhook));
        }
        let webhook = self
            .webhooks
            .webhook(&self.parts, self.signer.clone(), self.guard)
            .map_err(|reason| SendError::NotSent { reason })?;
        let webhook = Arc::new(webhook);
        *latest = Some((number, Arc::clone(&webhook)));
        Ok(webhook)
    }
}

#[async_trait]
impl Sink for ReplaceableWebhook {
    fn limits(&self) -> SinkLimits {
        self.parts.settings.limits()
    }

    fn host(&self) -> Option<&str> {
        Some(self.parts.endpoint.host())
    }

    fn can_join_batch(&self, items: &[Arc<Item>], item: &Item) -> bool {
        Webhook::can_share_envelope(items, item)
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        match self.webhook() {
            Ok(webhook) => webhook.send(batch).await,
            Err(error) => Outcome::all(Err(error)),
        }
    }
}
