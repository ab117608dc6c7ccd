//! Authenticates callers: the tokens, the token for commands on this machine, and the identity provider.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use easel_access::{Authorizer, Refusals, Tokens, TokensError};
use easel_keys::Secret;
use easel_log::run_blocking;
use easel_sources::JwksClient;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::oidc_keys::ProviderKeys;
use crate::{Auth, Config};

/// How often the times of last uses are written.
const SAVE_INTERVAL: Duration = Duration::from_mins(1);

/// The tokens, and the checks of requests.
#[derive(Debug)]
pub(crate) struct Callers {
    pub(crate) tokens: Arc<Tokens>,
    /// The token for commands on this machine. Every start creates a new one.
    pub(crate) local_token: Secret<String>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) authorizer: Authorizer,
    provider: Option<ProviderKeys>,
}

/// What is done now and then while callers come.
#[derive(Debug)]
pub(crate) struct CallerUpkeep {
    tokens: Arc<Tokens>,
    provider: Option<ProviderKeys>,
}

impl Callers {
    /// Opens the tokens in `file`. `client` fetches the keys of the identity provider.
    pub(crate) fn open(
        file: &Path,
        config: &Config,
        client: JwksClient,
    ) -> Result<Self, TokensError> {
        let tokens = Arc::new(Tokens::open(file)?);
        let local_token = easel_access::new_secret()?;
        let refusals = Arc::new(Refusals::new());
        let authorizer = match config.auth {
            Auth::Tokens => Authorizer::new(Arc::clone(&tokens)).with_local_token(&local_token),
            Auth::None => Authorizer::without_tokens(),
        };
        let (authorizer, provider) = match config.oidc.provider(client) {
            Some((oidc, keys)) => (authorizer.with_oidc(oidc), Some(keys)),
            None => (authorizer, None),
        };
        Ok(Self {
            tokens,
            local_token,
            authorizer: authorizer.with_refusals(Arc::clone(&refusals)),
            refusals,
            provider,
        })
    }

    pub(crate) fn upkeep(&self) -> CallerUpkeep {
        CallerUpkeep {
            tokens: Arc::clone(&self.tokens),
            provider: self.provider.clone(),
        }
    }
}

impl CallerUpkeep {
    /// Writes the times of last uses, and keeps the keys of the identity provider fresh, until the future is
    /// dropped.
    pub(crate) async fn run(&self) -> Infallible {
        let fresh_keys = async {
            match &self.provider {
                Some(provider) => provider.clone().run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = fresh_keys => never,
            never = self.save_last_uses() => never,
        }
    }

    async fn save_last_uses(&self) -> Infallible {
        let mut tick = interval(SAVE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let tokens = Arc::clone(&self.tokens);
            report(run_blocking(move || tokens.save_last_uses()).await);
        }
    }

    /// Writes the times of last uses at the stop.
    pub(crate) fn save(&self) {
        report(self.tokens.save_last_uses());
    }
}

fn report(saved: Result<(), TokensError>) {
    if let Err(error) = saved {
        let error: &dyn std::error::Error = &error;
        warn!(error, "last uses of tokens not saved");
    }
}
