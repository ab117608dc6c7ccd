//! The public keys of the operator's identity provider, fetched as those of sources are.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use easel_access::OidcKeys;
use easel_keys::{JwtOptions, JwtVerifier, SigningAlgorithm};
use easel_log::{Clock, SystemClock};
use easel_sources::{JwksCache, JwksClient, JwksPlace, NewerKeys};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

/// How often keys that are old are fetched again.
const INTERVAL: Duration = Duration::from_secs(30);

/// The most bytes of a token. A request head is not much larger.
const MAX_BYTES: usize = 32 * 1024;

/// The public keys of the identity provider. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ProviderKeys(Arc<CachedKeys>);

#[derive(Debug)]
struct CachedKeys {
    cache: JwksCache,
    clock: SystemClock,
}

impl ProviderKeys {
    pub(crate) fn new(
        place: JwksPlace,
        issuer: String,
        leeway: Duration,
        client: JwksClient,
    ) -> Self {
        let options = JwtOptions {
            algorithms: SigningAlgorithm::ALL.to_vec(),
            issuer: Some(issuer),
            leeway,
            max_bytes: MAX_BYTES,
        };
        Self(Arc::new(CachedKeys {
            cache: JwksCache::new(place, options, client),
            clock: SystemClock,
        }))
    }

    pub(crate) fn shared(&self) -> Arc<dyn OidcKeys> {
        Arc::<CachedKeys>::clone(&self.0)
    }

    /// Keeps the keys fresh until the future is dropped.
    pub(crate) async fn run(self) -> Infallible {
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.0.cache.refresh_if_due(self.0.clock.now()).await {
                warn!(%error, "keys of the identity provider not fetched");
            }
        }
    }
}

#[async_trait]
impl OidcKeys for CachedKeys {
    fn current(&self) -> Option<Arc<JwtVerifier>> {
        self.cache.current()
    }

    async fn newer_than(
        &self,
        known: Option<&Arc<JwtVerifier>>,
    ) -> Result<Option<Arc<JwtVerifier>>, String> {
        match self.cache.newer_than(known, self.clock.now()).await {
            NewerKeys::Fetched(verifier) => Ok(Some(verifier)),
            NewerKeys::UpToDate => Ok(None),
            NewerKeys::Unavailable(reason) => {
                debug!(error = reason, "keys of the identity provider not fetched");
                Err(reason)
            }
        }
    }
}
