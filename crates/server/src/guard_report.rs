//! Names the subscriptions that the address guard would stop.
//!
//! The guard does not apply to a subscription that is older than the guard, until its URL changes or the
//! operator enforces the guard. After the start, each of these subscriptions is checked once: if its
//! address is public or allowed, the guard applies from now on, because it stops nothing.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use easel_sinks::CheckedAddress;
use easel_subscriptions::{GuardState, Subscriptions};
use tracing::{info, warn};

use crate::webhooks::Webhooks;

/// Names the subscriptions that the guard would stop.
#[derive(Debug)]
pub(crate) struct GuardReport {
    webhooks: Webhooks,
    subscriptions: Arc<Subscriptions>,
}

impl GuardReport {
    pub(crate) const fn new(webhooks: Webhooks, subscriptions: Arc<Subscriptions>) -> Self {
        Self {
            webhooks,
            subscriptions,
        }
    }

    /// Checks each subscription that is older than the guard once.
    pub(crate) async fn run(&self) -> Infallible {
        for subscription in self.subscriptions.list() {
            if subscription.guard == GuardState::Enforced {
                continue;
            }
            let full_name = subscription.full_name();
            let name = full_name.to_string();
            match self.webhooks.resolve(&subscription.spec).await {
                Ok(CheckedAddress::Allowed) => {
                    match self.subscriptions.enforce_guard(&full_name).await {
                        Ok(_enforced) => info!(subscription = name, "address guard applies now"),
                        Err(error) => {
                            warn!(subscription = name, %error, "address guard not applied");
                        }
                    }
                }
                Ok(CheckedAddress::Unresolved) => warn!(
                    subscription = name,
                    "address cannot be checked, because its name does not resolve; the address \
                     guard does not apply yet: run `easel subscriptions enforce-guard` to apply it"
                ),
                Err(reason) => warn!(
                    subscription = name,
                    reason,
                    "address guard would stop this subscription: add its network to \
                     webhook.allow, or run `easel subscriptions enforce-guard` to stop it"
                ),
            }
        }
        pending().await
    }
}
