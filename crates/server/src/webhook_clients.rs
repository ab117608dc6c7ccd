//! The two clients of webhooks: one enforces the address guard, and one only reports refused addresses.

use std::sync::Arc;

use easel_log::{Clock, SystemClock};
use easel_sinks::{ClientError, Guard, WebhookClient, WebhookOptions};
use easel_subscriptions::GuardState;

/// The two clients of webhooks. They share no connections, so the enforcing client never uses a connection
/// that its guard would refuse.
#[derive(Clone, Debug)]
pub(crate) struct WebhookClients {
    /// The rules about addresses.
    guard: Guard,
    enforcing: WebhookClient,
    reporting: WebhookClient,
}

impl WebhookClients {
    /// Creates both clients.
    pub(crate) fn new(options: &WebhookOptions) -> Result<Self, ClientError> {
        let client = |options: &WebhookOptions| {
            let clock = SystemClock;
            WebhookClient::new(options, Arc::new(move || clock.now()))
        };
        let reporting = WebhookOptions {
            guard: options.guard.report_only(),
            ..options.clone()
        };
        Ok(Self {
            guard: options.guard.clone(),
            enforcing: client(options)?,
            reporting: client(&reporting)?,
        })
    }

    /// Returns the rules about addresses.
    pub(crate) const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Returns the client for a subscription with this state of the guard.
    pub(crate) const fn get(&self, guard: GuardState) -> &WebhookClient {
        match guard {
            GuardState::Enforced => &self.enforcing,
            GuardState::Reported => &self.reporting,
        }
    }
}
